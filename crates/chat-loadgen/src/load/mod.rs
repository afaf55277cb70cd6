//! Load: many connections that send one kind of request, in a closed or an open loop.
//!
//! In a closed loop a connection sends its next request when it has the answer to the last one, so a slow service is
//! asked less. In an open loop requests are due on a fixed schedule, whatever the service does; their latency counts
//! from when they were due.

mod pacer;
mod plan;
mod run;
mod schedule;
mod worker;

pub use plan::{Plan, Stop, Work};
pub use run::run;
pub use schedule::Schedule;
