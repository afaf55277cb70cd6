//! What the operator decides: options from flags and the environment, checked and put together.

mod environment;
mod error;
mod options;
mod origin;
mod postgres_url;
mod redis;
pub(crate) mod reference;
pub(crate) mod units;
mod values;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use chat_domain::model::{ConnectionLimits, Role};
use chat_domain::service::{OrphanWaits, Rules};
use secrecy::{ExposeSecret, SecretString};

use crate::wire::{PrivateAuthorities, RedisPrefix, RedisUrl};

pub(crate) use environment::reject_unknown_variables;
pub(crate) use error::ConfigError;
pub(crate) use options::Options;
pub(crate) use postgres_url::PostgresUrl;
pub(crate) use values::{AdminListen, AttachmentsUrl, DatabaseUrl, LogFilter, LogFormat, Switch};

/// The shortest secret for HS256: as long as the hash (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// The effective configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: AdminListen,
    pub(crate) public_url: Option<String>,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) workers: usize,
    pub(crate) data_dir: PathBuf,
    pub(crate) database_url: DatabaseUrl,
    pub(crate) database_readers: u32,
    pub(crate) database_writers: usize,
    pub(crate) read_queue: usize,
    pub(crate) write_queue: usize,
    pub(crate) write_batch: usize,
    pub(crate) remembered_sessions: usize,
    pub(crate) page_cache: u64,
    pub(crate) migrate: Switch,
    pub(crate) attachments_url: AttachmentsUrl,
    pub(crate) orphan_check_every: Duration,
    pub(crate) orphan_mark_after: Duration,
    pub(crate) orphan_remove_after: Duration,
    pub(crate) redis_url: Option<RedisUrl>,
    pub(crate) redis_ca_file: Option<PathBuf>,
    /// What the file holds.
    pub(crate) redis_authorities: PrivateAuthorities,
    pub(crate) redis_prefix: RedisPrefix,
    pub(crate) max_files: u16,
    pub(crate) max_file_size: u64,
    pub(crate) max_message_size: u64,
    pub(crate) uploads_per_person: u16,
    pub(crate) uploads_per_node: u16,
    pub(crate) jwt_secret: Option<SecretString>,
    pub(crate) jwt_issuer: Option<String>,
    pub(crate) jwt_audience: Option<String>,
    pub(crate) jwt_role_claim: String,
    pub(crate) jwt_role_map: HashMap<String, Role>,
    pub(crate) jwt_max_lifetime: Duration,
    pub(crate) agent_autoregister: Switch,
    pub(crate) log: LogFilter,
    pub(crate) log_format: Option<LogFormat>,
}

/// What tokens are signed with.
#[derive(Clone, Debug)]
pub(crate) enum TokenKey {
    /// The operator's secret.
    Secret(SecretString),
    /// A secret that the server keeps in its data directory: development mode.
    Development,
}

impl Config {
    /// Puts the options together.
    ///
    /// # Errors
    /// An option that is wrong in itself or beside another one.
    pub(crate) fn load(options: Options) -> Result<Self, ConfigError> {
        let database_url = match &options.database_url {
            Some(url) => DatabaseUrl::parse(url).map_err(|problem| ConfigError::new("database_url", problem))?,
            None => DatabaseUrl::Sqlite(options.data_dir.join("chat.db")),
        };
        if options.max_message_size < options.max_file_size {
            return Err(ConfigError::new(
                "max_message_size",
                format!(
                    "must not be smaller than --max-file-size; a valid value is {}",
                    units::show_size(options.max_file_size),
                ),
            ));
        }
        if options.jwt_secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < MIN_SECRET_BYTES) {
            return Err(ConfigError::new(
                "jwt_secret",
                format!("must have at least {MIN_SECRET_BYTES} bytes; `openssl rand -hex 32` prints a valid value"),
            ));
        }
        let attachments_url =
            options.attachments_url.unwrap_or_else(|| AttachmentsUrl::File(options.data_dir.join("attachments")));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let connections = Connections::by_default(&database_url, cores);
        if matches!(database_url, DatabaseUrl::Sqlite(_))
            && options.database_writers.is_some_and(|writers| writers != 1)
        {
            return Err(ConfigError::new(
                "database_writers",
                "must be 1 with SQLite, which lets one connection write at a time; leave the option out, or choose \
                 PostgreSQL with --database-url",
            ));
        }
        let redis_url = redis::url(options.redis_url.as_deref(), &database_url)?;
        let redis_authorities = redis::authorities(options.redis_ca_file.as_deref(), redis_url.as_ref())?;
        let redis_prefix = redis::prefix(options.redis_prefix, redis_url.as_ref())?;
        Ok(Self {
            listen: options.listen,
            admin_listen: options.admin_listen,
            public_url: options.public_url,
            cors_origins: options.cors_origins,
            workers: options.workers.map_or(cores, usize::from),
            data_dir: options.data_dir,
            database_url,
            database_readers: options.database_readers.unwrap_or(connections.readers),
            database_writers: options.database_writers.unwrap_or(connections.writers),
            read_queue: options.read_queue,
            write_queue: options.write_queue,
            write_batch: options.write_batch,
            remembered_sessions: options.remembered_sessions,
            page_cache: options.page_cache,
            migrate: options.migrate,
            attachments_url,
            orphan_check_every: options.orphan_check_every,
            orphan_mark_after: options.orphan_mark_after,
            orphan_remove_after: options.orphan_remove_after,
            redis_url,
            redis_ca_file: options.redis_ca_file,
            redis_authorities,
            redis_prefix,
            max_files: options.max_files,
            max_file_size: options.max_file_size,
            max_message_size: options.max_message_size,
            uploads_per_person: options.uploads_per_person,
            uploads_per_node: options.uploads_per_node,
            jwt_secret: options.jwt_secret,
            jwt_issuer: options.jwt_issuer,
            jwt_audience: options.jwt_audience,
            jwt_role_claim: options.jwt_role_claim,
            jwt_role_map: options.jwt_role_map.into_iter().collect(),
            jwt_max_lifetime: options.jwt_max_lifetime,
            agent_autoregister: options.agent_autoregister,
            log: options.log,
            log_format: options.log_format,
        })
    }

    /// What tokens are signed with.
    ///
    /// # Errors
    /// Without a secret, anything but a loopback address.
    pub(crate) fn token_key(&self) -> Result<TokenKey, ConfigError> {
        match &self.jwt_secret {
            Some(secret) => Ok(TokenKey::Secret(secret.clone())),
            None if self.listen.ip().is_loopback() => Ok(TokenKey::Development),
            None => Err(ConfigError::new(
                "jwt_secret",
                format!(
                    "must be set to listen on {}, because without it the server runs in development mode, which is for \
                     this machine alone; `openssl rand -hex 32` prints a valid value. Or listen on a loopback address: \
                     --listen 127.0.0.1:{}",
                    self.listen,
                    self.listen.port(),
                ),
            )),
        }
    }

    /// What the use cases must know.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            agent_autoregister: self.agent_autoregister == Switch::On,
            max_files: usize::from(self.max_files),
            max_file_bytes: self.max_file_size,
            max_message_bytes: self.max_message_size,
            connections: ConnectionLimits::default(),
        }
    }

    /// How long stored files without a message are kept.
    pub(crate) fn orphan_waits(&self) -> OrphanWaits {
        OrphanWaits { mark_after: self.orphan_mark_after, remove_after: self.orphan_remove_after }
    }

    /// Every option's effective value in the order of the help, by the option's name; secrets only as `(set)`.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        // Taken apart completely, so that a new option cannot be forgotten here.
        let Self {
            listen,
            admin_listen,
            public_url,
            cors_origins,
            workers,
            data_dir,
            database_url,
            database_readers,
            database_writers,
            read_queue,
            write_queue,
            write_batch,
            remembered_sessions,
            page_cache,
            migrate,
            attachments_url,
            orphan_check_every,
            orphan_mark_after,
            orphan_remove_after,
            redis_url,
            redis_ca_file,
            redis_authorities: _,
            redis_prefix,
            max_files,
            max_file_size,
            max_message_size,
            uploads_per_person,
            uploads_per_node,
            jwt_secret,
            jwt_issuer,
            jwt_audience,
            jwt_role_claim,
            jwt_role_map,
            jwt_max_lifetime,
            agent_autoregister,
            log,
            log_format,
        } = self;
        let or_unset = |text: Option<String>| text.unwrap_or_else(|| "(unset)".to_owned());
        let list = |entries: &[String]| or_unset((!entries.is_empty()).then(|| entries.join(",")));
        vec![
            ("listen", listen.to_string()),
            ("admin_listen", admin_listen.to_string()),
            ("public_url", or_unset(public_url.clone())),
            ("cors_origins", list(cors_origins)),
            ("workers", workers.to_string()),
            ("data_dir", data_dir.display().to_string()),
            ("database_url", database_url.to_string()),
            ("database_readers", database_readers.to_string()),
            ("database_writers", database_writers.to_string()),
            ("read_queue", read_queue.to_string()),
            ("write_queue", write_queue.to_string()),
            ("write_batch", write_batch.to_string()),
            ("remembered_sessions", remembered_sessions.to_string()),
            ("page_cache", units::show_size(*page_cache)),
            ("migrate", migrate.to_string()),
            ("attachments_url", attachments_url.to_string()),
            ("orphan_check_every", units::show_duration(*orphan_check_every)),
            ("orphan_mark_after", units::show_duration(*orphan_mark_after)),
            ("orphan_remove_after", units::show_duration(*orphan_remove_after)),
            ("redis_url", or_unset(redis_url.as_ref().map(ToString::to_string))),
            ("redis_ca_file", or_unset(redis_ca_file.as_ref().map(|path| path.display().to_string()))),
            ("redis_prefix", redis_prefix.to_string()),
            ("max_files", max_files.to_string()),
            ("max_file_size", units::show_size(*max_file_size)),
            ("max_message_size", units::show_size(*max_message_size)),
            ("uploads_per_person", uploads_per_person.to_string()),
            ("uploads_per_node", uploads_per_node.to_string()),
            ("jwt_secret", or_unset(jwt_secret.as_ref().map(|_| "(set)".to_owned()))),
            ("jwt_issuer", or_unset(jwt_issuer.clone())),
            ("jwt_audience", or_unset(jwt_audience.clone())),
            ("jwt_role_claim", jwt_role_claim.clone()),
            ("jwt_role_map", list(&pairs(jwt_role_map))),
            ("jwt_max_lifetime", units::show_duration(*jwt_max_lifetime)),
            ("agent_autoregister", agent_autoregister.to_string()),
            ("log", log.to_string()),
            ("log_format", or_unset(log_format.map(|format| format.to_string()))),
        ]
    }
}

/// What the roles of foreign tokens mean, as the option has it.
fn pairs(role_map: &HashMap<String, Role>) -> Vec<String> {
    let mut pairs: Vec<String> =
        role_map.iter().map(|(foreign, role)| format!("{foreign}={}", role.as_str())).collect();
    pairs.sort();
    pairs
}

/// How many connections a database gets when the operator does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connections {
    readers: u32,
    writers: usize,
}

impl Connections {
    /// Few, since more than two to four per core make everything slower, on the database's side too.
    fn by_default(database: &DatabaseUrl, cores: usize) -> Self {
        let readers = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        match database {
            DatabaseUrl::Sqlite(_) => Self { readers: readers(cores.max(2)), writers: 1 },
            DatabaseUrl::Postgres(_) => {
                Self { readers: readers(cores.saturating_mul(2).min(16)), writers: (cores / 4).max(1) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use super::*;

    #[test]
    fn each_database_gets_its_number_of_connections() {
        let by_default = |url: &str, cores| {
            let Connections { readers, writers } = Connections::by_default(&DatabaseUrl::parse(url).unwrap(), cores);
            (readers, writers)
        };
        for (cores, sqlite, postgres) in [(1, (2, 1), (2, 1)), (4, (4, 1), (8, 1)), (16, (16, 1), (16, 4))] {
            assert_eq!(by_default("sqlite://chat.db", cores), sqlite);
            assert_eq!(by_default("postgres://db/chat", cores), postgres);
        }
    }

    #[test]
    fn every_option_is_named_after_its_field_and_shown_in_order() {
        let command = Options::augment_args(Command::new("test"));
        let options: Vec<String> = command.get_arguments().map(|option| option.get_id().to_string()).collect();
        for option in command.get_arguments() {
            let id = option.get_id().as_str();
            assert_eq!(option.get_long(), Some(id.replace('_', "-").as_str()));
            let variable = option.get_env().and_then(|name| name.to_str());
            assert_eq!(variable, Some(format!("CHAT_{}", id.to_uppercase()).as_str()));
            assert!(
                option.is_global_set() && option.get_help_heading().is_some() && option.get_help().is_some(),
                "{id}"
            );
        }
        let matches = command.get_matches_from(["test"]);
        let config = Config::load(clap::FromArgMatches::from_arg_matches(&matches).unwrap()).unwrap();
        let shown: Vec<String> = config.shown().into_iter().map(|(option, _)| option.to_owned()).collect();
        assert_eq!(shown, options);
    }
}
