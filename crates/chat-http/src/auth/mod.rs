//! Who is calling: the bearer token of a request, or the ticket that stands for one, and the person it names.

mod caller;
mod claims;
mod remembered_tokens;
mod sign;
mod socket_caller;
mod ticket;
mod token;
mod unmapped_roles;

pub(crate) use caller::Caller;
pub use sign::{SignError, TokenClaims, sign_hs256};
pub(crate) use socket_caller::SocketCaller;
pub(crate) use ticket::Ticket;
pub use token::{TokenError, TokenRules, TokenVerifier, VerifiedToken};
