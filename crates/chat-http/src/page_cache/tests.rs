//! The cache between queries and results that a test makes up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_domain::error::Invalid;
use chat_domain::model::{ChatMessage, Delivery, Party};
use chat_testkit::fixtures::{alice, attachment, content, limit, message_id, new_session, session_id, start};
use metrics::{Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder};

use super::*;
use crate::settings::HttpSettings;

/// Keeps figures by their names.
#[derive(Default)]
struct Figures(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl Figures {
    fn cell(&self, key: &Key) -> Arc<AtomicU64> {
        Arc::clone(self.0.lock().unwrap().entry(key.name().to_owned()).or_default())
    }

    fn counter(&self, name: &str) -> u64 {
        self.0.lock().unwrap()[name].load(Ordering::Relaxed)
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.counter(name))
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A session as a store has it: its position and its messages.
#[derive(Clone)]
struct Stored {
    session: ChatSession,
    messages: Vec<ChatMessage>,
}

impl Stored {
    /// Session `n` with that many messages, each of `size` characters.
    fn new(n: u64, count: u64, size: usize) -> Self {
        let mut session = ChatSession::open(new_session(n));
        session.progress.message_count = count;
        session.progress.last_seq = Seq::new(count + 1);
        let message = |index| ChatMessage {
            id: message_id(index),
            session_id: session.id,
            seq: Seq::new(index + 1),
            author: alice().id,
            sender: Party::User,
            content: content(&"x".repeat(size)),
            sent_at: start(),
            delivery: Delivery::Sent,
            attachments: Vec::new(),
        };
        Self { messages: (1..=count).map(message).collect(), session }
    }

    fn with_file(mut self) -> Self {
        self.messages[0].attachments.push(attachment(1, b"bytes"));
        self
    }

    /// The page of the newest `items` messages, as a store reads it.
    fn page(&self, items: u64) -> MessagePage {
        let skipped = self.messages.len().saturating_sub(usize::try_from(items).unwrap());
        MessagePage { messages: self.messages[skipped..].to_vec(), has_more: skipped > 0 }
    }

    /// What a server without a cache says.
    fn body(&self, items: u64, base: &BaseUrl) -> String {
        let (_, lookup) = look_up(&OFF, self.session.id, items, base);
        text(lookup.body(&self.session, Some(self.page(items)), &KnownPeople::default()))
    }
}

static OFF: std::sync::LazyLock<PageCache> = std::sync::LazyLock::new(|| PageCache::new(0));

fn look_up<'a>(cache: &'a PageCache, id: SessionId, items: u64, base: &BaseUrl) -> (Option<Seq>, Lookup<'a>) {
    let query = MessageQuery { cursor: MessageCursor::Newest, limit: limit(items), known: None };
    let (query, lookup) = cache.look_up(id, Ok(query), base.clone());
    (query.unwrap().known, lookup)
}

fn text(body: Result<PageBody, ApiError>) -> String {
    String::from_utf8(body.unwrap().concat()).unwrap()
}

/// Reads as the handler does and returns whether the page came from the cache, after checking its body.
fn read(cache: &PageCache, stored: &Stored, items: u64, base: &BaseUrl) -> bool {
    let (known, lookup) = look_up(cache, stored.session.id, items, base);
    let unchanged = known == Some(stored.session.progress.last_seq);
    let body = lookup.body(&stored.session, (!unchanged).then(|| stored.page(items)), &KnownPeople::default());
    assert_eq!(text(body), stored.body(items, base));
    unchanged
}

fn base() -> BaseUrl {
    BaseUrl::default()
}

/// How many bytes the cache holds by its own account, after checking the account of every part and its share.
fn held(cache: &PageCache, budget: usize) -> (usize, usize) {
    let parts = cache.shards.iter().map(|shard| lock(shard).held());
    parts.fold((0, 0), |(bytes, entries), part| {
        assert!(part.0 <= budget / SHARDS, "{part:?}");
        (bytes + part.0, entries + part.1)
    })
}

fn size_of_page(stored: &Stored, items: u64) -> usize {
    let cache = PageCache::new(1 << 30);
    read(&cache, stored, items, &base());
    held(&cache, 1 << 30).0
}

#[test]
fn a_page_serves_every_limit_that_it_covers_and_no_other() {
    for count in 0..=6 {
        let stored = Stored::new(1, count, 5);
        for made in 1..=7 {
            for wanted in 1..=7 {
                let cache = PageCache::new(1 << 20);
                assert!(!read(&cache, &stored, made, &base()));
                let covered = made >= wanted || made >= count;
                assert_eq!(read(&cache, &stored, wanted, &base()), covered, "{wanted} of {count} from {made}");
            }
        }
    }
}

#[test]
fn a_page_is_of_no_use_at_another_position() {
    let cache = PageCache::new(1 << 20);
    let mut stored = Stored::new(1, 3, 5);
    assert!(!read(&cache, &stored, 50, &base()));
    assert!(read(&cache, &stored, 50, &base()));
    stored.session.progress.last_seq = stored.session.progress.last_seq.next();
    assert!(!read(&cache, &stored, 50, &base()));
    assert!(read(&cache, &stored, 50, &base()));
}

#[test]
fn only_valid_queries_for_the_newest_page_use_the_cache() {
    let budget = 1 << 20;
    let stored = Stored::new(1, 3, 5);
    let id = stored.session.id;
    let cache = PageCache::new(budget);
    for _ in 0..2 {
        for cursor in [MessageCursor::Before(message_id(2)), MessageCursor::After(message_id(2))] {
            let query = MessageQuery { cursor, limit: limit(2), known: None };
            let (query, lookup) = cache.look_up(id, Ok(query), base());
            assert_eq!(query.unwrap().known, None);
            let before = held(&cache, budget);
            let page = MessagePage { messages: stored.messages[..1].to_vec(), has_more: false };
            lookup.body(&stored.session, Some(page), &KnownPeople::default()).unwrap();
            assert_eq!(held(&cache, budget), before, "such a page is not kept");
        }
        let (query, _) = cache.look_up(id, Err(Invalid::new("limit", "is wrong")), base());
        assert!(query.is_err());
        // The second round meets this page.
        read(&cache, &stored, 2, &base());
    }
}

#[test]
fn a_page_with_files_is_cached_for_one_base_address() {
    let hosts = ["a.example", "b.example"].map(|host| {
        let request = actix_web::test::TestRequest::default().insert_header(("host", host)).to_http_request();
        BaseUrl::of(&request, &HttpSettings::default())
    });
    let cache = PageCache::new(1 << 20);
    let plain = Stored::new(1, 2, 5);
    assert!(!read(&cache, &plain, 50, &hosts[0]));
    assert!(read(&cache, &plain, 50, &hosts[1]));
    let files = Stored::new(2, 2, 5).with_file();
    assert_ne!(files.body(50, &hosts[0]), files.body(50, &hosts[1]));
    assert!(!read(&cache, &files, 50, &hosts[0]));
    assert!(read(&cache, &files, 50, &hosts[0]));
    assert!(!read(&cache, &files, 50, &hosts[1]));
    assert!(read(&cache, &files, 50, &hosts[1]));
    // The file is older than the newest message, whose page has no address in it.
    let other = Stored::new(3, 2, 5).with_file();
    assert!(!read(&cache, &other, 1, &hosts[0]));
    assert!(read(&cache, &other, 1, &hosts[1]));
}

#[test]
fn of_racing_requests_the_one_that_read_later_wins() {
    let old = Stored::new(1, 2, 5);
    let new = Stored::new(1, 3, 5);
    for order in [[&old, &new], [&new, &old]] {
        let cache = PageCache::new(1 << 20);
        let lookups = order.map(|stored| (stored, look_up(&cache, session_id(1), 50, &base()).1));
        for (stored, lookup) in lookups {
            lookup.body(&stored.session, Some(stored.page(50)), &KnownPeople::default()).unwrap();
        }
        assert!(read(&cache, &new, 50, &base()));
    }
}

#[test]
fn of_racing_requests_at_one_position_the_one_that_covers_more_wins() {
    let stored = Stored::new(1, 9, 5);
    for order in [[3, 6], [6, 3]] {
        let cache = PageCache::new(1 << 20);
        let lookups = order.map(|items| (items, look_up(&cache, session_id(1), items, &base()).1));
        for (items, lookup) in lookups {
            lookup.body(&stored.session, Some(stored.page(items)), &KnownPeople::default()).unwrap();
        }
        assert!(read(&cache, &stored, 6, &base()));
    }
}

#[test]
fn a_page_from_before_a_restored_backup_is_dropped() {
    let cache = PageCache::new(1 << 20);
    let lost = Stored::new(1, 3, 5);
    read(&cache, &lost, 50, &base());
    let back = Stored::new(1, 2, 7);
    assert!(!read(&cache, &back, 50, &base()));
    let again = Stored::new(1, 3, 7);
    assert!(!read(&cache, &again, 50, &base()), "the lost page has the same position");
}

#[test]
fn a_response_without_a_page_that_was_not_cached_is_an_error() {
    let (_, lookup) = look_up(&OFF, session_id(1), 50, &base());
    lookup.body(&Stored::new(1, 0, 0).session, None, &KnownPeople::default()).unwrap_err();
}

#[test]
fn the_page_that_was_not_asked_for_longest_leaves_first() {
    // Ids that differ by a multiple of the number of shards are in the same one.
    let [a, b, c] = [1, 17, 33].map(|n| Stored::new(n, 4, 50));
    let cache = PageCache::new(SHARDS * size_of_page(&a, 50) * 2);
    for stored in [&a, &b] {
        assert!(!read(&cache, stored, 50, &base()));
    }
    assert!(read(&cache, &a, 50, &base()));
    assert!(!read(&cache, &c, 50, &base()));
    assert!(read(&cache, &a, 50, &base()));
    assert!(read(&cache, &c, 50, &base()));
    assert!(!read(&cache, &b, 50, &base()));
}

#[test]
fn a_page_takes_a_sixteenth_of_the_cache_at_most() {
    let stored = Stored::new(1, 4, 50);
    let size = size_of_page(&stored, 50);
    assert!(size > stored.body(50, &base()).len());
    for (budget, kept) in [(SHARDS * size, true), (SHARDS * size - 1, false), (0, false)] {
        let cache = PageCache::new(budget);
        read(&cache, &stored, 50, &base());
        assert_eq!(read(&cache, &stored, 50, &base()), kept, "{budget} bytes");
    }
    // A page that is too large leaves a smaller one of the same position where it is.
    let cache = PageCache::new(SHARDS * (size - 1));
    read(&cache, &stored, 2, &base());
    read(&cache, &stored, 50, &base());
    assert!(read(&cache, &stored, 2, &base()));
}

#[test]
fn the_bytes_stay_within_the_budget_and_the_figures_tell_them() {
    let budget = 64 * 1024;
    let figures = Figures::default();
    let cache = with_local_recorder(&figures, || PageCache::new(budget));
    let (mut hits, mut misses) = (0, 0);
    // A fixed walk over sessions, lengths and positions in which pages come, grow, change and leave.
    for step in 0..3_000_u64 {
        let (n, count) = (step * step % 211, step % 7);
        // Equal positions have equal pages.
        let size = usize::try_from((n * 37 + count * 101) % 900).unwrap();
        let stored = Stored::new(n, count, size + 1);
        if read(&cache, &stored, 1 + step % 5, &base()) {
            hits += 1;
        } else {
            misses += 1;
        }
        let (bytes, entries) = held(&cache, budget);
        assert_eq!(figures.gauge("chat_page_cache_bytes").to_string(), bytes.to_string());
        assert_eq!(figures.gauge("chat_page_cache_entries").to_string(), entries.to_string());
    }
    assert!(held(&cache, budget).0 > budget / 2, "the budget is used");
    assert_eq!(figures.counter("chat_page_cache_hits_total"), hits);
    assert_eq!(figures.counter("chat_page_cache_misses_total"), misses);
}
