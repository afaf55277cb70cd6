//! What an operator asks about Redis without starting a node: whether it can be reached, and whether a message that is
//! published comes back.

use std::collections::HashMap;
use std::time::Duration;

use redis::{AsyncConnectionConfig, PushKind, Value};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::config::RedisPrefix;
use crate::dial::Dialer;
use crate::error::RedisFailure;
use crate::names::ChannelNames;
use crate::tls::PrivateAuthorities;
use crate::url::RedisUrl;

/// How long a reply, or a message, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What Redis says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisFacts {
    /// Its version, such as `7.0.15`.
    pub version: String,
    /// How long a message was on its way.
    pub round_trip: Duration,
}

/// Connects, subscribes to what a node subscribes to, and publishes a message on a channel that no node reads. `probe` is
/// an id that no other caller uses.
///
/// # Errors
/// Why a node cannot work with it, in words that hold no secret.
pub async fn facts(
    url: &RedisUrl,
    authorities: PrivateAuthorities,
    prefix: &RedisPrefix,
    probe: Uuid,
) -> Result<RedisFacts, String> {
    let dialer = Dialer::new(url, authorities).map_err(|error| error.to_string())?;
    let (pushed, mut messages) = mpsc::unbounded_channel();
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE)).set_push_sender(pushed);
    let says = |failure: RedisFailure| failure.to_string();
    let mut connection = dialer.connect(0, &config).await.map_err(says)?;
    let hello: HashMap<String, Value> =
        redis::cmd("HELLO").query_async(&mut *connection).await.map_err(|error| says(error.into()))?;
    let version = match hello.get("version") {
        Some(Value::BulkString(version)) => String::from_utf8_lossy(version).into_owned(),
        _ => "of an unknown version".to_owned(),
    };
    let channel = format!("{}:probe-{probe}", prefix.as_str());
    let mut channels = ChannelNames::new(prefix.as_str()).channels();
    channels.push(channel.clone());
    connection.subscribe(channels).await.map_err(|error| says(error.into()))?;
    let published = Instant::now();
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(&channel).arg("probe");
    publish.exec_async(&mut *connection).await.map_err(|error| says(error.into()))?;
    let came_back = async {
        while let Some(push) = messages.recv().await {
            let is_ours = push.data.first() == Some(&Value::BulkString(channel.clone().into_bytes()));
            if push.kind == PushKind::Message && is_ours {
                return true;
            }
        }
        false
    };
    match timeout(PATIENCE, came_back).await {
        Ok(true) => Ok(RedisFacts { version, round_trip: published.elapsed() }),
        Ok(false) => Err("the connection was closed".to_owned()),
        Err(_) => Err(format!("a message that was published did not come back within {} s", PATIENCE.as_secs())),
    }
}
