//! Close frames, received and sent.

use crate::{Frame, Incoming, PeerClose};

use super::support::{CLOSE, FIN, PING, TEXT, frame, name, receive};

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

#[test]
fn codes_are_allowed_or_refused_as_the_table_says() {
    let allowed = [1000..=1003, 1007..=1014, 3000..=4999];
    for code in (0..=6000).chain([u16::MAX]) {
        let (received, broken) = receive(&close(code, b""));
        if allowed.iter().any(|range| range.contains(&code)) {
            let expected = Incoming::Close(Some(PeerClose { code, reason: "".into() }));
            assert_eq!(received, [expected]);
        } else {
            assert_eq!(name(broken.as_ref()), "1002", "{code}");
        }
    }
}

#[test]
fn a_close_may_be_empty_and_may_have_a_reason() {
    assert_eq!(receive(&frame(FIN | CLOSE, b"")).0, [Incoming::Close(None)]);
    let reason = "ä".repeat(61);
    let expected = Incoming::Close(Some(PeerClose { code: 4000, reason: reason.as_str().into() }));
    assert_eq!(receive(&close(4000, reason.as_bytes())).0, [expected]);
}

#[test]
fn half_a_close_code_and_a_reason_not_in_utf8_are_refused() {
    assert_eq!(name(receive(&frame(FIN | CLOSE, b"\x03")).1.as_ref()), "1002");
    assert_eq!(name(receive(&close(1000, b"\xFF")).1.as_ref()), "1007");
}

#[test]
fn nothing_is_received_after_a_close() {
    let bytes = [close(1000, b"bye"), frame(FIN | TEXT, b"one more"), frame(FIN | PING, b"")].concat();
    let (received, broken) = receive(&bytes);
    assert_eq!(received.len(), 1);
    assert_eq!(name(broken.as_ref()), "NotConnected");
}

#[test]
fn a_close_frame_has_its_code_and_as_much_of_the_reason_as_fits() {
    assert_eq!(Frame::close(1001, "draining").as_bytes(), b"\x88\x0A\x03\xE9draining");
    let long = Frame::close(4000, &"ä".repeat(100));
    // 2 of the header, 2 of the code, 61 whole characters: the 62nd would need the byte 124.
    assert_eq!(long.as_bytes().len(), 2 + 2 + 122);
    assert_eq!(std::str::from_utf8(&long.as_bytes()[4..]), Ok("ä".repeat(61).as_str()));
}

#[test]
fn pings_and_pongs_carry_at_most_125_bytes() {
    let bytes = [7; 200];
    assert_eq!(Frame::ping(&bytes).as_bytes(), [&[0x89, 125][..], &bytes[..125]].concat());
    assert_eq!(Frame::pong(&bytes[..3]).as_bytes(), [0x8A, 3, 7, 7, 7]);
}
