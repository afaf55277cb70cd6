//! What each request costs as the database grows: the same requests to services on databases of several sizes, in turn. All
//! databases are on one PostgreSQL.

use std::cmp::min;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use test_servers::postgres::PrivatePostgres;

use super::chat::{Chat, Database};
use super::figures::{Figures, Goal};
use super::fill::{self, Filled, LONG_SESSION, Size};
use super::load::Load;
use super::pgbench::Script;
use super::{BenchRun, postgres, sample};

/// There are many measurements, and each is of one kind of request.
const AT_MOST: Duration = Duration::from_secs(2);
/// Latency is measured at the one, throughput at the other.
const CONNECTIONS: [usize; 2] = [1, 8];
/// Sessions that a load goes to. Deep pages are of fewer: the generator first has to find a message in each.
const SAMPLE: u32 = 20_000;
const LONG_SAMPLE: u32 = 500;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    NewestPage,
    DeepPage,
    FirstList,
    DeepList,
    ListAfterCursor,
    TotalCount,
    Stats,
    Send,
}

/// Reads first: sends make the smallest database several times larger.
const READS: [Request; 7] = [
    Request::NewestPage,
    Request::DeepPage,
    Request::FirstList,
    Request::DeepList,
    Request::ListAfterCursor,
    Request::TotalCount,
    Request::Stats,
];

const TOTAL_SQL: &str = "SELECT status, count FROM chat_session_counts WHERE scope = 'all' AND holder = '';\n";

impl Request {
    fn name(self) -> &'static str {
        match self {
            Self::NewestPage => "newest page of messages",
            Self::DeepPage => "page in the middle of a long session",
            Self::FirstList => "first page of the list",
            Self::DeepList => "page in the middle of the list, by number",
            Self::ListAfterCursor => "page in the middle of the list, by cursor",
            Self::TotalCount => "list of one session, for its totalCount",
            Self::Stats => "statistics",
            Self::Send => "send",
        }
    }

    /// The cost at the largest size, divided by that at the smallest.
    fn goal(self) -> Goal {
        Goal::AtMost(match self {
            Self::NewestPage | Self::Send => 1.5,
            Self::DeepPage => 2.0,
            Self::FirstList | Self::ListAfterCursor => 1.6,
            // A page number is walked to: with 1,000 times as many sessions before it, it costs what the walk costs.
            Self::DeepList => 20.0,
            Self::TotalCount | Self::Stats => 1.2,
        })
    }

    fn load(self, node: &GrowthNode) -> Load {
        const PAGE: &str = "/api/chat/sessions/{session}/messages?limit=50";
        let chat = &node.chat;
        match self {
            Self::NewestPage => Load::reading(chat, PAGE, &node.all),
            Self::DeepPage => Load::reading_before(chat, PAGE, &node.long, LONG_SESSION / 2),
            Self::FirstList => Load::getting(chat, "/api/chat/sessions?limit=20"),
            Self::DeepList => Load::getting(chat, &middle_of_the_list(node.size)),
            Self::ListAfterCursor => {
                Load::getting(chat, &format!("/api/chat/sessions?limit=20&cursor={}", node.middle_cursor))
            }
            Self::TotalCount => Load::getting(chat, "/api/chat/sessions?limit=1&page=1"),
            Self::Stats => Load::getting(chat, "/api/chat/stats"),
            Self::Send => Load::sending(chat, &node.active),
        }
    }
}

fn middle_of_the_list(size: Size) -> String {
    format!("/api/chat/sessions?limit=20&page={}", size.sessions() / 20 / 2)
}

/// A service on a database of its own.
struct GrowthNode {
    chat: Chat,
    size: Size,
    /// The cursor of the page in the middle of the list.
    middle_cursor: String,
    /// Files with the ids of sessions.
    all: PathBuf,
    long: PathBuf,
    active: PathBuf,
}

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let server = postgres::start()?;
    let filled = fill::databases(run, &server, &run.sizes)?;
    let nodes =
        filled.iter().map(|filled| GrowthNode::start(run, &server, filled)).collect::<anyhow::Result<Vec<_>>>()?;
    let totals = filled
        .iter()
        .map(|filled| {
            let script = Script::new(&server, &filled.name, run.path("total.sql"), TOTAL_SQL, 0)?;
            anyhow::Ok((script, filled.size))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let length = min(run.length, AT_MOST);
    for round in run.rounds("reads by size of the database") {
        for request in READS {
            take_turns(request, &in_turn(&nodes, round), length, &mut figures)?;
        }
        for (script, size) in in_turn(&totals, round) {
            let speed = script.run(1, length)?;
            figures.record(format!("{TOTAL_COUNT}{}", at(*size)), "ms", speed.mean_ms);
        }
    }
    for round in run.rounds("sends by size of the database") {
        take_turns(Request::Send, &in_turn(&nodes, round), length, &mut figures)?;
    }
    let (Some(smallest), Some(largest)) = (run.sizes.first(), run.sizes.last()) else { return Ok(figures) };
    ratios(&mut figures, *smallest, *largest)?;
    Ok(figures)
}

const TOTAL_COUNT: &str = "SQL of totalCount by pgbench, 1 client";

impl GrowthNode {
    fn start(run: &BenchRun, server: &PrivatePostgres, filled: &Filled) -> anyhow::Result<Self> {
        let file = |what: &str| run.path(&format!("{}-{what}", filled.name));
        let sessions = |condition: &str, at_most| fill::sessions(server, &filled.name, condition, at_most);
        // With the cache, the newest page would be a page from memory at every size.
        let chat = Chat::start(Database::Postgres(&filled.url), &run.path(&filled.name), &["--page-cache", "0"])?;
        let node = Self {
            middle_cursor: chat.text(&middle_of_the_list(filled.size), "nextCursor")?,
            chat,
            size: filled.size,
            all: sample::draw(file("all"), &sessions("true", SAMPLE)?)?,
            long: sample::each(file("long"), &sessions(&format!("message_count = {LONG_SESSION}"), LONG_SAMPLE)?)?,
            active: sample::draw(file("active"), &sessions("status = 'active'", SAMPLE)?)?,
        };
        node.check()?;
        Ok(node)
    }

    /// Whether the service finds in the database what was put there.
    fn check(&self) -> anyhow::Result<()> {
        let messages = self.chat.number("/api/chat/stats", "messagesExchanged")?;
        let sessions = self.chat.number("/api/chat/sessions?limit=1", "totalCount")?;
        let (wanted_messages, wanted_sessions) = (self.size.messages, self.size.sessions());
        ensure!(
            (messages, sessions) == (wanted_messages, wanted_sessions),
            "the service finds {messages} messages in {sessions} sessions, not {wanted_messages} in {wanted_sessions}"
        );
        let middle = middle_of_the_list(self.size);
        let list = String::from_utf8(self.chat.get(&middle)?).context("the list")?;
        ensure!(list.matches("\"startedAt\"").count() == 20, "the page in the middle of the list is not full: {list}");
        Ok(())
    }
}

/// Each round begins with another size: what changes during a round is not always to the disadvantage of the same one.
fn in_turn<T>(all: &[T], round: u32) -> Vec<&T> {
    let mut turned: Vec<&T> = all.iter().collect();
    let by = usize::try_from(round).unwrap_or_default().checked_rem(turned.len()).unwrap_or_default();
    turned.rotate_left(by);
    turned
}

/// One request at all sizes: first its latency, then its throughput.
fn take_turns(request: Request, nodes: &[&GrowthNode], length: Duration, figures: &mut Figures) -> anyhow::Result<()> {
    for connections in CONNECTIONS {
        for node in nodes {
            let outcome = request.load(node).run(connections, length)?;
            if connections == 1 {
                figures.record(latency(request, node.size), "ms", outcome.p50_ms);
            } else {
                figures.record(throughput(request, node.size), "/s", outcome.per_second);
            }
        }
    }
    Ok(())
}

fn latency(request: Request, size: Size) -> String {
    format!("{}, p50 at 1 connection{}", request.name(), at(size))
}

fn throughput(request: Request, size: Size) -> String {
    format!("{}, 8 connections{}", request.name(), at(size))
}

fn at(size: Size) -> String {
    format!(" [{} messages]", size.messages)
}

/// How many times more a request costs at the largest size than at the smallest.
fn ratios(figures: &mut Figures, smallest: Size, largest: Size) -> anyhow::Result<()> {
    let sizes = format!("{} ÷ {} messages", largest.messages, smallest.messages);
    for request in READS.into_iter().chain([Request::Send]) {
        let slower = figures.median(&latency(request, largest))? / figures.median(&latency(request, smallest))?;
        figures.add(format!("{}: p50 at 1 connection, {sizes}", request.name()), "", slower, Some(request.goal()));
        let fewer = figures.median(&throughput(request, smallest))? / figures.median(&throughput(request, largest))?;
        let name = format!("{}: time each at 8 connections, {sizes}", request.name());
        figures.add(name, "", fewer, Some(request.goal()));
    }
    let slower = figures.median(&format!("{TOTAL_COUNT}{}", at(largest)))?
        / figures.median(&format!("{TOTAL_COUNT}{}", at(smallest)))?;
    figures.add(format!("{TOTAL_COUNT}, {sizes}"), "", slower, Some(Request::TotalCount.goal()));
    Ok(())
}
