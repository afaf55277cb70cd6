//! Who is calling: the bearer token of a request, or the ticket that stands for one, and the person it names.

mod caller;
mod download_caller;
mod socket_caller;
mod ticket;

pub(crate) use caller::{Caller, person};
pub(crate) use download_caller::DownloadCaller;
pub(crate) use socket_caller::SocketCaller;
pub(crate) use ticket::TicketText;
