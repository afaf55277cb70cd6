//! Query strings, read strictly: a key stands once and is one that the operation knows, a number is plain decimal digits.

use std::borrow::Cow;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use chat_domain::error::Input;
use chat_domain::model::{PageLimit, PageNumber, StatusFilter};
use futures_util::future::{Ready, ready};

use super::Problems;
use crate::error::ApiError;

/// How many parameters are looked at: each is compared with all before it, and no operation knows as many as ten.
const MOST: usize = 64;
/// How many unknown keys are named at most, and how much of each: a query string may have thousands.
const NAMED: usize = 10;
const NAMED_CHARS: usize = 64;

/// The keys and values of a query string, and what is wrong with them.
///
/// Which keys an operation knows follows from what it asks for, so the check for others cannot be forgotten: the result
/// comes from `finish` alone.
pub(crate) struct Query<'a> {
    given: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    known: Vec<&'static str>,
    pub(crate) problems: Problems,
}

impl<'a> Query<'a> {
    pub(crate) fn of(request: &'a HttpRequest) -> Self {
        let mut given: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        let mut repeated: Vec<Cow<'a, str>> = Vec::new();
        let mut problems = Problems::default();
        for (number, (key, value)) in form_urlencoded::parse(request.query_string().as_bytes()).enumerate() {
            if number == MOST {
                problems.add("query", &format!("must have at most {MOST} parameters"));
                break;
            }
            if !given.iter().any(|(known, _)| *known == key) {
                given.push((key, value));
            } else if repeated.len() < NAMED && !repeated.contains(&key) {
                repeated.push(key);
            }
        }
        for key in repeated {
            problems.add(&shown(&key), "must be given once");
        }
        Self { given, known: Vec::new(), problems }
    }

    pub(crate) fn get(&mut self, key: &'static str) -> Option<&str> {
        self.known.push(key);
        self.given.iter().find(|(given, _)| given == key).map(|(_, value)| value.as_ref())
    }

    pub(crate) fn page(&mut self) -> PageNumber {
        let rule = "must be a whole number from 1 to 9223372036854775807";
        self.number("page", rule, PageNumber::FIRST, PageNumber::new)
    }

    pub(crate) fn limit(&mut self, default: PageLimit) -> PageLimit {
        self.number("limit", "must be a whole number from 1; more than 100 counts as 100", default, PageLimit::clamped)
    }

    pub(crate) fn status(&mut self) -> Option<StatusFilter> {
        let status = self.get("status")?;
        let known = [StatusFilter::Active, StatusFilter::Closed].into_iter().find(|known| known.as_str() == status);
        if known.is_none() {
            self.problems.add("status", "must be active or closed");
        }
        known
    }

    /// A number of at most 63 bits, which every database and most clients can hold.
    pub(crate) fn number<T>(
        &mut self,
        key: &'static str,
        rule: &str,
        default: T,
        make: impl Fn(u64) -> Option<T>,
    ) -> T {
        let Some(text) = self.get(key) else { return default };
        let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|_| digits_only).and_then(|number| u64::try_from(number).ok());
        if let Some(value) = number.and_then(make) {
            return value;
        }
        self.problems.add(key, rule);
        default
    }

    /// The value made of what was asked for, when no rule was broken and nothing else was given.
    pub(crate) fn finish<T>(mut self, value: T) -> Input<T> {
        let unknown = self.given.iter().filter(|(key, _)| !self.known.iter().any(|known| known == key));
        let unknown: Vec<String> = unknown.take(NAMED).map(|(key, _)| shown(key)).collect();
        if !unknown.is_empty() {
            self.known.sort_unstable();
            let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
            for key in unknown {
                self.problems.add(&key, &format!("is no query parameter of this operation, which takes {known}"));
            }
        }
        self.problems.or(value)
    }
}

/// As much of a key as fits into a message.
fn shown(key: &str) -> String {
    if key.is_empty() { "query".to_owned() } else { key.chars().take(NAMED_CHARS).collect() }
}

/// The input of an operation that takes neither a query nor a body, or what is wrong with it. Never refuses the request
/// by itself.
pub(crate) struct NoInput(pub(crate) Input<()>);

impl NoInput {
    pub(crate) fn of(request: &HttpRequest) -> Input<()> {
        Query::of(request).finish(())
    }
}

impl FromRequest for NoInput {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(Self::of(request))))
    }
}
