//! A server on a free port with chosen adapters, and the verbs to talk to it.

mod answer;
pub(crate) mod app;
mod form;
pub(crate) mod handshake;
pub(crate) mod raw;
pub(crate) mod server_side;
mod socket;

pub(crate) use answer::Answer;
pub(crate) use app::{Store, TestApp};
pub(crate) use form::Form;
pub(crate) use socket::{TestSocket, plain};

/// Makes of each function a test per store, named `function::store`. `with f;` at the beginning takes the options of the
/// server from the function `f`.
macro_rules! on_every_store {
    (with $options:ident; $($functions:tt)+) => {
        on_every_store! { @ [super::$options()] $($functions)+ }
    };
    (@ test $(#[$meta:meta])* $test:ident, $store:ident, $name:ident, [$options:expr]) => {
        $(#[$meta])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let app = $crate::support::TestApp::with($crate::support::Store::$store, $options).await;
            super::$name(&app).await;
            app.stop().await;
        }
    };
    (@ $options:tt $($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)+) => {
        $(
            async fn $name($app: &$crate::support::TestApp) $body

            $(#[$meta])*
            mod $name {
                on_every_store! { @ test memory, Memory, $name, $options }
                on_every_store! { @ test sqlite, Sqlite, $name, $options }
                on_every_store! {
                    @ test #[ignore = "needs Postgres: cargo xtask test"] postgres, Postgres, $name, $options
                }
            }
        )+
    };
    ($($functions:tt)+) => {
        on_every_store! { @ [$crate::support::app::Options::default()] $($functions)+ }
    };
}
