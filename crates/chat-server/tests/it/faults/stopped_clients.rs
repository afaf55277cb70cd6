//! Clients that are stopped as by SIGSTOP: their kernel keeps the connections and acknowledges what comes, and no
//! process reads or answers. The server gets rid of them.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use chat_loadgen::fleet::{Fleet, FleetPlan, Reading};
use chat_loadgen::socket::ClientSocketMode;
use test_servers::postgres::TestDatabase;
use tokio::task::{LocalSet, block_in_place};

use super::cluster::Cluster;
use super::fleets::plan;
use super::process::{FIXED_CONNECTIONS, ServerResources};
use crate::support::PATIENCE;

const CLIENTS: usize = 500;
const GONE_WITHIN: Duration = Duration::from_secs(65);

/// Clients on a thread that stands still once they are connected, until it is dropped. To the server it is the same as a
/// process that was stopped.
struct Stopped {
    let_go: mpsc::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Stopped {
    /// Answers when all are connected and none will do anything more.
    fn start(plans: [FleetPlan; 2]) -> Self {
        let (connected, wait) = mpsc::channel();
        let (let_go, hold) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let local = LocalSet::new();
            let fleets = local.block_on(&runtime, async {
                let fleets = plans.map(|plan| Fleet::launch(plan).unwrap());
                for fleet in &fleets {
                    fleet.until_open(2 * PATIENCE).await.unwrap();
                }
                fleets
            });
            connected.send(()).unwrap();
            let _let_go = hold.recv();
            drop(fleets);
        });
        wait.recv().expect("all are connected");
        Self { let_go, thread }
    }

    fn end(self) {
        drop(self.let_go);
        self.thread.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn clients_that_are_stopped_are_gone_soon_and_leave_nothing_behind() {
    let mut cluster = Cluster::start(1, TestDatabase::empty(), FIXED_CONNECTIONS).await;
    let sessions = cluster.open_sessions(50).await;
    let idle = ServerResources::by(cluster.node(0)).await;
    let plans = [(ClientSocketMode::Base, "base"), (ClientSocketMode::Extended, "extended")];
    let plans = plans.map(|(mode, name)| plan(&cluster, &sessions, name, CLIENTS / 2, mode, Reading::Events));
    let stopped = block_in_place(|| Stopped::start(plans));
    cluster.rest();
    let all = |held: &ServerResources| (held.sockets, held.subscriptions) == (CLIENTS as u64, CLIENTS as u64);
    ServerResources::until(cluster.node(0), PATIENCE, all)
        .await
        .unwrap_or_else(|held| panic!("not all are there: {held:?}"));
    let is_idle = |held: &ServerResources| held.is_nothing() && held.descriptors <= idle.descriptors;
    let gone = ServerResources::until(cluster.node(0), GONE_WITHIN, is_idle).await;
    let (gone_after, _) = gone.unwrap_or_else(|held| panic!("{held:?} after {GONE_WITHIN:?}; idle it was {idle:?}"));
    println!("{CLIENTS} stopped clients were gone after {gone_after:?}");
    block_in_place(|| stopped.end());
}
