//! Clients that a service must survive: that connect and go, that flood, that never read, that fall silent, that stop in
//! the middle of an upload.
//!
//! Each is a function that a test of a service can call as well as the command line. They must run inside a `LocalSet`.

mod abort;
mod catch_up;
mod flood;
mod occupy;
mod stall;
mod uploads;

pub use abort::{AbortPlan, AbortReport, Ending, Phase, abort};
pub use catch_up::{CatchUpPlan, CatchUpReport, catch_up};
pub use flood::{Flood, FloodPlan, FloodReport, flood};
pub use occupy::{Occupation, OccupyPlan, OccupyReport, occupy};
pub use stall::{StallPlan, StallReport, stall};
pub use uploads::{UploadPlan, UploadProgress, UploadReport, uploads};
