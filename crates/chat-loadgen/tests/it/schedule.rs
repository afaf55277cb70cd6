//! The arithmetic of the open loop.

use std::time::Duration;

use chat_loadgen::load::Schedule;
use proptest::prelude::*;

#[test]
fn requests_are_due_at_even_distances_from_the_start_on() {
    let schedule = Schedule::new(1_000.0);
    assert_eq!(schedule.due_at(0), Duration::ZERO);
    assert_eq!(schedule.due_at(1), Duration::from_millis(1));
    assert_eq!(schedule.due_at(3_600_000), Duration::from_hours(1), "rounding does not add up");
    assert_eq!(schedule.due_by(Duration::ZERO), 1);
    assert_eq!(schedule.due_by(Duration::from_micros(999)), 1);
    assert_eq!(schedule.due_by(Duration::from_millis(1)), 2);
}

#[test]
fn a_stall_does_not_move_what_is_due_after_it() {
    // Five seconds without a chance to send: the backlog is what the schedule says, not what could be sent.
    let schedule = Schedule::new(200.0);
    assert_eq!(schedule.due_by(Duration::from_secs(5)), 1_001);
    assert_eq!(schedule.due_at(1_001), Duration::from_millis(5_005));
}

#[test]
fn slow_rates_have_fractions() {
    let schedule = Schedule::new(0.5);
    assert_eq!(schedule.due_at(1), Duration::from_secs(2));
}

proptest! {
    #[test]
    fn requests_due_by_a_time_are_due_at_or_before_it(rate in 0.1..100_000.0_f64, elapsed_us in 0..100_000_000_u64) {
        let schedule = Schedule::new(rate);
        let elapsed = Duration::from_micros(elapsed_us);
        let count = schedule.due_by(elapsed);
        prop_assert!(count > 0 && schedule.due_at(count - 1) <= elapsed);
        prop_assert!(schedule.due_at(count) > elapsed);
    }
}
