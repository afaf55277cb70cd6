//! The contract suites: what the documentation of a port promises, as cases that every adapter passes.
//!
//! A port's file lists its cases once, in `contract_cases!`. A case that is missing there is dead code, so the
//! compiler finds it. The list becomes a macro that gives an adapter's test crate one named test per case:
//!
//! ```text
//! async fn make_store() -> chat_testkit::contract::StoreUnderTest { /* an empty store of its own */ }
//! chat_testkit::store_contract!(make_store);
//! ```
//!
//! Attributes before the path, such as `#[ignore = "…"]`, are given to each test. Cases run on a runtime with several threads, so that the concurrent ones are.

pub mod agent_directory;
pub mod attachment_store;
mod checks;
pub mod event_log;
pub mod inbox;
pub mod inbox_reader;
pub mod message_repository;
mod node_stores;
pub mod nodes;
pub mod orphan_registry;
pub mod people_directory;
pub mod presence_store;
pub mod read_up_to;
pub mod receipts;
pub mod revocation_store;
pub mod session_list;
pub mod session_repository;
pub mod session_update;
pub mod signing_key_store;
pub mod socket_registry;
pub mod stats_reader;
pub mod store_ownership;
pub mod thumbnail_store;
pub mod ticket_store;
pub mod times;
pub mod upload_registry;

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{ChatMessage, ChatSession, Principal, SessionAction, SessionId};
use chat_domain::ports::{
    AgentDirectory, AttachmentStore, EventLog, InboxReader, MessageRepository, OrphanRegistry, PeopleDirectory,
    PresenceStore, RevocationStore, SessionRepository, StatsReader, StoreOwnership, ThumbnailStore, UploadRegistry,
};
use tokio::runtime::Builder;

use crate::{RecordingNotifier, fixtures};

/// The stores of one adapter, empty and for one case alone.
pub struct StoreUnderTest {
    /// The sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// The sessions as live inboxes read them.
    pub inbox_reader: Arc<dyn InboxReader>,
    /// The messages.
    pub messages: Arc<dyn MessageRepository>,
    /// The log of changes.
    pub events: Arc<dyn EventLog>,
    /// The statistics.
    pub stats: Arc<dyn StatsReader>,
    /// The agents.
    pub agents: Arc<dyn AgentDirectory>,
    /// Who people are.
    pub people: Arc<dyn PeopleDirectory>,
    /// When agents were last there.
    pub presence: Arc<dyn PresenceStore>,
    /// Whose access was ended.
    pub revocations: Arc<dyn RevocationStore>,
    /// What is known of orphans.
    pub orphans: Arc<dyn OrphanRegistry>,
    /// The files that wait to be sent.
    pub uploads: Arc<dyn UploadRegistry>,
    /// What the stores publish to.
    pub notifier: Arc<RecordingNotifier>,
    /// Whatever must live as long as the stores, such as a temporary directory. Dropped after them.
    pub guard: Box<dyn Any + Send>,
}

/// An attachment store, empty and for one case alone.
pub struct AttachmentStoreUnderTest {
    /// The store.
    pub store: Arc<dyn AttachmentStore>,
    /// Who collects its files.
    pub ownership: Arc<dyn StoreOwnership>,
    /// Whatever must live as long as the store, such as a temporary directory. Dropped after it.
    pub guard: Box<dyn Any + Send>,
}

/// A store of thumbnails with the attachment store that it belongs to, empty and for one case alone.
pub struct ThumbnailStoreUnderTest {
    /// The thumbnails.
    pub thumbnails: Arc<dyn ThumbnailStore>,
    /// The objects that they are of.
    pub store: Arc<dyn AttachmentStore>,
    /// Whatever must live as long as the stores, such as a temporary directory. Dropped after them.
    pub guard: Box<dyn Any + Send>,
}

impl StoreUnderTest {
    /// Session `n` of Alice, opened and waiting.
    pub(crate) async fn waiting(&self, n: u64) -> SessionId {
        let opened = self.sessions.open(fixtures::new_session(n), fixtures::alice(), None).await;
        opened.expect("a session opens").session.id
    }

    /// Session `n` of Alice, assigned to Bob.
    pub(crate) async fn held_by_bob(&self, n: u64) -> SessionId {
        let id = self.waiting(n).await;
        self.on_duty(&fixtures::bob()).await;
        self.change(id, &fixtures::root(), fixtures::assign(&fixtures::bob())).await;
        id
    }

    /// Enters an agent into the directory.
    pub(crate) async fn on_duty(&self, agent: &Principal) {
        self.agents.register(fixtures::agent_id(agent), None, fixtures::start()).await.expect("an agent registers");
    }

    /// A change that is expected to succeed. By its clock no time passes: it has the time of the change before it.
    pub(crate) async fn change(&self, id: SessionId, by: &Principal, action: SessionAction) -> ChatSession {
        let change = fixtures::change(by, action, 0);
        self.sessions.change(id, change).await.expect("the change is allowed")
    }

    /// Message `n`, which is expected to be taken.
    pub(crate) async fn say(&self, id: SessionId, author: &Principal, n: u64) -> ChatMessage {
        self.messages.append(fixtures::draft(id, author, n)).await.expect("the message is taken").message
    }

    /// A session that is expected to be there.
    pub(crate) async fn session(&self, id: SessionId) -> ChatSession {
        self.sessions.find(id).await.expect("the store answers").expect("the session is there")
    }
}

/// How long a case may take before it counts as hanging, also on a machine that is busy with much else.
const PATIENCE: Duration = Duration::from_mins(5);

/// Runs a case on a runtime of its own with four threads.
///
/// # Panics
/// When the case fails or hangs.
pub fn run<F: Future<Output = ()>>(case: F) {
    run_on(Builder::new_multi_thread().worker_threads(4), case);
}

/// Runs a case on a runtime whose tasks share one thread, so that they take turns only where they wait: what a race
/// does is then the same each time.
///
/// # Panics
/// When the case fails or hangs.
pub fn run_on_one_thread<F: Future<Output = ()>>(case: F) {
    run_on(&mut Builder::new_current_thread(), case);
}

fn run_on<F: Future<Output = ()>>(runtime: &mut Builder, case: F) {
    let runtime = runtime.enable_all().build().expect("a runtime starts");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, case).await.expect("the case does not hang") });
}

/// Lists the cases of a port. Makes the module `cases`, where each is callable, and the macro `$contract`, which turns
/// each into a test of the adapter that `$make` builds.
macro_rules! contract_cases {
    ($dollar:tt $contract:ident for $module:ident on $subject:ty: $($case:ident,)+) => {
        /// The cases of this port.
        pub mod cases {
            $(
                #[doc = stringify!($case)]
                pub async fn $case(subject: $subject) {
                    super::$case(&subject).await;
                }
            )+
        }

        /// One test per case of this port for the adapter that the given `async fn` builds.
        #[macro_export]
        macro_rules! $contract {
            ($dollar(#[$dollar attribute:meta])* $dollar make:path) => {
                $(
                    #[test]
                    $dollar(#[$dollar attribute])*
                    fn $case() {
                        $crate::contract::run(async {
                            $crate::contract::$module::cases::$case($dollar make().await).await;
                        });
                    }
                )+
            };
        }
    };
}
use contract_cases;

/// One test per case of every port of a store. The argument is the path of an `async fn() -> StoreUnderTest` that
/// builds an empty store; the tests stand in one module per port.
#[macro_export]
macro_rules! store_contract {
    ($(#[$attribute:meta])* $make:path) => {
        use $make as make_store_under_test;

        mod session_repository {
            $crate::session_repository_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod session_list {
            $crate::session_list_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod inbox {
            $crate::inbox_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod inbox_reader {
            $crate::inbox_reader_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod session_update {
            $crate::session_update_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod message_repository {
            $crate::message_repository_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod read_up_to {
            $crate::read_up_to_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod receipts {
            $crate::receipts_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod times {
            $crate::times_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod event_log {
            $crate::event_log_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod stats_reader {
            $crate::stats_reader_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod agent_directory {
            $crate::agent_directory_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod people_directory {
            $crate::people_directory_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod presence_store {
            $crate::presence_store_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod revocation_store {
            $crate::revocation_store_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod orphan_registry {
            $crate::orphan_registry_contract!($(#[$attribute])* super::make_store_under_test);
        }
        mod upload_registry {
            $crate::upload_registry_contract!($(#[$attribute])* super::make_store_under_test);
        }
    };
}
