//! What the operator decides: options from flags and the environment, checked and put together.

mod bounded_file;
mod customers;
mod environment;
mod error;
mod identity;
mod options;
mod pages;
mod proxies;
mod rates;
mod redis;
pub(crate) mod reference;
mod secret_file;
pub(crate) mod units;
pub(crate) mod values;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use chat_domain::model::{SocketLimits, UploadQuota};
use chat_domain::service::{OrphanWaits, Rules};
use chat_http::AllowedOrigin;

use crate::adapters::{PgConfig, PrivateAuthorities, RedisPrefix, RedisUrl, SqliteConfig};

use customers::{CustomerOptions, CustomerPriority};
pub(crate) use environment::reject_unknown_variables;
pub(crate) use error::ConfigError;
pub(crate) use identity::{IdentityConfig, TokenSource};
pub(crate) use options::Options;
use pages::PageOptions;
use proxies::ProxyOptions;
use rates::RateOptions;
pub(crate) use values::{AdminListen, AttachmentsUrl, DatabaseUrl, LogFilter, LogFormat, Switch};

/// The effective configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: AdminListen,
    pub(crate) public_url: Option<String>,
    pub(crate) cors_origins: Vec<AllowedOrigin>,
    pub(crate) proxies: ProxyOptions,
    pub(crate) workers: usize,
    pub(crate) drain_delay: Duration,
    pub(crate) pages: PageOptions,
    pub(crate) data_dir: PathBuf,
    pub(crate) database_url: DatabaseUrl,
    pub(crate) database_url_file: Option<PathBuf>,
    pub(crate) database_readers: u32,
    pub(crate) database_writers: usize,
    pub(crate) read_queue: usize,
    pub(crate) write_queue: usize,
    pub(crate) write_batch: usize,
    pub(crate) session_cache: usize,
    pub(crate) page_cache: u64,
    pub(crate) migrate: Switch,
    pub(crate) attachments_url: AttachmentsUrl,
    pub(crate) attachments_fallback_url: Option<AttachmentsUrl>,
    pub(crate) orphan_check_every: Duration,
    pub(crate) orphan_mark_after: Duration,
    pub(crate) orphan_remove_after: Duration,
    pub(crate) redis_url: Option<RedisUrl>,
    pub(crate) redis_url_file: Option<PathBuf>,
    pub(crate) redis_ca_file: Option<PathBuf>,
    /// What the file holds.
    pub(crate) redis_authorities: PrivateAuthorities,
    pub(crate) redis_prefix: RedisPrefix,
    pub(crate) max_files: u16,
    pub(crate) max_file_size: u64,
    pub(crate) max_message_size: u64,
    pub(crate) max_unsent_size: u64,
    pub(crate) uploads_per_person: u16,
    pub(crate) uploads_per_node: u16,
    pub(crate) rates: RateOptions,
    pub(crate) customers: CustomerOptions,
    pub(crate) identity: IdentityConfig,
    pub(crate) agent_autoregister: Switch,
    pub(crate) log: LogFilter,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) access_log: Switch,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) otlp_share: f64,
}

/// Where traces go, and how many requests have one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TraceSettings {
    /// The base URL of the collector.
    pub(crate) endpoint: String,
    /// The share of requests that are traced, from 0 to 1.
    pub(crate) share: f64,
}

/// With what tokens are verified.
#[derive(Clone, Debug)]
pub(crate) enum TokenKey {
    /// With the operator's keys.
    Configured(TokenSource),
    /// With a secret that the server keeps in its data directory: development mode.
    Development,
}

impl Config {
    /// Puts the options together.
    ///
    /// # Errors
    /// An option that is wrong in itself or beside another option.
    pub(crate) fn load(options: Options) -> Result<Self, ConfigError> {
        let database_url = database_url(&options)?;
        check_sizes(&options)?;
        let identity = identity::load(&options)?;
        let attachments_url =
            options.attachments_url.unwrap_or_else(|| AttachmentsUrl::File(options.data_dir.join("attachments")));
        if options.attachments_fallback_url.as_ref() == Some(&attachments_url) {
            return Err(ConfigError::new(
                "attachments_fallback_url",
                "must be another place than --attachments-url; a valid value is file:///var/lib/chat/old-attachments",
            ));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (readers, writers) = default_connections(&database_url, cores);
        if matches!(database_url, DatabaseUrl::Sqlite(_))
            && options.database_writers.is_some_and(|writers| writers != 1)
        {
            return Err(ConfigError::new(
                "database_writers",
                "must be 1 with SQLite, which lets one connection write at a time; leave the option out, or choose \
                 PostgreSQL with --database-url",
            ));
        }
        let (url, file) = (options.redis_url.as_deref(), options.redis_url_file.as_deref());
        let set = if file.is_some() { "redis_url_file" } else { "redis_url" };
        let redis_url = secret_file::value_or_file("redis_url", url, "redis_url_file", file)?;
        let redis_url = redis::url(set, redis_url.as_deref(), &database_url)?;
        let redis_authorities = redis::authorities(options.redis_ca_file.as_deref(), redis_url.as_ref())?;
        let redis_prefix = redis::prefix(options.redis_prefix, redis_url.as_ref())?;
        Ok(Self {
            listen: options.listen,
            admin_listen: options.admin_listen,
            public_url: options.public_url,
            cors_origins: options.cors_origins,
            proxies: options.proxies,
            workers: options.workers.map_or(cores, usize::from),
            drain_delay: options.drain_delay,
            pages: options.pages,
            data_dir: options.data_dir,
            database_url,
            database_url_file: options.database_url_file,
            database_readers: options.database_readers.unwrap_or(readers),
            database_writers: options.database_writers.unwrap_or(writers),
            read_queue: options.read_queue,
            write_queue: options.write_queue,
            write_batch: options.write_batch,
            session_cache: options.session_cache,
            page_cache: options.page_cache,
            migrate: options.migrate,
            attachments_url,
            attachments_fallback_url: options.attachments_fallback_url,
            orphan_check_every: options.orphan_check_every,
            orphan_mark_after: options.orphan_mark_after,
            orphan_remove_after: options.orphan_remove_after,
            redis_url,
            redis_url_file: options.redis_url_file,
            redis_ca_file: options.redis_ca_file,
            redis_authorities,
            redis_prefix,
            max_files: options.max_files,
            max_file_size: options.max_file_size,
            max_message_size: options.max_message_size,
            max_unsent_size: options
                .max_unsent_size
                .unwrap_or_else(|| Rules::MAX_UNSENT_BYTES.max(options.max_message_size)),
            uploads_per_person: options.uploads_per_person,
            uploads_per_node: options.uploads_per_node,
            rates: options.rates,
            customers: options.customers,
            identity,
            agent_autoregister: options.agent_autoregister,
            log: options.log,
            log_format: options.log_format,
            access_log: options.access_log,
            otlp_endpoint: options.otlp_endpoint,
            otlp_share: options.otlp_share,
        })
    }

    /// With what tokens are verified.
    ///
    /// # Errors
    /// Without a key, anything but a loopback address, and proxies in front.
    pub(crate) fn token_key(&self) -> Result<TokenKey, ConfigError> {
        match &self.identity.source {
            Some(source) => Ok(TokenKey::Configured(source.clone())),
            // A proxy would let in whom it serves, with tokens that the server itself gives away.
            None if !self.proxies.trusted_proxies.is_empty() => Err(ConfigError::new(
                "trusted_proxies",
                format!(
                    "must not be set without {}: the server is then in development mode, which is for this machine \
                     alone; `openssl rand -hex 32` prints a valid secret. Or set the keys of an identity provider with \
                     --oidc-issuer, --jwt-jwks-url or --jwt-public-key-file, or leave the option out",
                    ConfigError::name_of("jwt_secret"),
                ),
            )),
            None if self.listen.ip().is_loopback() => Ok(TokenKey::Development),
            None => Err(ConfigError::new(
                "jwt_secret",
                format!(
                    "must be set to listen on {}, because without it the server runs in development mode, which is for \
                     this machine alone; `openssl rand -hex 32` prints a valid value. Or set the keys of an identity \
                     provider with --oidc-issuer, --jwt-jwks-url or --jwt-public-key-file, or listen on a loopback \
                     address: --listen 127.0.0.1:{}",
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
            upload_quota: UploadQuota { files: Rules::MAX_UNSENT_FILES, bytes: self.max_unsent_size },
            sockets: SocketLimits::default(),
            max_open_sessions: self.customers.max_open_sessions.0,
            max_token_lifetime: self.identity.rules.max_lifetime,
            accepts_customer_priority: self.customers.customer_priority == CustomerPriority::Accept,
        }
    }

    /// How long stored files without a message are kept.
    pub(crate) fn orphan_waits(&self) -> OrphanWaits {
        OrphanWaits { mark_after: self.orphan_mark_after, remove_after: self.orphan_remove_after }
    }

    /// Where traces go, and how many; `None` for nowhere.
    pub(crate) fn traces(&self) -> Option<TraceSettings> {
        let endpoint = self.otlp_endpoint.clone()?;
        Some(TraceSettings { endpoint, share: self.otlp_share })
    }

    /// What a log line looks like: as configured, else for people on a terminal and JSON elsewhere.
    pub(crate) fn effective_log_format(&self) -> LogFormat {
        self.log_format.unwrap_or_else(|| LogFormat::for_output(io::stderr().is_terminal()))
    }

    /// Every option's effective value in the order of the help, by the option's name; secrets only as `(set)`.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        [
            self.shown_serving(),
            self.shown_data(),
            self.shown_limits(),
            self.identity.shown(),
            self.shown_agents_and_logs(),
        ]
        .concat()
    }

    fn shown_serving(&self) -> Vec<(&'static str, String)> {
        let mut shown = vec![
            ("listen", self.listen.to_string()),
            ("admin_listen", self.admin_listen.to_string()),
            ("public_url", or_unset(self.public_url.clone())),
            ("cors_origins", list(&self.cors_origins)),
        ];
        shown.extend(self.proxies.shown());
        shown.push(("workers", self.workers.to_string()));
        shown.push(("drain_delay", units::show_duration(self.drain_delay)));
        shown.extend(self.pages.shown());
        shown
    }

    fn shown_data(&self) -> Vec<(&'static str, String)> {
        vec![
            ("data_dir", self.data_dir.display().to_string()),
            ("database_url", self.database_url.to_string()),
            ("database_url_file", path(self.database_url_file.as_deref())),
            ("database_readers", self.database_readers.to_string()),
            ("database_writers", self.database_writers.to_string()),
            ("read_queue", self.read_queue.to_string()),
            ("write_queue", self.write_queue.to_string()),
            ("write_batch", self.write_batch.to_string()),
            ("session_cache", self.session_cache.to_string()),
            ("page_cache", units::show_size(self.page_cache)),
            ("migrate", self.migrate.to_string()),
            ("attachments_url", self.attachments_url.to_string()),
            ("attachments_fallback_url", or_unset(self.attachments_fallback_url.as_ref().map(ToString::to_string))),
            ("orphan_check_every", units::show_duration(self.orphan_check_every)),
            ("orphan_mark_after", units::show_duration(self.orphan_mark_after)),
            ("orphan_remove_after", units::show_duration(self.orphan_remove_after)),
            ("redis_url", or_unset(self.redis_url.as_ref().map(ToString::to_string))),
            ("redis_url_file", path(self.redis_url_file.as_deref())),
            ("redis_ca_file", path(self.redis_ca_file.as_deref())),
            ("redis_prefix", self.redis_prefix.to_string()),
        ]
    }

    fn shown_limits(&self) -> Vec<(&'static str, String)> {
        let mut shown = vec![
            ("max_files", self.max_files.to_string()),
            ("max_file_size", units::show_size(self.max_file_size)),
            ("max_message_size", units::show_size(self.max_message_size)),
            ("max_unsent_size", units::show_size(self.max_unsent_size)),
            ("uploads_per_person", self.uploads_per_person.to_string()),
            ("uploads_per_node", self.uploads_per_node.to_string()),
        ];
        shown.extend(self.rates.shown());
        shown.extend(self.customers.shown());
        shown
    }

    fn shown_agents_and_logs(&self) -> Vec<(&'static str, String)> {
        let log_format = self.log_format.map_or_else(derived_log_format, |format| format.to_string());
        vec![
            ("agent_autoregister", self.agent_autoregister.to_string()),
            ("log", self.log.to_string()),
            ("log_format", log_format),
            ("access_log", self.access_log.to_string()),
            ("otlp_endpoint", or_unset(self.otlp_endpoint.clone())),
            ("otlp_share", self.otlp_share.to_string()),
        ]
    }
}

/// The database that the options name.
fn database_url(options: &Options) -> Result<DatabaseUrl, ConfigError> {
    let (url, file) = (options.database_url.as_deref(), options.database_url_file.as_deref());
    let set = if file.is_some() { "database_url_file" } else { "database_url" };
    let database_url = match &secret_file::value_or_file("database_url", url, "database_url_file", file)? {
        Some(url) => DatabaseUrl::parse(url).map_err(|problem| ConfigError::new(set, problem))?,
        None => DatabaseUrl::Sqlite(options.data_dir.join("chat.db")),
    };
    if let DatabaseUrl::Postgres(url) = &database_url {
        url.check_tls().map_err(|problem| ConfigError::new(set, problem.to_string()))?;
    }
    Ok(database_url)
}

/// Refuses a message, and a limit of unsent files, that cannot hold the largest file.
fn check_sizes(options: &Options) -> Result<(), ConfigError> {
    for (option, size) in
        [("max_message_size", Some(options.max_message_size)), ("max_unsent_size", options.max_unsent_size)]
    {
        if size.is_some_and(|size| size < options.max_file_size) {
            let valid = units::show_size(options.max_file_size);
            let problem = format!("must not be smaller than --max-file-size; a valid value is {valid}");
            return Err(ConfigError::new(option, problem));
        }
    }
    Ok(())
}

/// A value that may be missing.
fn or_unset(text: Option<String>) -> String {
    text.unwrap_or_else(|| "(unset)".to_owned())
}

fn path(path: Option<&Path>) -> String {
    or_unset(path.map(|path| path.display().to_string()))
}

/// Several values, separated by commas.
fn list(entries: &[impl ToString]) -> String {
    let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
    or_unset((!entries.is_empty()).then(|| entries.join(",")))
}

/// The format that follows from standard error, with the reason.
fn derived_log_format() -> String {
    let terminal = io::stderr().is_terminal();
    let reason = if terminal { "standard error is a terminal" } else { "standard error is not a terminal" };
    format!("{} ({reason})", LogFormat::for_output(terminal))
}

/// How many connections read and write a database on so many cores, unless the operator sets other numbers.
fn default_connections(database: &DatabaseUrl, cores: usize) -> (u32, usize) {
    match database {
        DatabaseUrl::Sqlite(_) => (SqliteConfig::default_readers(cores), 1),
        DatabaseUrl::Postgres(_) => (PgConfig::default_readers(cores), PgConfig::default_writers(cores)),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use super::*;

    #[test]
    fn each_database_gets_its_number_of_connections() {
        let by_default = |url: &str, cores| default_connections(&DatabaseUrl::parse(url).unwrap(), cores);
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
