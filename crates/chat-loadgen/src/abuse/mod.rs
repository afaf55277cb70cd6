//! Clients that a service must survive: that connect and leave, that flood, that fall silent, that stop in the middle
//! of an upload, that are slow. What is not the protocol is written to raw TCP connections.
//!
//! Each is a function that a test of a service can call as well as the command line. They must run inside a `LocalSet`.

mod abort;
mod flood;
mod occupy;
mod slow;

pub use abort::{AbortPhase, AbortReport, abort};
pub use flood::{FloodFrames, FloodOptions, FloodReport, flood};
pub use occupy::{HeldRequest, OccupyPlan, OccupyProgress, OccupyReport, occupy, upload_request};
pub use slow::{SlowKind, SlowPlan, SlowReport, slow, store_file};
