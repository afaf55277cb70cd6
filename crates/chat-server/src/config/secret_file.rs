//! Options whose value is a secret: given as they are, or in a file, as Docker, Kubernetes and systemd hand secrets to a
//! program.

use std::path::Path;

use super::{ConfigError, bounded_file};

/// More than any secret has.
const MAX_BYTES: u64 = 64 * 1024;
/// How such a file is made.
const EXAMPLE: &str = "such as `printf %s \"$SECRET\" > /run/secrets/chat` writes";

/// The value of `option`, which the option itself has or the file that `file_option` names. One newline at the end of the
/// file does not count.
///
/// # Errors
/// Both are set, or the file cannot be read as text, or is empty.
pub(super) fn value_or_file(
    option: &'static str,
    value: Option<&str>,
    file_option: &'static str,
    file: Option<&Path>,
) -> Result<Option<String>, ConfigError> {
    let Some(file) = file else { return Ok(value.map(str::to_owned)) };
    let refused = |problem: String| ConfigError::new(file_option, problem);
    if value.is_some() {
        return Err(refused(format!(
            "must not be set beside {}; leave one of the two out",
            ConfigError::name_of(option)
        )));
    }
    let bytes = bounded_file::read(file, MAX_BYTES).map_err(|error| {
        refused(format!(
            "must name a file of at most {} KiB that can be read, such as /run/secrets/{file_option}: {error}",
            MAX_BYTES >> 10
        ))
    })?;
    // The bytes are not repeated.
    let text =
        String::from_utf8(bytes).map_err(|_| refused(format!("must name a file of text in UTF-8, {EXAMPLE}")))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(refused(format!("must name a file that is not empty, {EXAMPLE}")));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(content: &[u8]) -> Result<Option<String>, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, content).unwrap();
        value_or_file("jwt_secret", None, "jwt_secret_file", Some(&path))
    }

    #[test]
    fn one_newline_at_the_end_of_a_secret_file_does_not_count() {
        for (content, value) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret\n\n", "secret\n"),
            (" \n", " "),
        ] {
            assert_eq!(read(content.as_bytes()), Ok(Some(value.to_owned())), "{content:?}");
        }
    }

    #[test]
    fn a_secret_file_that_cannot_be_used_is_refused_by_its_option() {
        for content in [b"".as_slice(), b"\n", b"\r\n", b"can\xffary"] {
            let refusal = read(content).unwrap_err().to_string();
            assert!(refusal.starts_with("--jwt-secret-file (CHAT_JWT_SECRET_FILE): must name a file"), "{refusal}");
            assert!(!refusal.contains("ary"), "{refusal}");
        }
        let missing = value_or_file("jwt_secret", None, "jwt_secret_file", Some(Path::new("no/such/file")));
        assert!(missing.unwrap_err().to_string().contains("can be read"));
        let endless = value_or_file("jwt_secret", None, "jwt_secret_file", Some(Path::new("/dev/zero")));
        let refusal = endless.unwrap_err().to_string();
        assert!(refusal.contains("CHAT_JWT_SECRET_FILE") && refusal.contains("at most 64 KiB"), "{refusal}");
        assert_eq!(read("a".repeat(64 * 1024).as_bytes()).unwrap().map(|secret| secret.len()), Some(64 * 1024));
        let both = value_or_file("jwt_secret", Some("canary"), "jwt_secret_file", Some(Path::new("no/such/file")));
        let refusal = both.unwrap_err().to_string();
        assert!(refusal.contains("--jwt-secret-file (CHAT_JWT_SECRET_FILE)"), "{refusal}");
        assert!(refusal.contains("--jwt-secret (CHAT_JWT_SECRET)") && !refusal.contains("canary"), "{refusal}");
    }
}
