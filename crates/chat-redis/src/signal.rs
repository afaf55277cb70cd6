//! Waiting for a watched value to be reached.

use tokio::sync::watch;

/// Waits until the value is this one, or its sender was dropped. Unlike `wait_for`, it holds no lock on the value when
/// it returns, so that the caller may wait for something else.
pub(crate) async fn reached<T: PartialEq>(value: &mut watch::Receiver<T>, wanted: T) {
    let _held = value.wait_for(|value| *value == wanted).await;
}
