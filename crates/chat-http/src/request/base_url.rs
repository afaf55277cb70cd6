//! The address under which clients reach this service.

use actix_web::HttpRequest;
use actix_web::http::header::HOST;

use crate::HttpSettings;

/// What stands before a path in the addresses that are given out, without a slash at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    /// The configured address, else the one the request was sent to. Forwarding headers are not believed; whoever runs
    /// a proxy configures the address.
    pub(crate) fn of(request: &HttpRequest, settings: &HttpSettings) -> Self {
        if let Some(url) = &settings.public_url {
            return Self(url.clone());
        }
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_authority(host));
        // Without a usable Host header the addresses are relative to the server.
        Self(host.map(|host| format!("http://{host}")).unwrap_or_default())
    }

    /// The address, unless it is only known to be that of the server.
    pub(crate) fn as_absolute(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn join(&self, path: impl std::fmt::Display) -> String {
        format!("{}{path}", self.0)
    }
}

/// Whether the text can be a host with a port (RFC 3986, 3.2), without user names or anything else.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}
