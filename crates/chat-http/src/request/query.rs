//! Query strings, read strictly: each key stands once and is known to the operation, and a number is plain decimal
//! digits.

use std::borrow::Cow;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use chat_domain::error::{Input, Violation};
use chat_domain::inbox::{InboxFilter, InboxView};
use chat_domain::model::{
    AgentId, PageLimit, PageNumber, Priority, SessionPosition, SessionStatus, Tags, ThumbnailSize, UserId,
};
use chat_domain::service::InboxRequest;
use futures_util::future::{Ready, ready};

use crate::error::ApiError;
use crate::problems::Problems;
use crate::{inbox_cursor, session_cursor};

/// How many parameters are looked at: each is compared with all before it, and no operation knows as many as ten.
const MOST: usize = 64;
/// How many unknown keys are named at most, and how much of each: a query string may have thousands.
const NAMED: usize = 10;
const NAMED_CHARS: usize = 64;

/// The rule for the view of an inbox.
pub(crate) const INBOX_VIEWS: &str = "must be mine, waiting, assigned or closed";

/// The rule for the size of a thumbnail.
pub(crate) const THUMBNAIL_SIZES: &str = "must be 160 or 640";

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
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.given.iter().find(|(given, _)| given == key).map(|(_, value)| value.as_ref())
    }

    /// Where a page of sessions starts: at its number, or at the cursor that the page before it had.
    pub(crate) fn session_position(&mut self) -> SessionPosition {
        let has_number = self.get("page").is_some();
        let cursor = self.get("cursor").map(session_cursor::decode);
        match cursor {
            Some(_) if has_number => self.problems.add("cursor", "must not be given together with page"),
            Some(None) => self.problems.add("cursor", "must be the nextCursor of a page of this list"),
            Some(Some(key)) => return SessionPosition::After(key),
            None => (),
        }
        SessionPosition::Page(self.page_number())
    }

    fn page_number(&mut self) -> PageNumber {
        let rule = "must be a whole number from 1 to 9223372036854775807";
        self.number("page", rule, PageNumber::FIRST, PageNumber::new)
    }

    pub(crate) fn limit(&mut self, default: PageLimit) -> PageLimit {
        self.number("limit", "must be a whole number from 1; more than 100 counts as 100", default, PageLimit::clamped)
    }

    pub(crate) fn status(&mut self) -> Option<SessionStatus> {
        let status = self.get("status")?;
        let known = [SessionStatus::Active, SessionStatus::Closed].into_iter().find(|known| known.as_str() == status);
        if known.is_none() {
            self.problems.add("status", "must be active or closed");
        }
        known
    }

    /// A view of the inbox, and what of it is wanted. The view is known also where something else is wrong.
    pub(crate) fn inbox(&mut self) -> (Option<InboxView>, InboxRequest) {
        let named = self.get("view").map(InboxView::parse);
        if named.flatten().is_none() {
            self.problems.add("view", INBOX_VIEWS);
        }
        let view = named.flatten();
        let cursor = self.get("cursor").map(str::to_owned);
        let after = cursor.and_then(|cursor| {
            inbox_cursor::decode(view?, &cursor).or_else(|| {
                self.problems.add("cursor", "must be the nextCursor of a page of this view");
                None
            })
        });
        let limit = self.limit(PageLimit::INBOX);
        let filter = self.inbox_filter(view);
        (view, InboxRequest { view: view.unwrap_or(InboxView::Mine), filter, after, limit })
    }

    fn inbox_filter(&mut self, view: Option<InboxView>) -> InboxFilter {
        let has_filters = view.is_none_or(InboxView::has_filters);
        let has_agents = view.is_none_or(|view| view == InboxView::Assigned);
        InboxFilter {
            priority: self.filter("priority", has_filters, Priority::parse),
            tag: self.filter("tag", has_filters, |tag| {
                Tags::parse([tag]).map(|tags| tags.as_slice().first().cloned().unwrap_or_default())
            }),
            user: self.filter("userId", has_filters, UserId::parse),
            agent: self.filter("agentId", has_agents, AgentId::parse),
        }
    }

    /// The value of a filter, which the view has or has not.
    fn filter<T>(
        &mut self,
        key: &'static str,
        is_of_view: bool,
        parse: impl Fn(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        let parsed = self.get(key).map(parse)?;
        if is_of_view {
            return self.problems.check(key, parsed);
        }
        self.problems.add(key, "is no filter of this view");
        None
    }

    pub(crate) fn thumbnail_size(&mut self) -> ThumbnailSize {
        self.number("size", THUMBNAIL_SIZES, ThumbnailSize::Large, ThumbnailSize::of_pixels)
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

    /// The same beside a ticket in the query, which says who asks.
    pub(crate) fn beside_ticket(request: &HttpRequest) -> Input<()> {
        let mut query = Query::of(request);
        query.get("ticket");
        query.finish(())
    }
}

impl FromRequest for NoInput {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(Self::of(request))))
    }
}
