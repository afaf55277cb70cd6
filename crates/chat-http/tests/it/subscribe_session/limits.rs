//! What the server puts up with from a client.

use std::time::{Duration, Instant};

use chat_http::{HttpSettings, SocketSettings};
use tokio_tungstenite::tungstenite::Message;

use crate::support::app::Options;
use crate::support::raw::{RawClient, RawFrame, client_frame};

/// A frame may have this many bytes.
const MAX_FRAME_BYTES: usize = 16 * 1024;

/// How long a peer may be silent that is on a busy machine, and not meant to be given up.
const AMPLE: Duration = Duration::from_secs(5);

fn pinging(ping_every: Duration, silence_limit: Duration) -> Options {
    let sockets = SocketSettings { ping_every, silence_limit, ..SocketSettings::default() };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

fn impatience() -> Options {
    pinging(Duration::from_millis(10), Duration::from_millis(200))
}

fn many_pings() -> Options {
    pinging(Duration::from_millis(10), Duration::from_hours(1))
}

fn patience() -> Options {
    pinging(Duration::from_millis(100), AMPLE)
}

fn little_time_to_write() -> Options {
    let sockets = SocketSettings { write_limit: Duration::from_millis(50), ..SocketSettings::default() };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

on_every_store! {
    async fn forty_frames_may_come_at_once(app) {
        let session = app.open_session("alice").await;
        let mut client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
        client.send(&client_frame(RawFrame::TEXT, b"{}").repeat(40)).await;
        app.say("alice", &session, "still here").await;
        let frame = client.read_frame().await;
        assert_eq!(frame.opcode, RawFrame::TEXT, "{frame:?}");
    }

    async fn a_client_that_sends_too_many_frames_gets_the_seconds_to_wait(app) {
        let session = app.open_session("alice").await;
        for opcode in [RawFrame::TEXT, RawFrame::PING, RawFrame::PONG] {
            let mut client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
            // More than one second can earn meanwhile.
            client.send(&client_frame(opcode, b"").repeat(60)).await;
            assert_eq!(client.read_close().await, (4429, "too many frames; wait 30 seconds".to_owned()));
        }
        app.until_no_session_is_watched().await;
    }

    async fn a_frame_at_the_limit_is_taken_and_one_byte_more_ends_the_socket(app) {
        let session = app.open_session("alice").await;
        let mut client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
        client.send(&client_frame(RawFrame::TEXT, &vec![b'x'; MAX_FRAME_BYTES])).await;
        app.say("alice", &session, "still here").await;
        assert_eq!(client.read_frame().await.opcode, RawFrame::TEXT);
        client.send(&client_frame(RawFrame::TEXT, &vec![b'x'; MAX_FRAME_BYTES + 1])).await;
        assert_eq!(client.read_close().await, (1009, "frame too large".to_owned()));
        app.until_no_session_is_watched().await;
    }

    async fn a_length_above_the_limit_is_refused_before_the_body_is_read(app) {
        let session = app.open_session("alice").await;
        for length in [1_u64 << 40, (1 << 63) - 1] {
            let mut client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
            client.send(&[0x81, 0xff]).await;
            client.send(&length.to_be_bytes()).await;
            client.send_as_far_as_it_goes(&[0; 4]).await;
            assert_eq!(client.read_close().await.0, 1009);
        }
        app.until_no_session_is_watched().await;
    }

    async fn a_million_empty_frames_close_the_socket(app) {
        let session = app.open_session("alice").await;
        let mut fragments = client_frame(RawFrame::CONTINUATION, b"").repeat(1_000_000);
        fragments[0] = 0x80 | RawFrame::TEXT;
        for frame in fragments.chunks_mut(6) {
            // None of them is the last one.
            frame[0] &= 0x7f;
        }
        let pings = client_frame(RawFrame::PING, b"").repeat(1_000_000);
        for (flood, code) in [(fragments, 1009), (pings, 4429)] {
            let client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
            let closed = client.flood(&flood).await;
            assert_eq!(closed.0, code);
        }
        app.until_no_session_is_watched().await;
    }

    async fn a_client_that_breaks_the_protocol_gets_the_close_code(app) {
        let session = app.open_session("alice").await;
        let unmasked = b"\x81\x02hi";
        let reserved_opcode = client_frame(3, b"hi");
        let long_ping = client_frame(RawFrame::PING, &[0; 126]);
        for frame in [&unmasked[..], &reserved_opcode, &long_ping] {
            let mut client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
            client.send(frame).await;
            let (number, reason) = client.read_close().await;
            assert_eq!((number, reason.as_str()), (1002, "protocol error"), "{:?}", &frame[..2]);
        }
        app.until_no_session_is_watched().await;
    }
}

on_every_store! {
    with impatience;

    async fn a_peer_that_answers_no_ping_is_closed_with_4408(app) {
        let session = app.open_session("alice").await;
        let mut silent = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
        assert_eq!(silent.read_close().await, (4408, "no sign of life".to_owned()));
        app.until_no_session_is_watched().await;
    }
}

on_every_store! {
    with many_pings;

    async fn late_answers_to_many_pings_are_no_flood(app) {
        let session = app.open_session("alice").await;
        let mut client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
        // More pings than frames may come at once, answered all together as RFC 6455, 5.5.3 allows.
        let mut pongs = Vec::new();
        for _ in 0..15 {
            let ping = client.read_frame().await;
            assert_eq!(ping.opcode, RawFrame::PING, "{ping:?}");
            pongs.extend(client_frame(RawFrame::PONG, &ping.payload));
        }
        pongs.extend(client_frame(RawFrame::TEXT, b"{}").repeat(40));
        client.send(&pongs).await;
        app.say("alice", &session, "still here").await;
        let mut frame = client.read_frame().await;
        while frame.opcode == RawFrame::PING {
            frame = client.read_frame().await;
        }
        assert_eq!(frame.opcode, RawFrame::TEXT, "{frame:?}");
    }
}

on_every_store! {
    with patience;

    async fn a_peer_that_answers_pings_stays(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        // Longer than a silent peer would be borne with.
        let begun = Instant::now();
        while begun.elapsed() < AMPLE + Duration::from_secs(1) {
            let frame = socket.raw().await;
            assert!(matches!(frame, Some(Message::Ping(_))), "{frame:?}");
        }
        app.say("alice", &session, "still here").await;
        assert_eq!(socket.next().await["type"], "message");
    }
}

on_every_store! {
    with little_time_to_write;

    async fn a_peer_that_stops_reading_holds_its_socket_for_the_write_limit(app) {
        let session = app.open_session("alice").await;
        let _stuck = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
        let mut reader = app.watch("alice", &session, "").await;
        let long = "\u{1f680}".repeat(10_000);
        // 40 kB each: more than all the buffers on the way to the stuck peer hold, long before the last one.
        for _ in 0..1_000 {
            if app.hub.subscriptions() == 1 {
                break;
            }
            app.say("alice", &session, &long).await;
            assert_eq!(reader.next().await["type"], "message", "a client that reads is not delayed");
        }
        assert_eq!(app.hub.subscriptions(), 1, "only the one that reads is left");
    }
}
