//! Files that the operating system does not let grow: a limit of the process stands for that of a file system.

use std::env;
use std::process::Command;

use chat_domain::ports::AttachmentStore;

use crate::support::{TestStore, broken_rule, pieces, upload};

/// Set in the process that has the limit.
const LIMITED: &str = "CHAT_TEST_LIMITED_FILES";

/// More than the limit, in blocks of 512 or 1024 bytes.
const TOO_LARGE: usize = 512 * 1024;

/// The limit is that of a whole process, so the test runs itself in one of its own.
#[test]
fn a_file_that_the_system_does_not_let_grow_is_too_large_and_leaves_nothing() {
    if env::var_os(LIMITED).is_some() {
        tokio::runtime::Runtime::new().unwrap().block_on(in_a_limited_process());
        return;
    }
    let name = "too_large::a_file_that_the_system_does_not_let_grow_is_too_large_and_leaves_nothing";
    let limited = Command::new("/bin/sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 256; exec "$@""#, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success(), "{output}{}", String::from_utf8_lossy(&limited.stderr));
    assert!(output.contains("1 passed"), "{output}");
}

async fn in_a_limited_process() {
    let store = TestStore::open();
    let large = vec![b'x'; TOO_LARGE];
    let refused = store.store.put(upload(1), pieces(&[&large])).await.unwrap_err();
    assert_eq!(broken_rule(refused), "must not be larger than this server can store");
    store.wait_until_empty().await;
    assert_eq!(store.put(2, b"small").await.size, 5);
}
