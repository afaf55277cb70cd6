//! The budget of a socket: bytes are counted, turns are in order, nothing is kept of sockets that are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use chat_domain::model::SocketId;
use uuid::Uuid;

use crate::socket_budget::{BudgetShare, SocketBudgets};

#[derive(Default)]
struct WakeCount(AtomicUsize);

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn socket(n: u128) -> SocketId {
    SocketId::new(Uuid::from_u128(n))
}

fn poll(share: &mut BudgetShare, woken: &Arc<WakeCount>) -> Poll<()> {
    let waker = Waker::from(Arc::clone(woken));
    share.poll_turn(&Context::from_waker(&waker))
}

#[test]
fn bytes_beyond_the_budget_are_refused_until_others_are_given_back() {
    let budget = SocketBudgets::default().of(socket(1), 100);
    assert!(budget.reserve(60));
    assert!(!budget.reserve(41));
    assert!(budget.reserve(40));
    budget.release(41);
    assert_eq!(budget.bytes(), 59);
    assert!(budget.reserve(41));
}

#[test]
fn the_turn_goes_round_in_the_order_of_asking() {
    let budget = SocketBudgets::default().of(socket(1), 100);
    let woken = [(); 3].map(|()| Arc::new(WakeCount::default()));
    let mut shares = [(); 3].map(|()| budget.share());
    assert_eq!(poll(&mut shares[0], &woken[0]), Poll::Ready(()));
    assert_eq!(poll(&mut shares[1], &woken[1]), Poll::Pending);
    assert_eq!(poll(&mut shares[2], &woken[2]), Poll::Pending);
    assert_eq!(poll(&mut shares[0], &woken[0]), Poll::Ready(()), "it has the turn still");
    shares[0].leave();
    assert_eq!(poll(&mut shares[0], &woken[0]), Poll::Pending, "others came before");
    assert_eq!(woken.each_ref().map(|count| count.0.load(Ordering::SeqCst)), [0, 1, 0]);
    assert_eq!(poll(&mut shares[2], &woken[2]), Poll::Pending);
    assert_eq!(poll(&mut shares[1], &woken[1]), Poll::Ready(()));
}

#[test]
fn who_leaves_the_line_does_not_hold_up_the_others() {
    let budget = SocketBudgets::default().of(socket(1), 100);
    let woken = [(); 3].map(|()| Arc::new(WakeCount::default()));
    let [mut first, mut second, mut third] = [(); 3].map(|()| budget.share());
    assert_eq!(poll(&mut first, &woken[0]), Poll::Ready(()));
    assert_eq!(poll(&mut second, &woken[1]), Poll::Pending);
    assert_eq!(poll(&mut third, &woken[2]), Poll::Pending);
    drop(first);
    // It was woken, and needs no turn any more.
    drop(second);
    assert_eq!(woken[2].0.load(Ordering::SeqCst), 1);
    assert_eq!(poll(&mut third, &woken[2]), Poll::Ready(()));
}

#[test]
fn a_socket_has_one_budget_which_is_forgotten_with_its_subscriptions() {
    let budgets = SocketBudgets::default();
    let (first, same) = (budgets.of(socket(1), 100), budgets.of(socket(1), 100));
    assert!(Arc::ptr_eq(&first, &same));
    assert!(first.reserve(100));
    drop((first, same));
    for n in 2..1_000 {
        assert!(budgets.of(socket(n), 100).reserve(100));
    }
    assert!(budgets.known() <= 64, "{}", budgets.known());
}
