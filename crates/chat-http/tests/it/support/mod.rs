//! A server on a free port with chosen adapters, and the verbs to talk to it.

mod answer;
pub(crate) mod app;
mod socket;

pub(crate) use answer::Answer;
pub(crate) use app::{Store, TestApp};
pub(crate) use socket::TestSocket;

/// Makes of each function a test per store, named `function::store`.
macro_rules! on_every_store {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                #[expect(clippy::wildcard_imports, reason = "the test sees what its file sees")]
                use super::*;

                async fn case($app: &$crate::support::TestApp) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn memory() {
                    let app = $crate::support::TestApp::start($crate::support::Store::Memory).await;
                    case(&app).await;
                    app.stop().await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    let app = $crate::support::TestApp::start($crate::support::Store::Sqlite).await;
                    case(&app).await;
                    app.stop().await;
                }
            }
        )+
    };
}
