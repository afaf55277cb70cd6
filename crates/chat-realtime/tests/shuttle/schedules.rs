//! The scenarios, each tried in many schedules, and the faults that such a search must find.
//!
//! With `CHAT_TEST_LONG=1` the scenarios together are tried in more than 100,000 schedules, else in some thousands.

use std::env;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Relaxation};
use std::time::Instant;

use chat_domain::model::{LiveEvent, Seq};
use chat_domain::ports::{Notifier, SocketCloser, StartPosition, StreamCloseReason};
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner, thread};

use crate::peers::{PeerSink, SuspectedGap, session_shard};
use crate::repair_driver::run_repair_with;
use crate::shared_reads::SharedReads;
use crate::sync::{AtomicBool, Ordering};
use crate::world::{Log, Order, World, after, session, socket_id};

/// How many schedules of a scenario are tried, with each of the two ways to choose them.
const SHORT: usize = 400;
const LONG: usize = 15_000;
/// The number of changes of the running thread at chosen places that the second way tries: faults need few.
const DEPTH: usize = 3;
/// A fault that is not found in so many schedules counts as not found.
const SEARCH: usize = 20_000;

/// How many events the session has before the first subscription.
const PAST: u64 = 3;
const WRITERS: u64 = 2;
/// Each writer writes so many.
const WRITTEN: u64 = 3;
const LAST: u64 = PAST + WRITERS * WRITTEN;

fn config() -> Config {
    let mut config = Config::default();
    config.failure_persistence = FailurePersistence::None;
    // The longest scenario takes some hundreds.
    config.max_steps = MaxSteps::FailAfter(20_000);
    config
}

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) -> usize {
    Runner::new(scheduler, config()).run(scenario)
}

/// Tries many schedules of the scenario. Any violation or deadlock is a panic.
pub(crate) fn try_schedules(name: &str, scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let schedules = if env::var_os("CHAT_TEST_LONG").is_some_and(|long| long == "1") { LONG } else { SHORT };
    let started = Instant::now();
    let tried = run(RandomScheduler::new(schedules), scenario) + run(PctScheduler::new(DEPTH, schedules), scenario);
    assert_eq!(tried, 2 * schedules);
    println!("{name}: {tried} schedules without violation in {:.1} s", started.elapsed().as_secs_f64());
}

/// Fails unless some schedule of the scenario goes wrong. Prints how many it took.
pub(crate) fn find_the_fault(name: &str, scenario: impl Fn() + Send + Sync + 'static) {
    let tried = Arc::new(AtomicUsize::new(0));
    let counted = {
        let tried = Arc::clone(&tried);
        move || {
            tried.fetch_add(1, Relaxation::Relaxed);
            scenario();
        }
    };
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| run(RandomScheduler::new(SEARCH), counted)));
    let (tried, seconds) = (tried.load(Relaxation::Relaxed), started.elapsed().as_secs_f64());
    assert!(outcome.is_err(), "{name}: not found in {tried} schedules");
    assert!(seconds < 10.0, "{name}: found only after {seconds} s");
    println!("{name}: found in schedule {tried}, after {seconds:.3} s");
}

fn spawn_writers(world: &World) -> Vec<thread::JoinHandle<()>> {
    let writer = || {
        let world = world.clone();
        thread::spawn(move || (0..WRITTEN).for_each(|_| world.happen()))
    };
    (0..WRITERS).map(|_| writer()).collect()
}

fn spawn_watcher(world: &World, socket: u64, start: StartPosition, order: Order) -> thread::JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || {
        block_on(async {
            let mut subscriber = world.subscribe(socket, start, order).await;
            subscriber.recv_up_to(LAST).await;
        });
    })
}

pub(crate) fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

fn no_subscription_is_left(world: &World) {
    assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (0, 0));
}

/// Everything that is committed is published. No time passes and no repair runs: neither is needed.
fn joining(order: Order) {
    let world = World::with_past(PAST);
    let writers = spawn_writers(&world);
    let subscribers = [
        spawn_watcher(&world, 1, after(0), order),
        spawn_watcher(&world, 2, after(PAST), order),
        spawn_watcher(&world, 3, StartPosition::Now, order),
    ];
    let leaver = {
        let world = world.clone();
        thread::spawn(move || {
            block_on(async {
                let mut subscriber = world.subscribe(4, after(PAST - 1), order).await;
                assert!(subscriber.recv().await.is_ok());
            });
        })
    };
    join(writers);
    join(subscribers);
    join([leaver]);
    no_subscription_is_left(&world);
}

#[test]
fn subscribing_among_writers_misses_nothing_in_any_order_of_threads() {
    try_schedules("joining", || joining(Order::AsBuilt));
}

#[test]
fn reading_the_head_before_registering_is_detected_as_a_loss() {
    find_the_fault("head before registering", || joining(Order::HeadFirst));
}

#[test]
fn skipping_the_head_is_detected_as_a_loss() {
    find_the_fault("no head", || joining(Order::NoHead));
}

/// Publications are lost, doubled and out of order, other nodes become unreachable and reachable again, while
/// subscribers come and go.
fn losing(with_repair: bool) {
    let world = World::with_past(PAST);
    let repair = with_repair.then(|| {
        let world = world.clone();
        thread::spawn(move || block_on(run_repair_with(world.hub, world.log as _, world.timer as _)))
    });
    let over = Arc::new(AtomicBool::new(false));
    let time = {
        let (timer, over) = (Arc::clone(&world.timer), Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                timer.jump();
                thread::yield_now();
            }
        })
    };
    let writers = [0, 1].map(|writer| {
        let world = world.clone();
        thread::spawn(move || lossy_writer(&world, writer))
    });
    let subscribers = [
        spawn_watcher(&world, 1, after(0), Order::AsBuilt),
        spawn_watcher(&world, 2, StartPosition::Now, Order::AsBuilt),
    ];
    join(writers);
    join(subscribers);
    no_subscription_is_left(&world);
    world.hub.shutdown();
    over.store(true, Ordering::SeqCst);
    join(repair.into_iter().chain([time]));
}

/// Of three events each, one writer's last is lost and reported, the other's are late, doubled and lost without a
/// report.
fn lossy_writer(world: &World, writer: u64) {
    if writer == 0 {
        world.happen();
        world.happen();
        world.hub.set_peers_reachable(false);
        world.log.commit();
        world.hub.mark_suspect(SuspectedGap::Shard { index: session_shard(session(), 64), of: 64 });
        world.hub.set_peers_reachable(true);
    } else {
        let [early, late] = [world.log.commit(), world.log.commit()];
        for event in [&late, &early, &late] {
            world.hub.publish(LiveEvent::Durable(event.clone()));
        }
        world.log.commit();
    }
}

#[test]
fn lost_events_are_repaired_in_any_order_of_threads() {
    try_schedules("losing and repairing", || losing(true));
}

/// The same without the repair goes wrong, so it is the repair that fixes it. Time stands still then, and the
/// search ends at the limit of a schedule's steps.
#[test]
fn a_missing_repair_is_detected_as_a_loss() {
    find_the_fault("no repair", || losing(false));
}

/// The hub is shut down, and a socket replaced, while others connect, listen and write.
fn ending() {
    let world = World::with_past(PAST);
    let repair = {
        let world = world.clone();
        thread::spawn(move || block_on(run_repair_with(world.hub, world.log as _, world.timer as _)))
    };
    let writers = spawn_writers(&world);
    let subscribers = [(1, after(0)), (2, StartPosition::Now)].map(|(socket, start)| {
        let world = world.clone();
        thread::spawn(move || {
            block_on(async {
                let mut subscriber = world.subscribe(socket, start, Order::AsBuilt).await;
                let end = loop {
                    if let Err(end) = subscriber.recv().await {
                        break end;
                    }
                };
                assert!(end == StreamCloseReason::NodeStopping || socket == 1, "only the first is replaced");
                assert_eq!(subscriber.recv().await, Err(end), "after the end, the end again");
            });
        })
    });
    let replacing = {
        let hub = Arc::clone(&world.hub);
        thread::spawn(move || hub.close_replaced(session(), socket_id(1)))
    };
    world.hub.shutdown();
    join(writers);
    join(subscribers);
    join([replacing, repair]);
    no_subscription_is_left(&world);
}

#[test]
fn every_stream_closes_with_the_hub_in_any_order_of_threads() {
    try_schedules("ending", ending);
}

/// A socket that is replaced ends, whether it has registered by then or not, and no other does.
fn replacing() {
    let world = World::with_past(PAST);
    let replaced = {
        let world = world.clone();
        thread::spawn(move || {
            block_on(async {
                let mut subscriber = world.subscribe(1, after(0), Order::AsBuilt).await;
                while let Ok(seq) = subscriber.recv().await {
                    assert!(seq <= LAST);
                }
                assert_eq!(subscriber.recv().await, Err(StreamCloseReason::Replaced));
            });
        })
    };
    let other = spawn_watcher(&world, 2, after(0), Order::AsBuilt);
    let writers = spawn_writers(&world);
    world.hub.close_replaced(session(), socket_id(1));
    join(writers);
    join([replaced, other]);
    no_subscription_is_left(&world);
}

#[test]
fn a_replaced_socket_is_closed_in_any_order_of_threads() {
    try_schedules("replacing", replacing);
}

/// Three want the same piece of the log; one of them changes their mind.
fn sharing() {
    let log = Arc::new(Log::default());
    for _ in 0..PAST {
        log.commit();
    }
    let reads = SharedReads::new(Arc::clone(&log) as _, 1024 * 1024);
    let readers = [true, true, false].map(|stays| {
        let reads = Arc::clone(&reads);
        thread::spawn(move || {
            let mut reading = reads.read(session(), Seq::ZERO, 2);
            if stays {
                assert_eq!(block_on(reading).unwrap().len(), 2);
            } else {
                block_on(async {
                    let once = std::future::poll_fn(|context| {
                        std::task::Poll::Ready(std::pin::Pin::new(&mut reading).poll(context).is_ready())
                    });
                    once.await
                });
            }
        })
    });
    join(readers);
    assert_eq!(reads.in_flight(), 0, "no read is kept that no stream waits for");
}

#[test]
fn shared_reads_reach_all_streams_in_any_order_of_threads() {
    try_schedules("sharing", sharing);
}
