//! Reads requests strictly: JSON bodies, query strings, headers, paths, multipart uploads.
//!
//! What is wrong is collected here and told by the use case, after it has checked that the caller may hear it.

mod base_url;
mod encoded_words;
mod form_field;
mod idempotency;
mod json_body;
mod multipart;
mod path;
mod problems;
mod query;
mod range;
mod small_pieces;

pub(crate) use base_url::BaseUrl;
pub(crate) use idempotency::idempotency_key;
pub(crate) use json_body::{JsonBody, OptionalJsonBody, read_json};
pub(crate) use multipart::{is_multipart, receive_message};
pub(crate) use path::{agent_id, attachment_id, session_id};
pub(crate) use problems::Problems;
pub(crate) use query::{NoInput, Query};
pub(crate) use range::{RangeRequest, requested_range};
