//! The address under which clients reach this service.

use actix_web::HttpRequest;

use crate::forwarding::{ClientScheme, ClientView};
use crate::settings::HttpSettings;

/// The beginning of the addresses in responses, before the path and without a slash at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    /// The configured address, else the address to which the client has sent the request: behind a trusted proxy, the
    /// proxy's.
    pub(crate) fn of(request: &HttpRequest, settings: &HttpSettings) -> Self {
        if let Some(url) = &settings.public_url {
            return Self(url.clone());
        }
        let view = ClientView::of(request, &settings.proxies);
        let ClientView { scheme, prefix, .. } = view;
        // Without a usable Host header the addresses are relative to the server.
        let Some(host) = view.host() else { return Self(prefix.to_owned()) };
        Self(format!("{}://{host}{prefix}", scheme.unwrap_or(ClientScheme::Http).as_str()))
    }

    /// The address, unless it is only known to be that of the server.
    pub(crate) fn as_absolute(&self) -> Option<&str> {
        self.0.contains("://").then_some(self.0.as_str())
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn join(&self, path: impl std::fmt::Display) -> String {
        format!("{}{path}", self.0)
    }
}

/// The origin as which the client reaches this server, whatever address the operator has set.
pub(crate) fn client_origin(request: &HttpRequest, settings: &HttpSettings) -> Option<String> {
    let view = ClientView::of(request, &settings.proxies);
    view.host().map(|host| format!("{}://{host}", view.scheme.unwrap_or(ClientScheme::Http).as_str()))
}
