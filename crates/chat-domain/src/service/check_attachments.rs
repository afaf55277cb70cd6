//! Compare the stored files with the messages that refer to them. Changes nothing, and runs beside a server.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::model::{AttachmentId, Timestamp};
use crate::ports::{AttachmentStore, Clock, MessageRepository, OrphanRegistry};

/// How many files are looked at together, so that memory does not grow with their number.
const BATCH: usize = 500;

/// A file that is not simply there with its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A message refers to it, and it is not there.
    Missing(AttachmentId),
    /// No message refers to it, and it will be removed.
    Marked(AttachmentId, Timestamp),
    /// No message refers to it, it is old, and it is not marked yet.
    Unknown(AttachmentId),
}

/// How many files there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckedAttachments {
    /// Files that messages refer to.
    pub referenced: u64,
    /// Those of them that are not there.
    pub missing: u64,
    /// Stored files that no message refers to and that are marked.
    pub marked: u64,
    /// Stored files that no message refers to and that are not marked, although they are old.
    pub unknown: u64,
}

/// Checks the stored files.
#[derive(Clone)]
pub struct AttachmentCheck {
    /// The files.
    pub attachments: Arc<dyn AttachmentStore>,
    /// The messages that refer to them.
    pub messages: Arc<dyn MessageRepository>,
    /// What is known of orphans.
    pub registry: Arc<dyn OrphanRegistry>,
    /// How old files are.
    pub clock: Arc<dyn Clock>,
    /// How old a file is at least when it counts as unknown: the message of a younger one may be on its way.
    pub mark_after: Duration,
}

impl AttachmentCheck {
    /// Hands every finding to `report` as it is found, and counts them.
    ///
    /// # Errors
    /// What the stores or `report` fail with.
    pub async fn run(&self, report: &mut dyn FnMut(Finding) -> Result<()>) -> Result<CheckedAttachments> {
        let mut checked = CheckedAttachments::default();
        self.find_missing(&mut checked, report).await?;
        self.find_unreferenced(&mut checked, report).await?;
        Ok(checked)
    }

    async fn find_missing(
        &self,
        checked: &mut CheckedAttachments,
        report: &mut dyn FnMut(Finding) -> Result<()>,
    ) -> Result<()> {
        let mut stored = Listing::of(self.attachments.as_ref());
        let mut after = None;
        loop {
            let referenced = self.registry.referenced(after, BATCH).await?;
            let Some(last) = referenced.last().copied() else { return Ok(()) };
            after = Some(last);
            for id in referenced {
                checked.referenced += 1;
                // The listing may be older than the message: only what cannot be opened either is missing.
                if !stored.has(id).await? && self.attachments.open(id, None).await?.is_none() {
                    checked.missing += 1;
                    report(Finding::Missing(id))?;
                }
            }
        }
    }

    async fn find_unreferenced(
        &self,
        checked: &mut CheckedAttachments,
        report: &mut dyn FnMut(Finding) -> Result<()>,
    ) -> Result<()> {
        let before = self.clock.now().minus(self.mark_after);
        let mut after = None;
        loop {
            let stored = self.attachments.stored_before(before, after, BATCH).await?;
            let Some(last) = stored.last().copied() else { return Ok(()) };
            after = Some(last);
            let unknown = self.messages.unknown_attachments(stored).await?;
            if unknown.is_empty() {
                continue;
            }
            let mut marks = self.registry.marked(unknown.clone()).await?;
            marks.sort_unstable_by_key(|mark| mark.id);
            for id in unknown {
                let mark = marks.binary_search_by_key(&id, |mark| mark.id).ok().and_then(|at| marks.get(at));
                let finding = match mark {
                    Some(mark) => Finding::Marked(id, mark.marked_at),
                    None => Finding::Unknown(id),
                };
                match finding {
                    Finding::Marked(..) => checked.marked += 1,
                    Finding::Unknown(_) | Finding::Missing(_) => checked.unknown += 1,
                }
                report(finding)?;
            }
        }
    }
}

/// All stored files in ascending order, a page at a time, asked for ids that ascend too.
struct Listing<'a> {
    attachments: &'a dyn AttachmentStore,
    page: std::vec::IntoIter<AttachmentId>,
    /// The next file that was not asked for yet.
    head: Option<AttachmentId>,
    last: Option<AttachmentId>,
    ended: bool,
}

impl<'a> Listing<'a> {
    fn of(attachments: &'a dyn AttachmentStore) -> Self {
        Self { attachments, page: Vec::new().into_iter(), head: None, last: None, ended: false }
    }

    async fn has(&mut self, id: AttachmentId) -> Result<bool> {
        while !self.ended && self.head.is_none_or(|head| head < id) {
            self.advance().await?;
        }
        Ok(self.head == Some(id))
    }

    async fn advance(&mut self) -> Result<()> {
        self.head = self.page.next();
        if self.head.is_none() {
            let everything = Timestamp::from_unix_ms(i64::MAX);
            let page = self.attachments.stored_before(everything, self.last, BATCH).await?;
            self.last = page.last().copied();
            self.ended = self.last.is_none();
            self.page = page.into_iter();
            self.head = self.page.next();
        }
        Ok(())
    }
}
