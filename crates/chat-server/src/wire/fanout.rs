//! How events reach the sockets of this node and of others.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use chat_domain::model::FanoutCredentials;
use chat_domain::ports::{Clock, IdGenerator, Notifier};
use chat_realtime::{Hub, PeerSink};
use chat_redis::{FanoutTask, RedisConfig, RedisFanout};
use tokio::task;
use tokio::time::{MissedTickBehavior, interval};

use super::Store;
use crate::config::{Config, DatabaseUrl};
use crate::system::UuidV7Generator;

/// The fan-out of events: between several nodes, or within this one.
pub(super) struct EventFanout {
    pub(super) notifier: Arc<dyn Notifier>,
    pub(super) redis: Option<Arc<RedisFanout>>,
    /// To be run until the fan-out is closed.
    pub(super) tasks: Vec<FanoutTask>,
}

impl EventFanout {
    pub(super) async fn join(config: &Config, hub: &Arc<Hub>, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let notifier: Arc<dyn Notifier> = Arc::clone(hub) as _;
        let sink: Arc<dyn PeerSink> = Arc::clone(hub) as _;
        match (&config.redis_url, &config.database_url) {
            (Some(url), _) => {
                let node = UuidV7Generator.next_id();
                let settings = RedisConfig {
                    prefix: config.redis_prefix.clone(),
                    authorities: config.redis_authorities.clone(),
                    ..RedisConfig::new(url.clone(), node)
                };
                let credentials = fanout_credentials(config).await?;
                let (redis, tasks) = RedisFanout::new(settings, credentials, Arc::clone(clock), sink)?;
                hub.set_peer_notifier(redis.peer_notifier());
                tracing::info!(%node, "live events are published to other nodes through {url}");
                Ok(Self { notifier: redis.notifier(notifier), redis: Some(Arc::new(redis)), tasks })
            }
            (None, DatabaseUrl::Sqlite(_)) => {
                tracing::info!("live events are published within this process");
                Ok(Self { notifier, redis: None, tasks: Vec::new() })
            }
            (None, DatabaseUrl::Postgres(_)) => {
                // If there are other nodes, inboxes here hear nothing of them.
                hub.inboxes().set_peers_reachable(false);
                tracing::info!(
                    "live events are published within this process; if other nodes use this database, sockets here get \
                     their events up to 15 s late and inboxes up to 5 s late, unless --redis-url (CHAT_REDIS_URL) is set"
                );
                Ok(Self { notifier, redis: None, tasks: Vec::new() })
            }
        }
    }
}

/// The credentials that the nodes of this database share.
async fn fanout_credentials(config: &Config) -> anyhow::Result<FanoutCredentials> {
    let database = config.database_url.clone();
    let read = move || match &database {
        DatabaseUrl::Sqlite(_) => {
            bail!("an SQLite file is used by one node, which has no peers to publish to through Redis")
        }
        DatabaseUrl::Postgres(url) => Ok(chat_postgres::fanout_credentials::read(url.expose())?),
    };
    task::spawn_blocking(read).await?
}

/// Follows the database to where it moves, for as long as it is polled, by looking this often.
pub(super) fn follow(
    redis: Option<Arc<RedisFanout>>,
    store: &Store,
    every: Duration,
) -> impl Future<Output = ()> + Send + use<> {
    let followed = match store {
        Store::Postgres(store) => redis.map(|redis| (redis, Arc::clone(&store.fanout))),
        // One node uses the file, so there is no other to agree with.
        Store::Sqlite(_) => None,
    };
    async move {
        let Some((redis, place)) = followed else { return pending().await };
        let mut rounds = interval(every);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            match place.current().await {
                Ok(Some(credentials)) => {
                    let name = credentials.database.clone();
                    if redis.set_credentials(credentials) {
                        tracing::info!("the database is {name} from now on, in the messages between nodes");
                    }
                }
                // A standby knows no newer place.
                Ok(None) => tracing::debug!("a standby was asked where the database is"),
                // Readiness tells about a database that fails.
                Err(error) => tracing::debug!("cannot look at where the database is: {error}"),
            }
        }
    }
}
