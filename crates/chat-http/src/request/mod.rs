//! Reads requests strictly: JSON bodies, query strings, headers, paths, multipart uploads.
//!
//! Broken rules are collected here. The use case reports them, after it has checked the right of the caller.

mod arrival;
mod encoded_words;
mod form_field;
mod idempotency;
mod json_body;
mod message_form;
mod multipart;
mod pace;
mod path;
mod query;
mod range;
mod small_pieces;
mod upload;
mod version;

pub(crate) use arrival::receive;
pub(crate) use idempotency::idempotency_key;
pub(crate) use json_body::{JsonBody, MAX_JSON_BYTES, OptionalJsonBody, read_json};
pub(crate) use message_form::message_form;
pub(crate) use multipart::is_multipart;
pub(crate) use pace::{MIN_BYTES_PER_SECOND, PACE_WINDOW};
pub(crate) use path::{agent_id, attachment_id, person_id, session_id};
pub(crate) use query::{INBOX_VIEWS, NoInput, Query, THUMBNAIL_SIZES};
pub(crate) use range::{RangeRequest, requested_range};
pub(crate) use upload::{announced_length, announced_size, read_upload};
pub(crate) use version::{expected_version, version_tag};
