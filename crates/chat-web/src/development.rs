//! The people of development mode, with their tokens, for the console's sign-in and the demo.
//!
//! Only a page of this server, opened at a name of this machine, gets them. A page elsewhere can make its own name point at
//! 127.0.0.1 (DNS rebinding): to the browser it is then of the same origin as this server, and only the name in `Host`
//! shows it. A page at another port of this machine is of another origin, and `Origin` and `Sec-Fetch-Site` show that. An
//! origin in `CHAT_CORS_ORIGINS` may use the API, and still does not get tokens.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, HOST, HeaderMap, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::web_origin::split_port;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A person as whom one may sign in.
#[derive(Clone, Debug, Serialize)]
pub struct DevelopmentPerson {
    /// The `sub` of the token.
    pub id: String,
    /// `user`, `agent` or `admin`.
    pub role: String,
    /// Their token.
    pub token: String,
}

/// Makes the people with new tokens; `None` if it cannot.
pub type DevelopmentPeople = Arc<dyn Fn() -> Option<Vec<DevelopmentPerson>> + Send + Sync>;

#[derive(Serialize)]
struct PeopleBody {
    people: Vec<DevelopmentPerson>,
}

/// The people for a page of this server, opened at a name of this machine; for all others there is nothing here.
pub(crate) fn respond(request: &HttpRequest, people: &DevelopmentPeople) -> HttpResponse {
    let people = is_own_page(request).then(|| people()).flatten();
    let mut response = if people.is_some() { HttpResponse::Ok() } else { HttpResponse::NotFound() };
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((RESOURCE_POLICY, "same-origin"));
    match people {
        Some(people) => response.json(PeopleBody { people }),
        None => response.finish(),
    }
}

/// Whether the request comes from a page of this server, or from no page, and went to a name of this machine.
fn is_own_page(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let Ok(Some(host)) = only(headers, &HOST) else { return false };
    // The address of a request may have a host too, which counts more than the header (RFC 9112, 3.2.2).
    let named = request.uri().authority().map(Authority::as_str);
    if !is_loopback(host) || named.is_some_and(|named| named != host) {
        return false;
    }
    let is_own = |origin: &str| origin == format!("http://{host}");
    let same_origin = matches!(only(headers, &ORIGIN), Ok(origin) if origin.is_none_or(is_own));
    // Browsers of today send it with each request; `none` is an address that a person has typed.
    same_origin && matches!(only(headers, &FETCH_SITE), Ok(None | Some("same-origin" | "none")))
}

/// The value of a header, which may be missing.
///
/// # Errors
/// There are several, or it is no text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

/// Whether a name is one of this machine wherever it is looked up: no DNS server can point it elsewhere, or something else
/// here.
fn is_loopback(authority: &str) -> bool {
    let Some((host, _)) = split_port(authority) else { return false };
    let is_v4 = || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    let is_v6 = || {
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        address.is_some_and(|address| address.parse() == Ok(Ipv6Addr::LOCALHOST))
    };
    host.eq_ignore_ascii_case("localhost") || is_v4() || is_v6()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "127.1.2.3:80", "[::1]", "[::1]:8080"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost.",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "evil.example:127",
            "localhost:8080:1",
            "localhost:port",
            "10.0.0.1",
            "0.0.0.0",
            "2130706433",
            "127.1",
            "[::ffff:127.0.0.1]",
            "[::2]",
            "::1",
            "[::1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
