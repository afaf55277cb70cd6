//! Which connections are read with, shown with connections that are numbers.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Makes the connections 1, 2, 3 …
#[derive(Default)]
struct Numbers {
    made: AtomicU32,
    /// The connection that leads to another place than new ones would; 0 for none.
    moved: Arc<AtomicU32>,
}

impl ManageConnection for Numbers {
    type Connection = u32;
    type Error = io::Error;

    fn connect(&self) -> io::Result<u32> {
        Ok(self.made.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn is_valid(&self, connection: &mut u32) -> io::Result<()> {
        let moved = self.moved.load(Ordering::SeqCst) == *connection;
        if moved { Err(io::Error::other("a standby now")) } else { Ok(()) }
    }

    fn has_broken(&self, _: &mut u32) -> bool {
        false
    }
}

#[derive(Debug)]
struct Unprepared;

impl CustomizeConnection<u32, io::Error> for Unprepared {}

impl ReadFailure for ChatError {
    fn is_lost(&self) -> bool {
        false
    }
}

fn reads(numbers: Numbers, lifetime: ConnectionLifetime) -> Reads<Numbers> {
    let timeout = Duration::from_secs(30);
    // With the one for look-ups there are two connections.
    let limits = ReadLimits { store: "numbers", connections: 1, queue: 8, timeout, lifetime: Some(lifetime) };
    Reads::start(numbers, Box::new(Unprepared), limits).unwrap()
}

async fn used(reads: &Reads<Numbers>) -> u32 {
    reads.run(|connection| Ok::<_, ChatError>(*connection)).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_is_old_is_replaced_before_its_next_read() {
    let day = Duration::from_hours(24);
    let young = reads(Numbers::default(), ConnectionLifetime { at_most: day, check_every: day });
    for _ in 0..10 {
        // Either of the two: one may not be back when the next read begins.
        assert!(used(&young).await <= 2);
    }
    let old = reads(Numbers::default(), ConnectionLifetime { at_most: Duration::ZERO, check_every: day });
    let first = used(&old).await;
    assert!(used(&old).await > first, "it was old as soon as it was made");
}

#[tokio::test]
async fn a_connection_that_leads_elsewhere_is_replaced_before_its_next_read() {
    let moved = Arc::new(AtomicU32::new(0));
    let numbers = Numbers { moved: Arc::clone(&moved), ..Numbers::default() };
    let day = Duration::from_hours(24);
    let reads = reads(numbers, ConnectionLifetime { at_most: day, check_every: Duration::ZERO });
    let first = used(&reads).await;
    moved.store(first, Ordering::SeqCst);
    for _ in 0..10 {
        assert_ne!(used(&reads).await, first);
    }
}

#[test]
fn connections_end_at_different_moments_in_the_second_half_of_their_time() {
    let lifetime = ConnectionLifetime { at_most: Duration::from_mins(30), check_every: Duration::from_secs(10) };
    let now = Instant::now();
    let ends: Vec<Duration> = (0..100).map(|_| lifetime.end().unwrap().duration_since(now)).collect();
    let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
    assert!(*first >= Duration::from_mins(15) && *last <= Duration::from_mins(31), "{first:?} to {last:?}");
    assert!(*last > *first + Duration::from_mins(5), "{first:?} to {last:?}");
}
