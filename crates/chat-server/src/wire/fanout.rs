//! How events reach the sockets of this server and of others.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use chat_domain::model::FanoutCredentials;
use chat_domain::ports::{Clock, EventSink, IdGenerator, Notifier};
use chat_realtime::Hub;
use chat_redis::{RedisConfig, RedisFanout};
use tokio::task;
use tokio::time::{MissedTickBehavior, interval};

use super::{Store, nobody_listens};
use crate::config::{Config, DatabaseUrl};
use crate::system::UuidV7Generator;

/// How events reach the sockets: of several servers, or of this one.
pub(super) struct Fanout {
    pub(super) notifier: Arc<dyn Notifier>,
    pub(super) redis: Option<Arc<RedisFanout>>,
}

impl Fanout {
    pub(super) async fn join(config: &Config, hub: &Arc<Hub>, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let notifier: Arc<dyn Notifier> = Arc::clone(hub) as _;
        let sink: Arc<dyn EventSink> = Arc::clone(hub) as _;
        match (&config.redis_url, &config.database_url) {
            (Some(url), _) => {
                let node = UuidV7Generator.next_id();
                let settings = RedisConfig {
                    prefix: config.redis_prefix.clone(),
                    authorities: config.redis_authorities.clone(),
                    ..RedisConfig::new(url.clone(), node)
                };
                let credentials = fanout_credentials(config).await?;
                let redis = RedisFanout::connect(settings, credentials, Arc::clone(clock), sink)?;
                // What the hub says of typing has been told on this server already.
                hub.forward_to(redis.notifier(nobody_listens()));
                tracing::info!(%node, "live events are spread to other servers through {url}");
                Ok(Self { notifier: redis.notifier(notifier), redis: Some(Arc::new(redis)) })
            }
            (None, DatabaseUrl::Sqlite(_)) => {
                tracing::info!("live events are spread within this process");
                Ok(Self { notifier, redis: None })
            }
            (None, DatabaseUrl::Postgres(_)) => {
                tracing::info!(
                    "live events are spread within this process; where other servers use this database, sockets here hear \
                     of theirs up to 15 s late unless --redis-url (CHAT_REDIS_URL) is set"
                );
                Ok(Self { notifier, redis: None })
            }
        }
    }
}

/// What servers of this database know each other by.
async fn fanout_credentials(config: &Config) -> anyhow::Result<FanoutCredentials> {
    let database = config.database_url.clone();
    let read = move || match &database {
        DatabaseUrl::Sqlite(_) => bail!("one server uses an SQLite file, and has no others to tell through Redis"),
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
        // One server uses the file, so there is no other to agree with.
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
                    if redis.renew(credentials) {
                        tracing::info!("the database is {name} from now on, for what servers tell each other");
                    }
                }
                // It does not know better than what is known.
                Ok(None) => tracing::debug!("a standby was asked where the database is"),
                // Readiness tells about a database that fails.
                Err(error) => tracing::debug!("cannot look at where the database is: {error}"),
            }
        }
    }
}
