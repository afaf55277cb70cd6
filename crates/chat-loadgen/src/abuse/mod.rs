//! Clients that a service must survive: that connect and go, that flood, that never read, that fall silent.
//!
//! Each is a function that a test of a service can call as well as the command line. They must run inside a `LocalSet`.

mod abort;
mod flood;
mod occupy;
mod stall;

pub use abort::{AbortPlan, AbortReport, Ending, Phase, abort};
pub use flood::{Flood, FloodPlan, FloodReport, flood};
pub use occupy::{Occupation, OccupyPlan, OccupyReport, occupy};
pub use stall::{StallPlan, StallReport, stall};
