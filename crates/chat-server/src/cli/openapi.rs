//! `openapi`: the description of the API for tools.

use std::io::Write;

/// Prints the OpenAPI document as JSON, for clients that reach the API at `public_url`.
///
/// # Errors
/// The output cannot be written.
pub(super) fn run(public_url: Option<&str>, out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", chat_http::openapi_json(public_url).trim_end())?)
}
