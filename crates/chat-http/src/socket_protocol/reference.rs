//! The reference page of the sockets, rendered from the catalogue of frames and the table of close codes.

use std::fmt::Write;

use chat_domain::model::{SocketLimits, TICKET_LIFETIME};
use chat_websocket::FrameLimits;

use super::catalogue::{FRAMES, FrameKind, FrameSender};
use super::client_frame::MAX_REFERENCE_CHARS;
use super::close_code::CloseCode;
use super::frame_rate::{
    FRAME_BURST, FRAMES_PER_MINUTE, MAX_SUBSCRIPTIONS, SUBSCRIPTION_BURST, SUBSCRIPTIONS_PER_MINUTE,
};
use super::mode::SocketMode;
use crate::settings::SocketSettings;

const INTRODUCTION: &str = r#"# The socket

<!-- Rendered from crates/chat-http/src/socket_protocol by `cargo xtask docs`. Do not edit. -->

`GET /ws/chat/{sessionId}` subscribes to a session. Frames are JSON text, `{"type", "data"}`. There are two modes on one
address: **base mode**, which tells three types of events and takes nothing, and **extended mode**, chosen by the
subprotocol `chat.v1`, which adds positions, receipts, acknowledgements, heartbeats, renewal of the token, and errors.
Pages and apps use extended mode. Base mode is for servers, which see why a handshake is refused: a page sees neither 410,
which says that too much was missed, nor the pings from which a client learns that the network is gone.
Both sides ignore types and fields that they do not know. The same for tools: [asyncapi.json](asyncapi.json).

`GET /ws/chat` subscribes to [many sessions](#many-sessions-on-one-socket) on one socket, with the frames of the extended mode.

## Connecting

Exactly one of these says who connects; none, several, or one that does not fit is 401.

| way | for whom |
|---|---|
| `Authorization: Bearer <token>` | every client that can set headers |
| the subprotocol `base64url.bearer.chat.` with the token behind it, in base64url without padding | browsers |
| `?ticket=<ticket>` | browsers, in either mode |

```js
const base64url = (text) => btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")
new WebSocket(url, ["chat.v1", "base64url.bearer.chat." + base64url(token)])
```

Of the subprotocols only `chat.v1` is given back, never the token. A client that offers only others gets base mode and an
answer without a subprotocol; browsers do not accept that, so a page that shows its token so offers `chat.v1` too.

A ticket comes from `POST /api/chat/sessions/{sessionId}/ws-ticket`: `{"ticket", "expiresAt"}`. It opens one socket of
that session, within @ticket@ seconds, in the name of the person who asked for it; the socket ends with the token that was used then.
It is used up by being shown, also for another session. One of `POST /api/chat/ws-ticket` opens one socket at `/ws/chat`, and
none of a session; one of a session opens none there. A request that is no handshake, or from a foreign origin, leaves
it as it is. Cookies are not looked at. The query has `since`, `epoch`, `after` and `ticket`, and nothing else (400).

Where a request has an `Origin`, it must be the server's own or on the list `CHAT_CORS_ORIGINS`, written as browsers
write it. The server's own is that of `CHAT_PUBLIC_URL`; without one it is the host that the request, or a trusted proxy,
names, with the scheme that the proxy names or else with either.

What is refused is refused before the upgrade, with the body of the [error reference](errors.md), in this order: 429
`RATE_LIMITED` when the address has tried to open too many sockets lately (`CHAT_RATE_SOCKETS`); 401;
403 for a deactivated agent; 404 for an unknown session; 403 for a foreign origin, or a session that is not the caller's
to see; 400 for the query; 426 for a request that is no WebSocket, or 400 for a wrong handshake; 410 (base mode); 429
when the person has @person@ sockets open. With a ticket, 426, 400 for a wrong handshake and 403 for a foreign origin come
before the ticket is looked at. 503 may come at any time.

## Order, and resuming

Durable events have the positions 1, 2, 3 … of their session. They come in this order, without gap or repetition.

While servers of two versions run side by side, the newer one may write an event of a kind that the older one does not
know. The older one leaves it out. In extended mode a `heartbeat` with its `seq` comes in its place, so a client that looks
for gaps takes the `seq` of events and of heartbeats for its position; `replayed` in `hello` counts positions. In base mode
there is nothing to notice.

- `?since=<position>` starts right after a position: the last `seq` that the client has, or `X-Chat-Seq` of *Get
  messages*. With `&epoch=` from `hello` the server notices when the position belongs to a history that has been replaced,
  as by a restored backup.
- `?after=<messageId>` starts right after a message.
- Without either the socket starts with whatever happens next.

At most 1,000 events are replayed. When there were more, or the position lies in the future or in another epoch, extended
mode says so in `hello` and starts with whatever happens next, while base mode answers 410; the client reads the messages
over REST then. A client that connects again may get an event that it has seen, if it did not notice its arrival: in
extended mode it drops every `seq` that is not above its last one.

Where `hello` says `"resumed":false`, its `reason` is `fresh` (no position was given), `too_many_missed`, `ahead` (the
position lies in the future) or `epoch` (it belongs to another history). A page that needs the messages opens the socket
first, then reads them over REST, and drops every `seq` up to their `X-Chat-Seq`.

## An example client

A browser shows 1006 for a lost connection and for a refused handshake alike, without the status. Connect again with
`since` after a growing, random delay. After some failures in a row ask `POST …/ws-ticket`: its answer says whether the
token, the session or the right is gone. Too many sockets and a foreign origin it does not tell.

A network that dies says nothing at all, and a browser goes on for minutes as if the socket were open. A client counts on
`heartbeatMs`: when nothing has come for half as long again, it leaves the socket without waiting for its closing handshake,
and connects again. Messages are sent one after the other, since requests that run at the same time are stored in the order
in which they arrive. A page may do all of it so, with the two parts of an application that only it can know: where tokens
come from, and how a message is shown.

"#;

const MANY_SESSIONS: &str = r#"## Many sessions on one socket

`GET /ws/chat` is for clients with several sessions, as people at a desk do. It is opened as the other socket is, with
the same credentials, checks and limits, but only with `chat.v1` (else 400), and its query has nothing but `ticket`. The
client subscribes to sessions one by one:

```json
{"type":"subscribe","sessionId":"019370d0-6e1b-7c40-8a52-1f0e5d1f7a11","data":{"since":17,"epoch":"0193a1b27c4d7e5f8a6b9c0d1e2f3a4b"}}
```

- **Frames** are those of the extended mode. One that is about a session has `sessionId` beside `type`, in both directions;
  those of different sessions come in any order. `hello` is about the socket alone, `subscribed` has the rest of what it
  says on a socket of one session, and `heartbeat` has no `seq`.
- **Between `subscribed` and `unsubscribed`** the frames of a session are those of a socket of its own: `since` and `epoch`
  mean the same, and so does `seq`.
- **What ends one subscription** is `unsubscribed` with the code that would close a socket of the session, and the others go
  on. What ends the person's access to anything closes the socket: the end of the token (4401), a sign-out, a block, a
  removed key, an agent who is deactivated, and so do the faults and limits of the connection.
- **A lost socket** is opened again, and each session subscribed with the `seq` that the client has of it. A hundred
  `subscribe` may be sent at once; a few are worked off at a time.
- **A subscription counts as a socket of its session**: of more than @sessions@ of a person the oldest ends with 4409, be it a
  subscription or a socket. It does not count among the person's @person@ sockets; the socket does. A socket has at most
  @subscriptions@ subscriptions.
- `subscribe` and `unsubscribe` have a budget of their own, @subscriptionBurst@ at once and @subscriptionRate@ a minute, and
  do not count among other frames; beyond that 4429.
- **A newer token** (`auth`) is for the whole socket. With a lower role, nothing more is sent of any session before it is known
  that this role may see it.
- **A slow client** loses nothing. What waits for it is bounded for each session as on a socket of its own, and for all of them
  together; beyond that the sessions are read from the database, one after the other. Sessions with much to say take turns with
  the others.
- **The inbox** is opened with `open_inbox`: an `inbox` for each view, and then `inbox_update`. A client keeps the items of each
  view by their `id`, puts the `item` of an update in the place of the one that it has, and removes it for `null`; the last
  `counts` are those of the whole inbox. Together this is what `GET /api/chat/inbox` shows at any time, a moment later. What an
  update says of a session is as it was read after the change that caused it.
- `error` names the client's frame by its `ref`, or by its type where it has none. A frame about a session that is not
  subscribed is `NOT_SUBSCRIBED`.

"#;

const EXAMPLE_CLIENT: &str = include_str!("example_client.js");

const LIMITS: &str = r"## Time and limits

- The server pings after @ping@ seconds of silence, and closes with 4408 when nothing has come @silence@ seconds later. Every
  frame is a sign of life.
- *Delivered*: in extended mode what `ack` says; in base mode the pong to a ping that was sent after a message, which the
  server sends within @probe@ second. Receipts in both directions only ever go forward.
- `typing` frames and *Send a typing event* count together, for each person on each node (`CHAT_RATE_TYPING`); one too many
  gets an `error` frame with `RATE_LIMITED`. In a frame, `isTyping:false` counts too and is never refused.
- A client may send @burst@ frames at once and @rate@ a minute, fragments and pings among them, the answers to the server's
  pings not; beyond that 4429. A frame has at most @frame@ KiB, a message @message@ KiB in @fragments@ fragments; 1009. In
  base mode data frames mean nothing but count.
- In extended mode a text that is not strict JSON (no repeated keys, at most 127 levels), has no `type`, or does not fit
  its type is answered with 4400, and the reason says which of these it is. `seq` is a whole number from 0 to 2^63 - 1.
- A client that takes nothing for @write@ seconds of what waits for it is closed with 4413. A slow one loses nothing: what it
  has not taken is read from the database later. `typing` is left out first.
- On each node a person may have @sessions@ sockets to a session, of which one more replaces the oldest (4409), and
  @person@ in all (429).
- A socket ends with its token (4401), and no event is sent after. `auth` with a newer token of the same person prolongs it.
- The right to see the session is checked at each of its changes and every @recheck@ seconds (4403). A closed session may be
  subscribed to.
- Each close frame says why; the reason is ASCII and holds nothing that a user wrote.

";

/// A text of this page with the values of the constants.
fn with_values(text: &str) -> String {
    let (times, frames, sockets) = (SocketSettings::default(), FrameLimits::default(), SocketLimits::default());
    let values = [
        ("@ping@", times.ping_every.as_secs()),
        ("@silence@", times.silence_limit.as_secs()),
        ("@probe@", times.delivery_ping_after.as_secs()),
        ("@write@", times.write_limit.as_secs()),
        ("@recheck@", times.recheck_every.as_secs()),
        ("@burst@", FRAME_BURST.into()),
        ("@rate@", FRAMES_PER_MINUTE.into()),
        ("@frame@", frames.frame_bytes as u64 / 1024),
        ("@message@", frames.message_bytes as u64 / 1024),
        ("@fragments@", frames.fragments.into()),
        ("@sessions@", sockets.per_session as u64),
        ("@person@", sockets.per_user as u64),
        ("@ticket@", TICKET_LIFETIME.as_secs()),
        ("@ref@", MAX_REFERENCE_CHARS as u64),
        ("@subscriptions@", MAX_SUBSCRIPTIONS as u64),
        ("@subscriptionBurst@", SUBSCRIPTION_BURST.into()),
        ("@subscriptionRate@", SUBSCRIPTIONS_PER_MINUTE.into()),
    ];
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, &value.to_string()))
}

/// The reference document of the socket, in Markdown.
pub fn websocket_reference() -> String {
    let introduction = with_values(INTRODUCTION);
    let mut page = format!("{introduction}```js\n{EXAMPLE_CLIENT}```\n\n");
    page.push_str(&with_values(MANY_SESSIONS));
    page.push_str("## Frames of the server\n\n");
    page.push_str(
        "In base mode durable events are `type` and `data` alone, as in the examples of `message` and `session_update` here \
         without\n`seq`, `idempotencyKey` and people. With `chat.v1` a session has its `user` and `agent`, and a message its \
         `author`:\nan `id`, and `name` and `avatarUrl` where they are known. Other frames have ids, which the session \
         explains.\n\n",
    );
    frames(&mut page, FrameSender::Server);
    page.push_str(&with_values(
        "## Frames of the client\n\nWith `chat.v1` only. Each may have a `ref` of up to @ref@ characters beside `type` and \
         `data`, which comes back in `error`.\n\n",
    ));
    frames(&mut page, FrameSender::Client);
    page.push_str(&with_values(LIMITS));
    page.push_str("## Close codes\n\n| code | reason | meaning | what the client does |\n|---|---|---|---|\n");
    for code in CloseCode::ALL {
        let (number, reason) = (code.number(), code.reason());
        // Writing to a String cannot fail, here and below.
        let _infallible = writeln!(page, "| {number} | `{reason}` | {} | {} |", code.meaning(), code.action());
    }
    page
}

fn frames(page: &mut String, sender: FrameSender) {
    for frame in FRAMES.iter().filter(|frame| frame.sender == sender) {
        let FrameKind { name, meaning, example, .. } = frame;
        let traits = match (frame.modes, frame.durable) {
            ([SocketMode::Base, ..], true) => "all sockets, durable",
            ([SocketMode::Base, ..], false) => "all sockets, not durable",
            ([SocketMode::Multiplexed], _) => "sockets of many sessions",
            ([SocketMode::Extended], _) => "extended mode",
            (_, true) => "extended mode and sockets of many sessions, durable",
            (_, false) => "extended mode and sockets of many sessions",
        };
        // Frames of many sessions alone have no other form to show.
        let alone = (frame.modes == [SocketMode::Multiplexed]).then(|| frame.multiplexed_example());
        let example = alone.as_deref().unwrap_or(example);
        let _infallible = writeln!(page, "### `{name}`\n\n*{traits}.* {meaning}\n\n```json\n{example}\n```\n");
    }
}

#[cfg(test)]
mod tests {
    use super::{INTRODUCTION, LIMITS, MANY_SESSIONS, with_values};

    #[test]
    fn every_value_of_the_page_is_filled_in() {
        for text in [INTRODUCTION, LIMITS, MANY_SESSIONS] {
            assert!(text.contains('@') && !with_values(text).contains('@'), "{}", with_values(text));
        }
    }
}
