//! The keys of an identity provider: fetched over HTTPS from where it publishes them, and kept current.

mod fetch;
mod kept_keys;
mod location;
mod public_address;
mod remote_key_set;
mod schedule;
mod trust;

pub use fetch::KeySetError;
pub use location::KeySetLocation;
pub use remote_key_set::{KeySetSettings, RemoteKeySet};
