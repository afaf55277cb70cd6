//! Tickets on the wire.

use chat_domain::model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::display;

/// Opens one socket of one session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SocketTicket)]
pub(crate) struct TicketDto<'a> {
    /// 43 characters for `?ticket=`. To be kept secret; it works once.
    #[schema(example = "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs")]
    pub(crate) ticket: &'a str,
    /// From when on it opens nothing. RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:31.000Z")]
    pub(crate) expires_at: Timestamp,
}

/// Authorises downloads.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DownloadTicket)]
pub(crate) struct DownloadTicketDto<'a> {
    /// Text for `?ticket=` behind the address of an attachment, which needs no escaping. To be kept secret.
    #[schema(
        example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"
    )]
    pub(crate) ticket: &'a str,
    /// From when on it opens nothing. RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:20:01.000Z")]
    pub(crate) expires_at: Timestamp,
}
