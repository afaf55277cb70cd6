//! Clients that never end a request, or never take a response, but do a little of it now and then.

use std::time::Duration;

use chat_loadgen::abuse::{SlowKind, SlowPlan, slow, store_file};
use chat_loadgen::http::Target;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::support::{PATIENCE, Scrape, TestServer, eventually};

/// Of each kind.
const CONNECTIONS: usize = 20;
/// Larger than what the kernel keeps of a download.
const FILE_BYTES: usize = 8 * 1024 * 1024;

/// How long it takes others meanwhile is measured with `chat-loadgen slow`, and that each kind ends by tests of the guard.
#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_of_every_kind_delay_no_others_and_leave_nothing() {
    let server = TestServer::start().await;
    // An admin opens any number of sessions.
    let root = server.person("root", "admin");
    let session = root.open_session("slow").await;
    let target = Target::parse(&server.url("")).unwrap();
    let file = store_file(&target, &session, &root.token, FILE_BYTES).await.unwrap();
    let plan = SlowPlan {
        target,
        connections: CONNECTIONS,
        every: Duration::from_millis(100),
        duration: Duration::from_secs(3),
        session,
        // Of each person, fewer unfinished requests than are allowed.
        tokens: (0..10).map(|number| server.person(&format!("slow-{number}"), "admin").token).collect(),
        file,
    };
    let others = async {
        for number in 0..50 {
            let opened = timeout(PATIENCE, root.open_session(&format!("{number}"))).await;
            opened.expect("a request among slow ones is served");
        }
    };
    let slow = LocalSet::new().run_until(async { tokio::join!(slow(plan, |_, _| {}), others) }).await;
    let report = slow.0.unwrap();
    assert_eq!((report.connections, report.unreachable), (SlowKind::ALL.len() * CONNECTIONS, 0), "{report:?}");
    assert!(report.made.values().all(|made| *made >= CONNECTIONS as u64) && report.made.len() == 5, "{report:?}");
    eventually("the connections are gone", async || {
        // The client of the test keeps some of its own.
        Scrape::of(&server).await.number("chat_http_connections_open") < 10.0
    })
    .await;

    let names = serde_json::to_value(&report).unwrap();
    let document = include_str!("../../../../../docs/loadgen.md");
    for name in names.as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{name}`")), "docs/loadgen.md does not explain {name}");
    }
}
