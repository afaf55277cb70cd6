//! Where messages are kept.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{
    Attachment, AttachmentId, ChatMessage, ChatSession, MessageDraft, MessageId, MessageQuery, Principal, Receipt, Seq,
    SessionId, SessionSnapshot, Timestamp,
};
use crate::write::{Appended, MarkRead, MarkUpTo, SessionWrite, WriteReply};

/// A session, and a message of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageLookup {
    /// The session, which decides who may see the message.
    pub session: ChatSession,
    /// The message. `None` when the session has none of that id.
    pub message: Option<ChatMessage>,
}

/// An attachment with the session that decides who may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachmentLookup {
    /// The attachment.
    pub attachment: Attachment,
    /// The session of its message.
    pub session: ChatSession,
}

/// Keeps messages, their attachments' descriptions and their receipts.
///
/// A store implements [`write`](Self::write); the methods with a body are the writes by name, and their documentation
/// says what `WriteBatch::decide` and the store guarantee together.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MessageRepository: Send + Sync {
    /// Decides a write with `WriteBatch::decide`, under the lock of its session, and persists its effects in one
    /// transaction.
    ///
    /// Right and state MUST be those of the moment of the change. An agent whom the directory has deactivated MUST be
    /// refused as the directory is when the change is decided, not when the caller was admitted. The time of a change
    /// MUST NOT be before that of the session's change before it: see `ChatSession::time_of_change`.
    ///
    /// Every committed change MUST be handed to the `Notifier` once, in `seq` order per session, after the commit and
    /// before this returns. When the future is dropped, a change that has not begun need not be made; a change that has
    /// begun is neither undone nor loses its event.
    async fn write(&self, write: SessionWrite) -> Result<WriteReply>;

    /// Appends a message to its session, under the session's lock, with its attachments and the statistics.
    /// Concurrent appends MUST get the positions `last_seq + 1`, `+ 2` … without gap.
    ///
    /// A key is remembered per session and author. A repetition with the same fingerprint MUST answer the first
    /// message as it was sent, with `replayed`, also when both run at the same time and when the session has been
    /// closed since; with another fingerprint it MUST fail with `Conflict(IdempotencyKeyReused)`.
    ///
    /// An upload that the message is sent with MUST leave the `UploadRegistry` in the same transaction: of two messages
    /// with the same upload at the same time one MUST succeed, and not both.
    ///
    /// MUST fail, changing nothing, in this order: `NotFound(Session)`; what `policy::authorize` refuses; the reused
    /// key; `Invalid` naming `attachmentIds[n]` for the first id that is no upload of the author in this session, and
    /// `attachmentIds` when the uploads have too many bytes; what the state does not allow; `Unavailable` when a file is
    /// condemned (`OrphanRegistry`).
    async fn append(&self, draft: MessageDraft) -> Result<Appended> {
        self.write(SessionWrite::AppendMessage(draft)).await?.appended()
    }

    /// A session and a page of its messages. `None` when there is no such session.
    ///
    /// The page MUST hold every message of its range up to the session's `last_seq` and none beyond; a receipt that
    /// came after the session was read may already show in it. MUST be `Unchanged`, without reading the page, when the
    /// session is at the position `known` and the cursor is `Newest`.
    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>>;

    /// A session and its message of that id, as far as it has come. `None` when there is no such session. The message
    /// of another session MUST NOT be found.
    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>>;

    /// Marks messages of the other side as read by `reader`'s side, all or nothing.
    ///
    /// Messages of the reader's own side and messages that were read before MUST be left as they are; when nothing is
    /// left to do the answer is `None` and no position is taken, else one receipt at one position.
    /// MUST fail, changing nothing, in this order: `NotFound(Session)`; what `policy::authorize` refuses; `Invalid`
    /// naming `messageIds[n]` for the first id that is not a message of this session.
    async fn mark_read(
        &self,
        session: SessionId,
        reader: Principal,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        self.write(SessionWrite::MarkRead(MarkRead { session_id: session, reader, messages, at })).await?.receipt()
    }

    /// Marks everything of the other side up to `up_to` as read by `reader`'s side, but at most `MAX_RECEIPT_MESSAGES`
    /// messages, the oldest first: when the receipt names so many, the caller asks again. A position beyond the end says
    /// nothing of messages to come; the receipt's `up_to` is that of the newest message that was marked. When nothing is
    /// left to do the answer is `None` and no position is taken. Its cost MUST NOT grow with what was read before.
    ///
    /// MUST fail, changing nothing, in this order: `NotFound(Session)`; what `policy::authorize` refuses.
    async fn mark_read_up_to(
        &self,
        session: SessionId,
        reader: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        self.write(SessionWrite::MarkReadUpTo(MarkUpTo { session_id: session, reader, up_to, at })).await?.receipt()
    }

    /// Notes that everything up to `up_to` reached `receiver`, but at most `MAX_RECEIPT_MESSAGES` messages, the oldest
    /// first: when the receipt names so many, the caller asks again. MUST be a no-op (`None`) for someone who is neither the
    /// owner nor the assigned agent, for an unknown session, and when no message of the other side comes further; a
    /// deactivated agent MUST be refused in a session that is there.
    /// A position beyond the end says nothing of messages to come; the receipt's `up_to` is that of the newest message
    /// that came further.
    async fn mark_delivered(
        &self,
        session: SessionId,
        receiver: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let write = MarkUpTo { session_id: session, reader: receiver, up_to, at };
        self.write(SessionWrite::MarkDelivered(write)).await?.receipt()
    }

    /// The attachment of that id with its session, if there is one.
    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>>;

    /// Those of `ids` that no message refers to and that are no registered uploads (`UploadRegistry`), as far as is known where this is read: a message that was committed a
    /// moment ago may be missing there. What is not returned has a message or is registered.
    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>>;
}
