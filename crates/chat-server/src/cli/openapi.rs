//! `openapi`: the description of the API for tools.

use std::io::Write;

/// Prints the OpenAPI document as JSON.
///
/// # Errors
/// The output cannot be written.
pub(super) fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", chat_http::openapi_json().trim_end())?)
}
