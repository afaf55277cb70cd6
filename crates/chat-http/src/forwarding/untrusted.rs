//! A proxy that the operator has not named: its requests have the headers of proxies, and these count for nothing.
//!
//! Nothing fails then, but all of its clients share one address in limits and logs. So it is logged, with what to set.
//! Anyone can write such a header, hence once in a while and no more.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderName, X_FORWARDED_FOR};
use metrics::Counter;

use super::ProxySettings;

/// How long nothing is logged after a warning.
const QUIET: Duration = Duration::from_hours(1);
/// What proxies write the address of the client into.
static HEADERS: [HeaderName; 2] = [X_FORWARDED_FOR, FORWARDED];

/// Notices requests that came through a proxy that is not trusted, or claim it.
pub(crate) struct UntrustedForwarding {
    requests: Counter,
    warned: Mutex<Option<Instant>>,
}

impl UntrustedForwarding {
    /// Counts them with `requests`.
    pub(crate) fn new(requests: Counter) -> Self {
        Self { requests, warned: Mutex::default() }
    }

    /// Counts the request if it has such a header from an address that is not trusted, and logs the first one in an hour.
    pub(crate) fn notice(&self, request: &HttpRequest, proxies: &ProxySettings) {
        let Some(header) = HEADERS.iter().find(|name| request.headers().contains_key(*name)) else { return };
        let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let Some(peer) = peer.filter(|peer| !proxies.trusts(*peer)) else { return };
        self.requests.increment(1);
        if self.may_warn(Instant::now()) {
            tracing::warn!(
                peer.address = %peer,
                "a request from {peer} has the header {header}, and {peer} is no trusted proxy, so the header does not \
                 count: if {peer} is your proxy, set --trusted-proxies (CHAT_TRUSTED_PROXIES) to its address or network, \
                 such as {peer}, or all of its clients share its limits"
            );
        }
    }

    fn may_warn(&self, now: Instant) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quiet = warned.is_some_and(|last| now.duration_since(last) < QUIET);
        if !is_quiet {
            *warned = Some(now);
        }
        !is_quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_an_hour_is_logged() {
        let untrusted = UntrustedForwarding::new(Counter::noop());
        let start = Instant::now();
        let minutes = [0, 1, 59, 60, 61, 119, 120].map(|minute| start + Duration::from_mins(minute));
        assert_eq!(minutes.map(|now| untrusted.may_warn(now)), [true, false, false, true, false, false, true]);
    }
}
