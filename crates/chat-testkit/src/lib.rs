//! What the tests of this workspace share: fakes of every port, fixtures, and the contract suites that each adapter
//! of a port must pass. Nothing here is shipped; other crates name it as a dev-dependency only.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test support: a failed expectation is a failed test"
)]

pub mod clock;
pub mod contract;
pub mod fixtures;
pub mod ids;
pub mod latch;
pub mod media;
pub mod memory;
pub mod notifier;
pub mod replacements;
pub mod source;

pub use clock::FixedClock;
pub use ids::SequentialIds;
pub use memory::{FewTickets, MemoryAttachmentStore, MemoryConnections, MemoryStore};
pub use notifier::RecordingNotifier;
pub use replacements::Replacements;
