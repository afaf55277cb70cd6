//! How often people and addresses may do what costs others something: send messages, update and open sessions, type,
//! download, open sockets.
//!
//! Each node counts for itself, in memory: a limit protects the node and its database from a client that does not stop,
//! and a person who is sent from node to node has it on each of them ([ADR 0024](../../../../docs/adr/0024-limits-and-proxies.md)).
//! What is limited is decided before the body of a request is read, so that a refused one costs next to nothing.

mod bounded_store;
mod limiter;
mod rate;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use chat_domain::model::UserId;
use governor::clock::MonotonicClock;
use metrics::{Counter, counter};

use self::limiter::Limiter;
pub use self::rate::{Rate, RateLimit, RateSettings};
use crate::address_group::AddressGroup;
use crate::error::{ApiError, ErrorCode};

/// The fields of draft-ietf-httpapi-ratelimit-headers-10: the limit, and what is left of it.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// What is limited for each person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PersonalRate {
    Messages,
    Sessions,
    Typing,
    Downloads,
}

/// The limits of the methods of one address.
#[derive(Default)]
pub(crate) struct RouteRates(Vec<(Method, PersonalRate)>);

impl RouteRates {
    /// Adds the limit of a method.
    pub(crate) fn limit(&mut self, method: Method, rate: PersonalRate) {
        self.0.push((method, rate));
    }

    pub(crate) fn of(&self, method: &Method) -> Option<PersonalRate> {
        self.0.iter().find(|(known, _)| known == method).map(|(_, rate)| *rate)
    }
}

/// The limits of this node, and how far they are used.
pub(crate) struct RateLimits {
    messages: NamedLimit,
    sessions: NamedLimit,
    typing: NamedLimit,
    downloads: NamedLimit,
    sockets: NamedLimit,
    hasher: RandomState,
}

impl RateLimits {
    pub(crate) fn new(settings: RateSettings) -> Self {
        let RateSettings { messages, sessions, typing, downloads, sockets } = settings;
        Self {
            messages: NamedLimit::new("messages", "messages, uploads and updates of one person", messages),
            sessions: NamedLimit::new("sessions", "sessions that one person opens", sessions),
            typing: NamedLimit::new("typing", "typing events of one person", typing),
            downloads: NamedLimit::new("downloads", "downloads of one person", downloads),
            sockets: NamedLimit::new("sockets", "sockets that one address opens", sockets),
            hasher: RandomState::new(),
        }
    }

    /// Counts one more of what a person does.
    ///
    /// # Errors
    /// 429: the person has done it too often.
    pub(crate) fn check(&self, rate: PersonalRate, who: &UserId) -> Result<(), ApiError> {
        let limit = match rate {
            PersonalRate::Messages => &self.messages,
            PersonalRate::Sessions => &self.sessions,
            PersonalRate::Typing => &self.typing,
            PersonalRate::Downloads => &self.downloads,
        };
        limit.check(|| self.hasher.hash_one(who))
    }

    /// Counts one more attempt of an address to open a socket. A connection that is gone already has none.
    ///
    /// # Errors
    /// 429: it has tried too often.
    pub(crate) fn check_socket(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        let Some(address) = address else { return Ok(()) };
        self.sockets.check(|| self.hasher.hash_one(AddressGroup::from(address)))
    }
}

/// One of them.
struct NamedLimit {
    /// In the header fields and the metric.
    name: &'static str,
    /// In the message.
    subject: &'static str,
    /// `None` when it is off.
    limiter: Option<Limiter>,
    refused: Counter,
}

impl NamedLimit {
    fn new(name: &'static str, subject: &'static str, limit: RateLimit) -> Self {
        let limiter = match limit {
            RateLimit::Off => None,
            RateLimit::At(rate) => Some(Limiter::new(rate, MonotonicClock)),
        };
        Self { name, subject, limiter, refused: counter!("chat_rate_limited_total", "limit" => name) }
    }

    fn check(&self, key: impl FnOnce() -> u64) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.take(key()).map_err(|wait| {
            self.refused.increment(1);
            self.refusal(limiter.rate, wait)
        })
    }

    fn refusal(&self, rate: Rate, wait: Duration) -> ApiError {
        // Rounded up, so that a client that waits as long is not refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let Self { name, subject, .. } = self;
        let message = format!("this node takes {rate} of {subject}; repeat this after {seconds} s");
        let error = ApiError::new(ErrorCode::RateLimited, message).with_header(RETRY_AFTER, HeaderValue::from(seconds));
        let fields = [
            (POLICY, format!("\"{name}\";q={};w={}", rate.count(), rate.seconds())),
            (LEFT, format!("\"{name}\";r=0;t={seconds}")),
        ];
        fields.into_iter().fold(error, |error, (field, value)| match HeaderValue::try_from(value) {
            Ok(value) => error.with_header(field, value),
            Err(_) => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn limits(settings: RateSettings) -> RateLimits {
        RateLimits::new(settings)
    }

    #[test]
    fn each_person_and_each_kind_has_a_bucket_of_its_own() {
        let two = RateLimit::parse("2/h").unwrap();
        let limits = limits(RateSettings { messages: two, typing: two, ..RateSettings::default() });
        for _ in 0..2 {
            limits.check(PersonalRate::Messages, &user("alice")).unwrap();
        }
        limits.check(PersonalRate::Messages, &user("alice")).unwrap_err();
        limits.check(PersonalRate::Messages, &user("bob")).unwrap();
        limits.check(PersonalRate::Typing, &user("alice")).unwrap();
        assert!((0..1_000).all(|_| limits.check(PersonalRate::Sessions, &user("alice")).is_ok()), "it is off");
    }

    #[test]
    fn addresses_of_one_subscriber_share_a_bucket() {
        let limits = limits(RateSettings { sockets: RateLimit::parse("1/h").unwrap(), ..RateSettings::default() });
        let check = |text: &str| limits.check_socket(Some(text.parse().unwrap()));
        check("192.0.2.1").unwrap();
        check("::ffff:192.0.2.1").unwrap_err();
        check("192.0.2.2").unwrap();
        check("2001:db8::1").unwrap();
        check("2001:db8::2").unwrap_err();
        assert!((0..10).all(|_| limits.check_socket(None).is_ok()));
    }
}
