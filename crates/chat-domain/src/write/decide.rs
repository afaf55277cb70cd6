//! The decision: each write of a batch in turn, on the facts and on what the writes before it have done.

use super::{
    SessionWrite, WriteBatch, WriteReply, append_message, change_session, mark_delivered, mark_read, mark_read_up_to,
    open_session,
};
use crate::error::Result;

impl WriteBatch {
    /// Decides one write, after all those that were decided before. Pure: the same facts and writes give the same result.
    ///
    /// A refused write has no effects. Every write refuses in the same order: `NotFound(Session)`;
    /// `Forbidden(AgentDeactivated)`; what `policy::authorize` refuses; a reused idempotency key; `LimitReached`;
    /// `NotFound(Agent)`; `Invalid`; what the state of the session does not allow; a file that was collected.
    ///
    /// # Errors
    /// Why the write is refused.
    pub fn decide(&mut self, write: &SessionWrite) -> Result<WriteReply> {
        let events_before = self.event_count();
        let reply = match write {
            SessionWrite::OpenSession(write) => open_session::decide(self, write).map(WriteReply::Opened),
            SessionWrite::AppendMessage(draft) => append_message::decide(self, draft).map(WriteReply::Appended),
            SessionWrite::ChangeSession(id, change) => {
                change_session::decide(self, *id, change).map(WriteReply::Changed)
            }
            SessionWrite::MarkRead(write) => mark_read::decide(self, write).map(WriteReply::Receipt),
            SessionWrite::MarkReadUpTo(write) => mark_read_up_to::decide(self, write).map(WriteReply::Receipt),
            SessionWrite::MarkDelivered(write) => mark_delivered::decide(self, write).map(WriteReply::Receipt),
        }?;
        // Only beside a change: what is refused or repeated writes nothing.
        if self.event_count() != events_before {
            self.record_person(write.principal(), write.at());
        }
        Ok(reply)
    }
}
