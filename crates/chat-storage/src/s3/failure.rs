//! What goes wrong with S3, and what that means to the caller.

use chat_domain::ChatError;

/// Why a request to S3 failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum S3Failure {
    /// There is no such object.
    Missing,
    /// A condition did not hold: an object is there, or it is another object than expected.
    Condition,
    /// There is no room.
    Full(String),
    /// The service cannot be reached, is too slow, or refuses; whether it has done the request is not known.
    Unavailable(String),
    /// The request cannot succeed, whenever it is repeated.
    Unexpected(String),
}

/// Codes with which services say that they have no room: a quota of Ceph or of Garage, a full disk of `MinIO`.
const FULL: [&str; 4] = ["QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"];

/// How much of an error's text is kept.
const MOST_CHARS: usize = 300;

impl S3Failure {
    /// For the log. `doing` says what was attempted; no body of a response gets into the error.
    pub(super) fn into_error(self, doing: &'static str) -> ChatError {
        match self {
            Self::Full(_) => ChatError::StorageFull,
            Self::Unavailable(reason) => ChatError::unavailable(format!("cannot {doing}: {reason}")),
            Self::Missing => ChatError::internal(format!("cannot {doing}: it is missing")),
            Self::Condition => ChatError::internal(format!("cannot {doing}: another one is there")),
            Self::Unexpected(reason) => ChatError::internal(format!("cannot {doing}: {reason}")),
        }
    }

    /// In words, for an operator.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Missing => "it is missing".to_owned(),
            Self::Condition => "another object is there".to_owned(),
            Self::Full(reason) | Self::Unavailable(reason) | Self::Unexpected(reason) => reason.clone(),
        }
    }
}

impl From<object_store::Error> for S3Failure {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error;
        let text = error.to_string();
        let code = code(&text);
        if code.is_some_and(|code| FULL.contains(&code)) || text.contains("status code: 507") {
            return Self::Full(describe(&text, code));
        }
        match error {
            Error::NotFound { .. } if code == Some("NoSuchBucket") => {
                Self::Unavailable("the bucket does not exist".to_owned())
            }
            Error::NotFound { .. } => Self::Missing,
            Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => Self::Condition,
            Error::Generic { .. } if is_final(&text) => Self::Unexpected(describe(&text, code)),
            Error::Generic { .. } | Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                Self::Unavailable(describe(&text, code))
            }
            _ => Self::Unexpected(describe(&text, code)),
        }
    }
}

/// Whether the request asks for bytes that the object does not have. `object_store` keeps the type of these errors to
/// itself.
///
/// Any other refusal, such as 400 for a wrong region or 501 for uploads in parts, is a matter of the service and its
/// settings: an operator changes them, and no caller is to blame.
fn is_final(text: &str) -> bool {
    ["status code: 416", "Requested "].iter().any(|part| text.contains(part))
}

/// The code in the body of a response.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

/// The error's text without the body of the response, which may repeat what the request was signed with.
fn describe(text: &str, code: Option<&str>) -> String {
    let before = text.split('<').next().unwrap_or_default().trim_end_matches([':', ' ']);
    let short: String = before.chars().take(MOST_CHARS).collect();
    match code {
        Some(code) => format!("{short} ({})", code.chars().take(60).collect::<String>()),
        None => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> S3Failure {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }.into()
    }

    #[test]
    fn a_body_that_repeats_a_signature_does_not_get_into_the_text() {
        let text = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNot\
                    Match</Code><CanonicalRequest>x-amz-security-token:canary</CanonicalRequest></Error>";
        let S3Failure::Unavailable(reason) = generic(text) else { panic!("not unavailable") };
        assert!(reason.ends_with("status code: 403 Forbidden (SignatureDoesNotMatch)"), "{reason}");
        assert!(!reason.contains("canary"));
    }

    #[test]
    fn services_say_in_several_ways_that_they_are_full() {
        for text in [
            "Server returned non-2xx status code: 507 Insufficient Storage: ",
            "status code: 403 Forbidden: <Error><Code>QuotaExceeded</Code></Error>",
            "status code: 507: <Error><Code>XMinioStorageFull</Code></Error>",
        ] {
            let failure = generic(text);
            assert!(matches!(failure, S3Failure::Full(_)), "{text}");
            assert!(matches!(failure.into_error("store"), ChatError::StorageFull));
        }
    }

    #[test]
    fn transient_failures_are_unavailable_and_lasting_ones_internal() {
        for text in [
            "HTTP error: error sending request",
            "status code: 501 Not Implemented: <Error><Code>NotImplemented</Code></Error>",
            "status code: 405 Method Not Allowed: ",
            "status code: 400 Bad Request: <Error><Code>AuthorizationHeaderMalformed</Code></Error>",
            "status code: 400 Bad Request: <Error><Code>ExpiredToken</Code></Error>",
        ] {
            let unavailable = generic(text);
            assert!(matches!(unavailable.into_error("read"), ChatError::Unavailable { .. }), "{text}");
        }
        let wrong = generic("status code: 416 Range Not Satisfiable: ");
        assert!(matches!(wrong.into_error("read"), ChatError::Internal(_)));
    }
}
