//! When the repair compares which sessions, without a clock, a hub or a log.

use std::time::Duration;

use chat_domain::model::{Seq, SessionId};
use chat_domain::ports::MAX_HEADS;

use chat_realtime::RepairRules;
use chat_realtime::SuspectedGap;
use chat_realtime::internals::{GapReports, Repair, RepairNotice, RepairTask};
use chat_testkit::fixtures;

const START: Duration = Duration::from_hours(1);
const PART: SuspectedGap = SuspectedGap::Shard { index: 3, of: 64 };
const OTHER_PART: SuspectedGap = SuspectedGap::Shard { index: 4, of: 64 };

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn repair() -> Repair {
    Repair::new(RepairRules::default(), START)
}

fn missed(gap: SuspectedGap) -> GapReports {
    GapReports { gaps: vec![gap], ..GapReports::default() }
}

fn received(reachable: bool) -> GapReports {
    GapReports { peers_reachable: Some(reachable), ..GapReports::default() }
}

fn sessions(count: u64) -> Vec<SessionId> {
    (1..=count).map(fixtures::session_id).collect()
}

/// Performs the tasks of the repair from `from` to `until`, on a log that is never ahead; returns when it listed what.
fn lists(repair: &mut Repair, from: Duration, until: Duration) -> Vec<(u128, Vec<SuspectedGap>)> {
    let (mut now, mut lists) = (from, Vec::new());
    while now < until {
        match repair.next(now) {
            RepairTask::List(concerned) => {
                lists.push((now.saturating_sub(START).as_millis(), concerned));
                repair.listed(sessions(1));
            }
            RepairTask::Compare(_) => repair.compared([], now),
            RepairTask::MarkGap(..) => panic!("no session has a gap"),
            RepairTask::WaitUntil(time) => {
                assert!(time > now, "it waits for something that is over");
                now = time;
            }
        }
    }
    lists
}

#[test]
fn reports_within_the_patience_cause_one_comparison() {
    let mut repair = repair();
    repair.report(missed(PART), START);
    repair.report(missed(PART), START + ms(10));
    repair.report(missed(OTHER_PART), START + ms(40));
    assert_eq!(repair.next(START + ms(49)), RepairTask::WaitUntil(START + ms(50)));
    assert_eq!(repair.next(START + ms(50)), RepairTask::List(vec![PART, OTHER_PART]));
    assert_eq!(repair.next(START + ms(50)), RepairTask::WaitUntil(START + ms(15_000)));
}

#[test]
fn a_report_after_a_comparison_causes_another_one() {
    let mut repair = repair();
    repair.report(missed(PART), START);
    assert_eq!(repair.next(START + ms(50)), RepairTask::List(vec![PART]));
    repair.report(missed(PART), START + ms(60));
    assert_eq!(repair.next(START + ms(60)), RepairTask::WaitUntil(START + ms(110)));
    assert_eq!(repair.next(START + ms(110)), RepairTask::List(vec![PART]));
}

#[test]
fn all_sessions_are_compared_every_fifteen_seconds() {
    let all = vec![SuspectedGap::AllSessions];
    let looks = lists(&mut repair(), START, START + ms(50_000));
    assert_eq!(looks, [(15_000, all.clone()), (30_000, all.clone()), (45_000, all)]);
}

#[test]
fn unreachable_peers_make_sweeps_frequent_and_each_change_sweeps_at_once() {
    let mut repair = repair();
    repair.report(received(false), START + ms(2_500));
    let times = |lists: Vec<(u128, Vec<SuspectedGap>)>| lists.into_iter().map(|(time, _)| time).collect::<Vec<_>>();
    assert_eq!(times(lists(&mut repair, START + ms(2_500), START + ms(5_400))), [2_500, 3_500, 4_500]);
    repair.report(received(false), START + ms(5_400));
    assert_eq!(repair.next(START + ms(5_400)), RepairTask::WaitUntil(START + ms(5_500)), "that is not new");
    repair.report(received(true), START + ms(5_450));
    assert_eq!(times(lists(&mut repair, START + ms(5_450), START + ms(30_000))), [5_450, 20_450]);
}

#[test]
fn a_sweep_covers_the_reports_before_it() {
    let mut repair = repair();
    repair.report(missed(PART), START + ms(14_980));
    assert_eq!(repair.next(START + ms(15_000)), RepairTask::List(vec![SuspectedGap::AllSessions]));
    assert_eq!(repair.next(START + ms(15_040)), RepairTask::WaitUntil(START + ms(30_000)));
}

#[test]
fn pauses_after_failures_double_to_five_seconds_and_keep_all_sessions() {
    let mut repair = repair();
    let (mut now, mut pauses) = (START + ms(15_000), Vec::new());
    assert_eq!(repair.next(now), RepairTask::List(vec![SuspectedGap::AllSessions]));
    repair.listed(sessions(2));
    for _ in 0..9 {
        let RepairTask::Compare(asked) = repair.next(now) else { panic!("the sessions are still to be compared") };
        assert_eq!(asked, sessions(2));
        repair.failed(asked, now);
        // What is reported meanwhile makes it ask no sooner.
        repair.report(missed(PART), now);
        let RepairTask::WaitUntil(time) = repair.next(now) else { panic!("the log is left alone") };
        pauses.push(time.saturating_sub(now).as_millis());
        now = time;
    }
    assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    assert_eq!(repair.next(now), RepairTask::Compare(sessions(2)));
    repair.compared([], now);
    assert_eq!(repair.notices(), [RepairNotice::LogUnavailable, RepairNotice::LogAvailable], "each is said once");
    assert!(matches!(repair.next(now), RepairTask::List(_)), "what was reported meanwhile is looked at too");
    repair.listed(sessions(1));
    repair.failed(sessions(1), now);
    assert_eq!(repair.next(now), RepairTask::WaitUntil(now + ms(100)), "the pauses start again");
}

#[test]
fn many_sessions_are_compared_in_batches_and_each_once() {
    let all = sessions(2 * MAX_HEADS as u64 + 1);
    let mut repair = repair();
    let now = START + ms(15_000);
    assert_eq!(repair.next(now), RepairTask::List(vec![SuspectedGap::AllSessions]));
    repair.listed(all.clone());
    let (mut compared, mut sizes, mut failed_once) = (Vec::new(), Vec::new(), false);
    let mut later = now;
    loop {
        match repair.next(later) {
            RepairTask::Compare(batch) if sizes.len() == 1 && !failed_once => {
                failed_once = true;
                repair.failed(batch, later);
                later += ms(100);
            }
            RepairTask::Compare(batch) => {
                sizes.push(batch.len());
                compared.extend(batch);
                repair.compared([], later);
            }
            other => break assert!(matches!(other, RepairTask::WaitUntil(_)), "{other:?}"),
        }
    }
    assert!(failed_once);
    assert_eq!(sizes, [MAX_HEADS, MAX_HEADS, 1]);
    compared.sort_unstable();
    let mut all = all;
    all.sort_unstable();
    assert_eq!(compared, all);
}

#[test]
fn suspects_are_repaired_after_the_patience_although_the_log_fails() {
    let mut repair = repair();
    let now = START + ms(15_000);
    let behind = (fixtures::session_id(1), Seq::new(7));
    assert!(matches!(repair.next(now), RepairTask::List(_)));
    repair.listed(sessions(1));
    assert!(matches!(repair.next(now), RepairTask::Compare(_)));
    repair.compared([behind], now);
    repair.listed(sessions(1));
    repair.failed(sessions(1), now);
    assert_eq!(repair.next(now + ms(49)), RepairTask::WaitUntil(now + ms(50)));
    assert_eq!(repair.next(now + ms(50)), RepairTask::MarkGap(behind.0, behind.1));
    assert!(matches!(repair.next(now + ms(50)), RepairTask::WaitUntil(_)), "once");
}

#[test]
fn repairs_are_counted_until_peers_are_reachable_again() {
    let mut repair = repair();
    repair.report(received(false), START);
    assert_eq!(repair.notices(), [RepairNotice::PeersUnreachable]);
    assert!(matches!(repair.next(START), RepairTask::List(_)));
    repair.listed(sessions(1));
    assert!(matches!(repair.next(START), RepairTask::Compare(_)));
    repair.compared([(fixtures::session_id(1), Seq::new(2))], START);
    assert!(matches!(repair.next(START + ms(50)), RepairTask::MarkGap(..)));
    repair.repaired();
    repair.report(received(true), START + ms(60));
    assert!(repair.notices().is_empty(), "not before all sessions have been compared");
    let looks = lists(&mut repair, START + ms(60), START + ms(1_000));
    assert_eq!(looks, [(60, vec![SuspectedGap::AllSessions])]);
    assert_eq!(repair.notices(), [RepairNotice::PeersReachable { repaired: 1 }]);
}
