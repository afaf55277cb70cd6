//! Clients that a service must survive: who connect and go, who flood, who never read.
//!
//! Each is a function that a test of a service can call as well as the command line. They must run inside a `LocalSet`.

mod abort;
mod flood;
mod stall;

pub use abort::{AbortPlan, AbortReport, Ending, Phase, abort};
pub use flood::{Flood, FloodPlan, FloodReport, flood};
pub use stall::{StallPlan, StallReport, stall};
