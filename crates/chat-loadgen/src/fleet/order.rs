//! Whether all sockets of a session get one order. Hashes of ids stand for ids, to keep it small.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// What came so far, by path.
#[derive(Debug, Default)]
pub(super) struct OrderCheck {
    hashes: RandomState,
    /// Which message follows which. On sockets without a gap, a message has the same neighbours on all of them.
    next: HashMap<(usize, u64), u64>,
    previous: HashMap<(usize, u64), u64>,
    /// Which message has which sequence number.
    by_seq: HashMap<(usize, u64), u64>,
}

impl OrderCheck {
    pub(super) fn hash(&self, id: &str) -> u64 {
        self.hashes.hash_one(id)
    }

    /// Whether `second` right after `first` agrees with what all sockets of this path got so far.
    pub(super) fn follows(&mut self, place: usize, first: u64, second: u64) -> bool {
        let next = *self.next.entry((place, first)).or_insert(second);
        let previous = *self.previous.entry((place, second)).or_insert(first);
        next == second && previous == first
    }

    /// Whether all sockets of this path got this message with this sequence number.
    pub(super) fn has_seq(&mut self, place: usize, seq: u64, message: u64) -> bool {
        *self.by_seq.entry((place, seq)).or_insert(message) == message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_one_order_agree_and_others_do_not() {
        let mut order = OrderCheck::default();
        assert!([(1, 2), (2, 3), (3, 4)].into_iter().all(|(a, b)| order.follows(0, a, b)));
        assert!(order.follows(0, 2, 3), "another socket, the same order");
        assert!(order.follows(1, 2, 4), "another path");
        assert!(!order.follows(0, 2, 4), "3 is missing");
        assert!(!order.follows(0, 4, 2), "2 came again");
    }

    #[test]
    fn a_seq_belongs_to_one_message() {
        let mut order = OrderCheck::default();
        assert!(order.has_seq(0, 1, 7) && order.has_seq(0, 1, 7) && order.has_seq(1, 1, 8));
        assert!(!order.has_seq(0, 1, 8));
    }
}
