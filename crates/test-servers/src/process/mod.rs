//! What all throwaway servers share: the account that they run as, their directory, their port, their
//! certificate, and their end.

mod account;
mod certificates;
mod ports;
mod programs;
mod server_process;
mod watchdog;

pub(crate) use account::{Account, remove_postgres_variables, run};
pub(crate) use certificates::Certificates;
pub(crate) use ports::{BELOW_EPHEMERAL, free_port, start_on_free_port};
pub(crate) use programs::Programs;
pub(crate) use server_process::ServerProcess;
pub(crate) use watchdog::{ThrowawayDirectory, Watchdog};
