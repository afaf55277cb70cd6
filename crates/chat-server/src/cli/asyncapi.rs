//! `asyncapi`: the description of the socket for tools.

use std::io::Write;

/// Prints the AsyncAPI document as JSON.
///
/// # Errors
/// The output cannot be written.
pub(super) fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", chat_http::asyncapi_json().trim_end())?)
}
