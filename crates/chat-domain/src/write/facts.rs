//! What a store knows that decides about a batch of writes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{MarkUpTo, SessionWrite};
use crate::error::{FieldPath, Invalid};
use crate::model::{
    AgentId, Attachment, AttachmentId, ChatMessage, ChatSession, DraftAttachments, Fingerprint, IdempotencyKey,
    KnownPerson, MAX_RECEIPT_MESSAGES, MessageDraft, MessageId, Party, ReceiptStatus, Seq, SessionId, UnsentUpload,
    UserId,
};

/// The rule for each of `attachmentIds`.
pub const UNSENT_UPLOAD: &str =
    "must be the id of a file that you have uploaded to this session and not sent or removed";

/// What must be known of a message to move its receipt on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownMessage {
    /// Its id.
    pub id: MessageId,
    /// Its position.
    pub seq: Seq,
    /// The side that sent it.
    pub sender: Party,
    /// Whether it has reached the other side.
    pub is_delivered: bool,
    /// Whether the other side has read it, which implies that it was delivered.
    pub is_read: bool,
}

/// Messages to load for the receipts of a batch, once its sessions are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessagesNeeded {
    /// These messages of a session, if they are messages of it.
    Named {
        /// The session.
        session_id: SessionId,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// The oldest messages of one side of a session that have not come this far.
    NotYet {
        /// The session.
        session_id: SessionId,
        /// The side that sent them.
        sender: Party,
        /// Which stage they have not reached.
        status: ReceiptStatus,
        /// They are above this position.
        after: Seq,
        /// They are at most at this position.
        up_to: Seq,
        /// How many at most, oldest first. Enough for all receipts of the batch, each of which names at most
        /// [`MAX_RECEIPT_MESSAGES`].
        limit: usize,
    },
}

/// A message that an earlier request appended under a key.
#[derive(Clone, Debug)]
pub(super) enum EarlierMessage {
    /// A stored one, as it was right after it was appended.
    Stored(Box<ChatMessage>),
    /// One of this batch: the index of its event.
    InBatch(usize),
}

/// A session that an earlier request opened under a key, as it was right after it was opened.
pub(super) type EarlierSession = (Fingerprint, ChatSession);
type MessageKey = (SessionId, UserId, IdempotencyKey);

/// The facts that decide about a batch. A store adds what it has loaded; what it does not add does not exist.
///
/// Sessions, keys of messages and people are in ordered maps: a batch is small, so that a few comparisons cost less than a
/// hash, which would be taken again for all of them each time that the map grows.
#[derive(Debug, Default)]
pub struct Facts {
    pub(super) sessions: BTreeMap<SessionId, Arc<ChatSession>>,
    blocked: HashSet<SessionId>,
    agents: HashMap<AgentId, bool>,
    opened: HashMap<(UserId, IdempotencyKey), EarlierSession>,
    open_sessions: HashMap<UserId, u64>,
    blocked_owners: HashSet<UserId>,
    appended: BTreeMap<MessageKey, (Fingerprint, EarlierMessage)>,
    condemned: HashSet<AttachmentId>,
    marked: HashSet<AttachmentId>,
    uploads: HashMap<AttachmentId, UnsentUpload>,
    people: BTreeMap<UserId, Arc<KnownPerson>>,
    messages: HashMap<SessionId, SessionMessages>,
}

#[derive(Debug, Default)]
struct SessionMessages {
    by_seq: BTreeMap<Seq, KnownMessage>,
    seqs: HashMap<MessageId, Seq>,
}

impl Facts {
    /// A session as it is stored, or as the store remembers it.
    pub fn add_session(&mut self, session: impl Into<Arc<ChatSession>>) {
        let session = session.into();
        self.sessions.insert(session.id, session);
    }

    /// A session that exists and that another transaction has locked. Its writes are not decided.
    pub fn add_blocked_session(&mut self, session_id: SessionId) {
        self.blocked.insert(session_id);
    }

    /// An agent of the directory.
    pub fn add_agent(&mut self, id: AgentId, is_active: bool) {
        self.agents.insert(id, is_active);
    }

    /// A session that was opened under a key, at any later time of it.
    pub fn add_opened(
        &mut self,
        creator: UserId,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
        session: &ChatSession,
    ) {
        self.opened.insert((creator, key), (fingerprint, session.as_opened()));
    }

    /// How many sessions a customer of [`LockSet::limited_owners`](super::LockSet::limited_owners) has open. To be
    /// added for each of them, also when it is none.
    pub fn add_open_sessions(&mut self, owner: UserId, count: u64) {
        self.open_sessions.insert(owner, count);
    }

    /// A customer for whom another transaction opens sessions within a limit. Their sessions are not opened.
    pub fn add_blocked_owner(&mut self, owner: UserId) {
        self.blocked_owners.insert(owner);
    }

    /// A message that was appended under a key, at any later time of it.
    pub fn add_appended(&mut self, key: IdempotencyKey, fingerprint: Fingerprint, message: ChatMessage) {
        let name = (message.session_id, message.author.clone(), key);
        self.appended.insert(name, (fingerprint, EarlierMessage::Stored(Box::new(message.as_sent()))));
    }

    /// A file of the batch that is marked as an orphan, and perhaps condemned: its bytes are gone, or will be.
    pub fn add_orphan(&mut self, file: AttachmentId, is_condemned: bool) {
        if is_condemned {
            self.condemned.insert(file)
        } else {
            self.marked.insert(file)
        };
    }

    /// A file of [`LockSet::uploads`](super::LockSet::uploads) that is registered, and not sent or removed by another
    /// transaction until the commit.
    pub fn add_upload(&mut self, upload: UnsentUpload) {
        self.uploads.insert(upload.attachment.id, upload);
    }

    /// A person of [`Self::people_needed`], as stored or as the node remembers them.
    pub fn add_person(&mut self, person: Arc<KnownPerson>) {
        self.people.insert(person.id().clone(), person);
    }

    /// The people who write, and those whom the events of the batch may show. To be asked once the sessions are added.
    pub fn people_needed(&self, writes: &[&SessionWrite]) -> BTreeSet<UserId> {
        let mut needed = BTreeSet::new();
        for write in writes {
            needed.insert(write.principal().id.clone());
            match write {
                SessionWrite::OpenSession(open) => {
                    needed.insert(open.session.owner.clone());
                }
                SessionWrite::ChangeSession(id, change) => {
                    needed.extend(change.action.receiving_agent().map(UserId::from));
                    needed.extend(self.sessions.get(id).into_iter().flat_map(|session| session.people()));
                }
                SessionWrite::AppendMessage(_)
                | SessionWrite::MarkRead(_)
                | SessionWrite::MarkReadUpTo(_)
                | SessionWrite::MarkDelivered(_) => {}
            }
        }
        needed
    }

    pub(super) fn person(&self, id: &UserId) -> Option<&Arc<KnownPerson>> {
        self.people.get(id)
    }

    /// A message that [`Self::messages_needed`] asked for.
    pub fn add_message(&mut self, session_id: SessionId, message: KnownMessage) {
        let messages = self.messages.entry(session_id).or_default();
        messages.seqs.insert(message.id, message.seq);
        messages.by_seq.insert(message.seq, message);
    }

    /// The sessions of the batch that another transaction has locked.
    pub(super) fn blocked_sessions(&self) -> &HashSet<SessionId> {
        &self.blocked
    }

    /// The messages that the receipts of the batch speak of. To be asked once the sessions are added.
    pub fn messages_needed(&mut self, writes: &[&SessionWrite]) -> Vec<MessagesNeeded> {
        let mut named: BTreeMap<SessionId, Vec<MessageId>> = BTreeMap::new();
        let mut spans: BTreeMap<(SessionId, bool, bool), MessagesNeeded> = BTreeMap::new();
        let mut receipts: HashMap<SessionId, usize> = HashMap::new();
        for write in writes {
            let session_id = match write {
                SessionWrite::MarkRead(write) => {
                    named.entry(write.session_id).or_default().extend(&write.messages);
                    write.session_id
                }
                SessionWrite::MarkReadUpTo(write) => {
                    self.span(write, ReceiptStatus::Read, &mut spans);
                    write.session_id
                }
                SessionWrite::MarkDelivered(write) => {
                    self.span(write, ReceiptStatus::Delivered, &mut spans);
                    write.session_id
                }
                SessionWrite::OpenSession(_) | SessionWrite::AppendMessage(_) | SessionWrite::ChangeSession(..) => {
                    continue;
                }
            };
            *receipts.entry(session_id).or_default() += 1;
            // Messages that the batch appends before the receipt are added to the session's messages.
            self.messages.entry(session_id).or_default();
        }
        named.retain(|session_id, _| self.sessions.contains_key(session_id));
        let mut needed: Vec<MessagesNeeded> = Vec::with_capacity(named.len() + spans.len());
        for (session_id, mut ids) in named {
            ids.sort_unstable();
            ids.dedup();
            needed.push(MessagesNeeded::Named { session_id, ids });
        }
        for mut span in spans.into_values() {
            if let MessagesNeeded::NotYet { session_id, limit, .. } = &mut span {
                *limit = MAX_RECEIPT_MESSAGES.saturating_mul(receipts.get(session_id).copied().unwrap_or(1));
            }
            needed.push(span);
        }
        needed
    }

    fn span(
        &self,
        write: &MarkUpTo,
        status: ReceiptStatus,
        spans: &mut BTreeMap<(SessionId, bool, bool), MessagesNeeded>,
    ) {
        let Some(session) = self.sessions.get(&write.session_id) else { return };
        let reader = session.party_of(&write.reader.id);
        let Some((after, until)) = span_up_to(session, reader, status, write.up_to) else { return };
        let name = (session.id, reader == Party::User, status == ReceiptStatus::Read);
        let new = MessagesNeeded::NotYet {
            session_id: session.id,
            sender: reader.other(),
            status,
            after,
            up_to: until,
            limit: MAX_RECEIPT_MESSAGES,
        };
        match spans.entry(name).or_insert(new) {
            MessagesNeeded::NotYet { up_to, .. } => *up_to = until.max(*up_to),
            MessagesNeeded::Named { .. } => {}
        }
    }

    /// Whether an agent is in the directory and active; `None` when they are not in it.
    pub(super) fn is_active(&self, agent: &AgentId) -> Option<bool> {
        self.agents.get(agent).copied()
    }

    pub(super) fn opened(&self, creator: &UserId, key: &IdempotencyKey) -> Option<&EarlierSession> {
        // Looked up by value: few requests open a session, and fewer repeat a key.
        if self.opened.is_empty() { None } else { self.opened.get(&(creator.clone(), key.clone())) }
    }

    pub(super) fn note_opened(
        &mut self,
        creator: UserId,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
        session: ChatSession,
    ) {
        self.opened.insert((creator, key), (fingerprint, session));
    }

    /// How many sessions a customer has open at this point of the batch, if the batch opens some within a limit.
    pub(super) fn open_sessions(&self, owner: &UserId) -> u64 {
        self.open_sessions.get(owner).copied().unwrap_or(0)
    }

    pub(super) fn is_blocked_owner(&self, owner: &UserId) -> bool {
        self.blocked_owners.contains(owner)
    }

    pub(super) fn note_open_session(&mut self, owner: &UserId) {
        if let Some(count) = self.open_sessions.get_mut(owner) {
            *count += 1;
        }
    }

    pub(super) fn note_closed_session(&mut self, owner: &UserId) {
        if let Some(count) = self.open_sessions.get_mut(owner) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn appended(&self, name: &MessageKey) -> Option<&(Fingerprint, EarlierMessage)> {
        self.appended.get(name)
    }

    pub(super) fn note_appended(&mut self, name: MessageKey, fingerprint: Fingerprint, event: usize) {
        self.appended.insert(name, (fingerprint, EarlierMessage::InBatch(event)));
    }

    pub(super) fn is_condemned(&self, file: AttachmentId) -> bool {
        self.condemned.contains(&file)
    }

    pub(super) fn is_marked(&self, file: AttachmentId) -> bool {
        self.marked.contains(&file)
    }

    /// The files of a message. Uploads of other people, of other sessions, unknown ones and those that were sent or
    /// removed are refused alike.
    pub(super) fn attachments_of(&self, draft: &MessageDraft) -> Result<Vec<Attachment>, Invalid> {
        let (ids, max_bytes) = match &draft.attachments {
            DraftAttachments::Staged(files) => return Ok(files.clone()),
            DraftAttachments::Uploaded { ids, max_bytes } => (ids, *max_bytes),
        };
        let mut files = Vec::with_capacity(ids.len());
        for (index, id) in (0..).zip(ids) {
            let own =
                |upload: &&UnsentUpload| upload.uploader == draft.author.id && upload.session_id == draft.session_id;
            let upload = self.uploads.get(id).filter(own);
            let upload = upload.ok_or_else(|| Invalid::new(FieldPath::ATTACHMENT_IDS.at(index), UNSENT_UPLOAD))?;
            files.push(upload.attachment.clone());
        }
        if files.iter().map(|file| file.object.size).fold(0, u64::saturating_add) > max_bytes {
            let rule = format!("must be files of at most {max_bytes} bytes together");
            return Err(Invalid::new(FieldPath::ATTACHMENT_IDS, rule));
        }
        Ok(files)
    }

    pub(super) fn note_sent_uploads(&mut self, ids: &[AttachmentId]) {
        for id in ids {
            self.uploads.remove(id);
        }
    }

    /// Adds a message that the batch appends, if a receipt of the batch may speak of it.
    pub(super) fn note_message(&mut self, message: &ChatMessage) {
        if let Some(messages) = self.messages.get_mut(&message.session_id) {
            let known = KnownMessage {
                id: message.id,
                seq: message.seq,
                sender: message.sender,
                is_delivered: false,
                is_read: false,
            };
            messages.seqs.insert(known.id, known.seq);
            messages.by_seq.insert(known.seq, known);
        }
    }

    pub(super) fn message(&self, session_id: SessionId, id: MessageId) -> Option<&KnownMessage> {
        let messages = self.messages.get(&session_id)?;
        messages.by_seq.get(messages.seqs.get(&id)?)
    }

    /// The known messages above `after` up to `until`, oldest first.
    pub(super) fn messages_between(
        &self,
        session_id: SessionId,
        after: Seq,
        until: Seq,
    ) -> impl Iterator<Item = &KnownMessage> {
        let messages = self.messages.get(&session_id).filter(|_| after < until);
        messages
            .into_iter()
            .flat_map(move |messages| messages.by_seq.range(after.next()..=until))
            .map(|(_, known)| known)
    }

    /// Notes that the messages at these positions have come this far.
    pub(super) fn note_receipt(&mut self, session_id: SessionId, status: ReceiptStatus, seqs: &[Seq]) {
        let Some(messages) = self.messages.get_mut(&session_id) else { return };
        for seq in seqs {
            if let Some(message) = messages.by_seq.get_mut(seq) {
                message.is_delivered = true;
                message.is_read |= status == ReceiptStatus::Read;
            }
        }
    }
}

/// The positions, above the first and up to the second, among which messages for `reader` can be that have not reached
/// this status; `None` when there can be none.
pub(super) fn span_up_to(
    session: &ChatSession,
    reader: Party,
    status: ReceiptStatus,
    up_to: Seq,
) -> Option<(Seq, Seq)> {
    let after = match status {
        ReceiptStatus::Read => session.read_watermark(reader),
        ReceiptStatus::Delivered => session.delivery_watermark(reader),
    };
    // A message that does not exist yet has been neither received nor read.
    let until = up_to.min(session.progress.last_seq);
    // What was read has been delivered.
    (after < until && session.unread_by(reader) > 0).then_some((after, until))
}
