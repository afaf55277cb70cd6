//! Whether all sockets of a session see one order. Hashes of ids stand for ids, to keep it small.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// What was seen so far, by session.
#[derive(Debug, Default)]
pub(super) struct Order {
    hashes: RandomState,
    /// Who follows whom. On sockets without a gap, a message has the same neighbours wherever it is seen.
    next: HashMap<(usize, u64), u64>,
    previous: HashMap<(usize, u64), u64>,
    /// Who has which position.
    at: HashMap<(usize, u64), u64>,
}

impl Order {
    pub(super) fn hash(&self, id: &str) -> u64 {
        self.hashes.hash_one(id)
    }

    /// Whether `second` right after `first` agrees with what all sockets of this session saw so far.
    pub(super) fn follows(&mut self, session: usize, first: u64, second: u64) -> bool {
        let next = *self.next.entry((session, first)).or_insert(second);
        let previous = *self.previous.entry((session, second)).or_insert(first);
        next == second && previous == first
    }

    /// Whether all sockets of this session saw this message at this position.
    pub(super) fn stands_at(&mut self, session: usize, seq: u64, message: u64) -> bool {
        *self.at.entry((session, seq)).or_insert(message) == message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_one_order_agree_and_others_do_not() {
        let mut order = Order::default();
        assert!([(1, 2), (2, 3), (3, 4)].into_iter().all(|(a, b)| order.follows(0, a, b)));
        assert!(order.follows(0, 2, 3), "another socket, the same order");
        assert!(order.follows(1, 2, 4), "another session");
        assert!(!order.follows(0, 2, 4), "3 is missing");
        assert!(!order.follows(0, 4, 2), "2 came again");
    }

    #[test]
    fn a_position_belongs_to_one_message() {
        let mut order = Order::default();
        assert!(order.stands_at(0, 1, 7) && order.stands_at(0, 1, 7) && order.stands_at(1, 1, 8));
        assert!(!order.stands_at(0, 1, 8));
    }
}
