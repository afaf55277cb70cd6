//! Positions in a session.

use std::fmt;

/// A position in the dense sequence of a session's durable changes: 1, 2, 3 … without gaps.
///
/// 0 stands before the first change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// The position before the first change.
    pub const ZERO: Self = Self(0);

    /// The position `n`.
    pub fn new(n: u64) -> Self {
        Self(n)
    }

    /// The position as a number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The position right after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
