//! What a database remembers of stored files that no message refers to. A file that waits to be sent (`UploadRegistry`)
//! counts here as if a message referred to it.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{AttachmentId, DatabaseInstance, Generation, Generations, OrphanMark, Timestamp};

/// What became of files that were to be marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marking {
    /// How many have a mark that had none.
    pub marked: usize,
    /// Those that are condemned already: a process that crashed has left their bytes.
    pub condemned: Vec<AttachmentId>,
}

/// Remembers which files are orphans, from the first sight of them until long after their bytes are gone.
///
/// A message that refers to a marked file MUST take the mark away in the transaction that stores the message. A message
/// that refers to a condemned file MUST be refused as `Unavailable`, changing nothing: its bytes are gone, or will be.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait OrphanRegistry: Send + Sync {
    /// Begins a round, which ends when it is dropped. `None` while another round goes on: there MUST be one round at a
    /// time on a database, whatever the number of nodes.
    async fn begin_round(&self) -> Result<Option<Box<dyn OrphanRound>>>;

    /// Those of `ids` that are marked and not condemned, in no order.
    async fn marked(&self, ids: Vec<AttachmentId>) -> Result<Vec<OrphanMark>>;

    /// The files that messages refer to, at most `limit`, in ascending order, starting right after `after`.
    async fn referenced(&self, after: Option<AttachmentId>, limit: usize) -> Result<Vec<AttachmentId>>;
}

/// A round of collecting. Everything is asked of the side of the database that writes; when the connection to it is
/// lost, every method fails, since another node may be in a round by then.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait OrphanRound: Send {
    /// Which database this is.
    async fn database(&mut self) -> Result<DatabaseInstance>;

    /// What it remembers of its rounds.
    async fn generations(&mut self) -> Result<Generations>;

    /// Remembers `next` as the round that is to be written beside the files, in place of the next round that it
    /// remembered.
    async fn announce(&mut self, next: Generation) -> Result<()>;

    /// Remembers `current` as the round that is written beside the files, and no next one.
    async fn confirm(&mut self, current: Generation) -> Result<()>;

    /// Marks those of `ids` that no message refers to and that have no mark.
    async fn mark(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Marking>;

    /// Files marked before `before` and not condemned, at most `limit`, in ascending order, starting right after `after`.
    async fn due(&mut self, before: Timestamp, after: Option<OrphanMark>, limit: usize) -> Result<Vec<OrphanMark>>;

    /// Condemns those of `ids` that are marked and that no message refers to, and returns them. From then on no message
    /// can refer to them; one whose transaction has begun before MUST have ended and be seen. The marks of others that
    /// messages refer to MUST be taken away.
    /// While messages with files are on their way, all of `ids` MAY be left as they are, and none is returned.
    async fn condemn(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Vec<AttachmentId>>;

    /// Files condemned before `before`, at most `limit`.
    async fn condemned(&mut self, before: Timestamp, limit: usize) -> Result<Vec<AttachmentId>>;

    /// Forgets condemned files.
    async fn forget(&mut self, ids: Vec<AttachmentId>) -> Result<()>;

    /// Takes away the marks of all files that are not condemned.
    async fn unmark_all(&mut self) -> Result<()>;
}
