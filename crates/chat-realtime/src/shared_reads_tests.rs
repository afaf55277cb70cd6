//! What is kept of a read. Not in `shared_reads` itself, which is also compiled where no lock works outside a schedule.

use std::sync::Arc;

use chat_domain::model::Seq;
use chat_domain::ports::MockEventLog;
use chat_testkit::fixtures;

use crate::shared_reads::SharedReads;

#[test]
fn a_read_without_waiting_streams_is_dropped() {
    let reads = SharedReads::new(Arc::new(MockEventLog::new()), 1024);
    let first = reads.read(fixtures::session_id(1), Seq::ZERO, 10);
    let second = reads.read(fixtures::session_id(1), Seq::ZERO, 10);
    assert_eq!(reads.in_flight(), 1);
    drop(first);
    assert_eq!(reads.in_flight(), 1);
    drop(second);
    assert_eq!(reads.in_flight(), 0);
}
