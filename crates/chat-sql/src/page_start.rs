//! Where a page of the list of sessions starts, found from the counters by bucket instead of by walking to it.
//!
//! The list is in the order of the time at which sessions started, newest first, and so are the buckets. Whole buckets
//! are subtracted from the number of sessions to be skipped until the rest lies inside one of them; the same again
//! among the narrower buckets in that one. What is left is skipped in the narrowest bucket, session by session.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::Corrupt;
use crate::session_counts::LEVELS;

/// How many sessions are skipped by walking along the index of the list. Reading the counters would cost more there, on
/// either database.
pub const WALK_AT_MOST: u64 = 256;

/// The place of a page in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageStart {
    /// Only sessions that started at this moment or before are on the page or skipped, in milliseconds since 1970.
    pub latest: i64,
    /// How many of those are skipped.
    pub skip: u64,
}

/// Buckets of a level that are next to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// One of [`LEVELS`].
    pub level: i32,
    /// Their numbers.
    pub numbers: RangeInclusive<i64>,
}

impl PageStart {
    /// The start of the page before which the list has `offset` sessions; `None` when it has not that many and one more.
    ///
    /// `count` reads how many sessions of the list are in each bucket of a range: pairs of a bucket's number and a
    /// number of sessions, in any order, several of the same bucket to be added up; empty buckets may be missing. All
    /// that is read here and on the page has to be of one moment. Nothing is read for an offset of up to
    /// [`WALK_AT_MOST`].
    ///
    /// # Errors
    /// What `count` fails with, and a negative number of sessions.
    pub fn find<E: From<Corrupt>>(
        offset: u64,
        mut count: impl FnMut(&Buckets) -> Result<Vec<(i64, i64)>, E>,
    ) -> Result<Option<Self>, E> {
        let mut start = Self { latest: i64::MAX, skip: offset };
        if offset <= WALK_AT_MOST {
            return Ok(Some(start));
        }
        for level in LEVELS {
            let within = match LEVELS.iter().rev().find(|coarser| **coarser > level) {
                Some(coarser) => start.latest >> coarser << coarser,
                None => i64::MIN,
            };
            let buckets = Buckets { level, numbers: within >> level..=start.latest >> level };
            match skip_buckets(start.skip, count(&buckets)?)? {
                Some((bucket, skip)) => start = Self { latest: (bucket << level) | ((1 << level) - 1), skip },
                None => return Ok(None),
            }
        }
        Ok(Some(start))
    }
}

/// The bucket that has the place after `skip` sessions, newest buckets first, and how many of them are in it.
fn skip_buckets(mut skip: u64, counts: Vec<(i64, i64)>) -> Result<Option<(i64, u64)>, Corrupt> {
    let mut by_bucket: BTreeMap<i64, i64> = BTreeMap::new();
    for (bucket, count) in counts {
        *by_bucket.entry(bucket).or_default() += count;
    }
    for (bucket, count) in by_bucket.into_iter().rev() {
        let count = crate::from_db("chat_session_buckets", count)?;
        if skip < count {
            return Ok(Some((bucket, skip)));
        }
        skip -= count;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::session_counts::FINEST;

    const WIDTH: i64 = 1 << FINEST;

    /// The counters of these sessions, as a store reads them. `reads` collects how many rows each look took.
    fn counter<'a>(
        started: &'a [i64],
        reads: &'a mut Vec<usize>,
    ) -> impl FnMut(&Buckets) -> Result<Vec<(i64, i64)>, Corrupt> + 'a {
        move |wanted| {
            let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
            for ms in started {
                let bucket = ms >> wanted.level;
                if wanted.numbers.contains(&bucket) {
                    *counts.entry(bucket).or_default() += 1;
                }
            }
            reads.push(counts.len());
            // The rows of two writers, one of which has closed more of a kind than it opened.
            Ok(counts.into_iter().flat_map(|(bucket, count)| [(bucket, count + 2), (bucket, -2)]).collect())
        }
    }

    /// The moment at which the session after `offset` others started, found by way of the page's start.
    fn started_after(newest_first: &[i64], offset: u64) -> Option<i64> {
        let mut reads = Vec::new();
        let start = PageStart::find(offset, counter(newest_first, &mut reads)).unwrap()?;
        if offset > WALK_AT_MOST {
            assert_eq!(reads.len(), LEVELS.len());
            assert!(reads.iter().skip(1).all(|rows| *rows <= 256), "{reads:?}");
        }
        let mut page = newest_first.iter().filter(|ms| **ms <= start.latest).skip(usize::try_from(start.skip).unwrap());
        page.next().copied()
    }

    /// Moments that are often equal, often on both sides of a bucket's border, and years apart.
    fn moments() -> impl Strategy<Value = i64> {
        let border = (prop::sample::select(LEVELS.to_vec()), -3_i64..3, -2_i64..2);
        prop_oneof![
            border.prop_map(|(level, number, beside)| (number << level) + beside),
            0..3 * WIDTH,
            -62_167_219_200_000_i64..253_402_300_799_999,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_start_is_that_of_a_naive_walk(mut started in prop::collection::vec(moments(), 0..600)) {
            started.sort_unstable_by(|a, b| b.cmp(a));
            for offset in (0..started.len() + 3).filter(|offset| offset % 7 == 0 || *offset > 250) {
                let naive = started.get(offset).copied();
                prop_assert_eq!(started_after(&started, offset as u64), naive);
            }
        }
    }

    #[test]
    fn what_is_left_to_skip_lies_in_one_narrow_bucket() {
        let started: Vec<i64> = (0..2_000).rev().map(|n| n * 1_000).collect();
        for offset in [257, 1_000, 1_999] {
            let start = PageStart::find(offset, counter(&started, &mut Vec::new())).unwrap().unwrap();
            assert!(start.skip <= 66, "{start:?}");
            assert_eq!(start.latest & (WIDTH - 1), WIDTH - 1, "{start:?}");
        }
        assert_eq!(PageStart::find(2_000, counter(&started, &mut Vec::new())).unwrap(), None);
    }

    #[test]
    fn little_is_skipped_without_a_look_at_the_counters() {
        let unread = |_: &Buckets| -> Result<Vec<(i64, i64)>, Corrupt> { panic!("read for nothing") };
        let start = PageStart::find(WALK_AT_MOST, unread).unwrap();
        assert_eq!(start, Some(PageStart { latest: i64::MAX, skip: WALK_AT_MOST }));
    }

    #[test]
    fn a_negative_number_of_sessions_is_an_error() {
        let negative = |_: &Buckets| Ok::<_, Corrupt>(vec![(1, 1), (1, -2)]);
        assert_eq!(PageStart::find(1_000, negative).unwrap_err().column, "chat_session_buckets");
    }
}
