//! A throwaway identity provider: it signs tokens, and publishes its keys and a discovery document as `OpenID` Connect
//! providers do. It fails on request: [`Behaviour`].

mod provider;
mod signing_key;

pub use provider::{Behaviour, IdentityProvider};
pub use signing_key::TokenSigningKey;
