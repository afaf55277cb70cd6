//! The reference document of the limits that no option changes, made from the values in the code.

use std::fmt::Write as _;
use std::time::Duration;

use chat_domain::inbox::{MAX_ACTIVE, MAX_FILTERED};
use chat_domain::model::{Content, OFFLINE_AFTER, SocketLimits, UnsentUpload};
use chat_domain::service::{PRESENCE_REFRESHED_EVERY, Rules};
use chat_http::{FixedLimit, fixed_limits};
use chat_identity::in_words;
use chat_realtime::{HubSettings, INBOX_PACE, MAX_INBOXES_OF_A_PERSON, TypingRules};

const INTRODUCTION: &str = "\
# Limits

<!-- Generated from the values in the code by `cargo xtask docs`. Do not edit. -->

These limits are fixed. Those that an operator sets are options of the [configuration](configuration.md).

| what | limit |
|---|---|
";

/// The document in Markdown. `presence_every` is how often the presence of agents is reported.
pub(crate) fn limits_reference(presence_every: Duration) -> String {
    let mut page = INTRODUCTION.to_owned();
    let limits = chat_limits(presence_every).into_iter().chain(fixed_limits()).chain(subscription_limits());
    for FixedLimit { subject, bound } in limits {
        let _text_takes_every_line = writeln!(page, "| {subject} | {bound} |");
    }
    page
}

fn chat_limits(presence_every: Duration) -> [FixedLimit; 5] {
    let inboxes_per_second = 1_000 / INBOX_PACE.as_millis();
    let [offline, noted, refreshed] = [OFFLINE_AFTER, presence_every, PRESENCE_REFRESHED_EVERY].map(in_words);
    let kept = in_words(UnsentUpload::LIFETIME);
    [
        FixedLimit {
            subject: "text of a message",
            bound: format!("at most {} characters", thousands(Content::MAX_CHARS)),
        },
        FixedLimit {
            subject: "inbox",
            bound: format!(
                "`mine` has at most {} active sessions; a page with a filter looks at {} sessions, then it ends with a \
                 `nextCursor`",
                thousands(MAX_ACTIVE),
                thousands(MAX_FILTERED)
            ),
        },
        FixedLimit {
            subject: "open inboxes of a person on a node",
            bound: format!(
                "at most {MAX_INBOXES_OF_A_PERSON} (then the socket of the oldest is closed with 4409); of a session \
                 and a view at most {inboxes_per_second} updates a second"
            ),
        },
        FixedLimit {
            subject: "presence of an agent",
            bound: format!(
                "`offline` {offline} after the last open inbox; written within {noted}, then every {refreshed}"
            ),
        },
        FixedLimit {
            subject: "files that a person has uploaded and not sent",
            bound: format!("at most {} (then 400 `UPLOAD_QUOTA`), each for {kept}", Rules::MAX_UNSENT_FILES),
        },
    ]
}

fn subscription_limits() -> [FixedLimit; 4] {
    let SocketLimits { per_session, per_user } = SocketLimits::default();
    let HubSettings { queue_events, queue_bytes, socket_bytes, replay_limit, page_events, page_bytes, .. } =
        HubSettings::default();
    let (queue_kib, socket_mib, page_kib) = (queue_bytes / 1024, socket_bytes / 1024 / 1024, page_bytes / 1024);
    let replay = thousands(usize::try_from(replay_limit).unwrap_or(usize::MAX));
    let typing = in_words(TypingRules::default().min_interval);
    [
        FixedLimit {
            subject: "sockets of a person on a node",
            bound: format!(
                "at most {per_user} (then 429), {per_session} of them in one session, with the subscriptions to it \
                 (then the oldest is closed with 4409)"
            ),
        },
        FixedLimit {
            subject: "replay at the start of a socket",
            bound: format!("at most {replay} events (then `resumed` is false, or 410 in base mode)"),
        },
        FixedLimit {
            subject: "queue of a socket, or of each subscription at `/ws/chat`",
            bound: format!(
                "at most {queue_events} events and {queue_kib} KiB, and {socket_mib} MiB for all subscriptions of a \
                 socket; beyond that it catches up from the database, at most {page_events} events or {page_kib} KiB \
                 at a time"
            ),
        },
        FixedLimit {
            subject: "typing of a person in a session",
            bound: format!("at most one change shown in {typing}"),
        },
    ]
}

/// With a comma between thousands, as numbers are written in the documents.
fn thousands(number: usize) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", thousands(number / 1_000), number % 1_000) }
}
