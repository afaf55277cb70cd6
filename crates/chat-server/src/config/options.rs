//! Every option of the server, once: its flag, its environment variable, its default and its help. The reference
//! document, `check-config` and the check for mistyped variables are all made from this list.
//!
//! An option's flag and variable follow from its field: `max_file_size` is `--max-file-size` and `CHAT_MAX_FILE_SIZE`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chat_domain::model::Role;
use chat_domain::service::Rules;
use chat_http::{AllowedOrigin, HttpSettings, UploadSettings};
use chat_identity::TokenRules;
use clap::Args;
use secrecy::SecretString;

use crate::adapters::{PgConfig, RedisPrefix, SqliteConfig};

use super::customers::CustomerOptions;
use super::pages::PageOptions;
use super::proxies::ProxyOptions;
use super::rates::RateOptions;
use super::units;
use super::values::{self, AdminListen, AttachmentsUrl, LogFilter, LogFormat, Switch};

/// The options as given, before those that depend on each other are put together.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The address and port to serve on; port 0 takes a free one. Without a key for tokens it must be a loopback
    /// address.
    #[arg(long, env = "CHAT_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    #[arg(value_parser = values::listen, global = true, help_heading = "Serving")]
    pub(crate) listen: SocketAddr,

    /// The address and port that serve the server's metrics to Prometheus under `/metrics`, apart from everything else;
    /// port 0 takes a free one, `off` serves none. A client that reaches it may read them.
    #[arg(long, env = "CHAT_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    #[arg(value_parser = AdminListen::parse, global = true, help_heading = "Serving")]
    pub(crate) admin_listen: AdminListen,

    /// The base URL under which clients reach the server, for the links in its answers. Needed behind a proxy that is not
    /// trusted.
    #[arg(long, env = "CHAT_PUBLIC_URL", value_name = "URL")]
    #[arg(value_parser = values::public_url, global = true, help_heading = "Serving")]
    pub(crate) public_url: Option<String>,

    /// The origins whose pages may call the API and open sockets from a browser, separated by commas, such as
    /// `https://shop.example.com,http://localhost:3000`. `https://*.preview.example.com` stands for every origin with one
    /// label in the place of `*`. Apps have origins such as `capacitor://localhost`, `ionic://localhost`,
    /// `tauri://localhost`, `app://desk` and `chrome-extension://<id>`.
    #[arg(long, env = "CHAT_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    #[arg(value_parser = AllowedOrigin::parse, global = true, help_heading = "Serving")]
    pub(crate) cors_origins: Vec<AllowedOrigin>,

    #[command(flatten)]
    pub(crate) proxies: ProxyOptions,

    /// The threads that serve requests.
    #[arg(long, env = "CHAT_WORKERS", value_name = "NUMBER")]
    #[arg(value_parser = values::count::<u16, 1024>, global = true, help_heading = "Serving")]
    pub(crate) workers: Option<u16>,

    /// How long the server goes on to serve after SIGTERM or SIGINT, at most `10m`, while `/readyz` returns 503: the time
    /// that a load balancer needs to send no more clients here. Then the listener closes. `0` closes it at once.
    #[arg(long, env = "CHAT_DRAIN_DELAY", value_name = "TIME", default_value = "0")]
    #[arg(value_parser = values::drain_delay, global = true, help_heading = "Serving")]
    pub(crate) drain_delay: Duration,

    #[command(flatten)]
    pub(crate) pages: PageOptions,

    /// The directory for everything the server keeps on this machine. It is made when it is missing.
    #[arg(long, env = "CHAT_DATA_DIR", value_name = "DIRECTORY", default_value = "./chat-data")]
    #[arg(global = true, help_heading = "Data")]
    pub(crate) data_dir: PathBuf,

    /// The database: an SQLite file such as `sqlite:///var/lib/chat/chat.db`, or PostgreSQL such as
    /// `postgres://chat:secret@db.example.com:5432/chat`. Prefer the variable where it holds a password: other users of
    /// the machine can see a flag.
    #[arg(long, env = "CHAT_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    #[arg(global = true, help_heading = "Data")]
    pub(crate) database_url: Option<String>,

    /// A file that holds the value of `CHAT_DATABASE_URL`, instead of it. One newline at its end does not count.
    #[arg(long, env = "CHAT_DATABASE_URL_FILE", value_name = "PATH", global = true, help_heading = "Data")]
    pub(crate) database_url_file: Option<PathBuf>,

    /// The connections that read the database at the same time. More than two to four for each core of the database
    /// make everything slower.
    #[arg(long, env = "CHAT_DATABASE_READERS", value_name = "NUMBER")]
    #[arg(value_parser = values::count::<u32, 64>, global = true, help_heading = "Data")]
    pub(crate) database_readers: Option<u32>,

    /// The connections that write to the database, each the sessions that fall to it. SQLite takes one.
    #[arg(long, env = "CHAT_DATABASE_WRITERS", value_name = "NUMBER")]
    #[arg(value_parser = values::count::<usize, 64>, global = true, help_heading = "Data")]
    pub(crate) database_writers: Option<usize>,

    /// The reads that are with the reading connections at most, running or in line; more wait before them.
    #[arg(long, env = "CHAT_READ_QUEUE", value_name = "NUMBER", default_value = PgConfig::READ_QUEUE.to_string())]
    #[arg(value_parser = values::count::<usize, 65_536>, global = true, help_heading = "Data")]
    pub(crate) read_queue: usize,

    /// The writes that wait for a writer at most; more are answered with 503 and `Retry-After`.
    #[arg(long, env = "CHAT_WRITE_QUEUE", value_name = "NUMBER", default_value = PgConfig::WRITE_QUEUE.to_string())]
    #[arg(value_parser = values::count::<usize, 1_000_000>, global = true, help_heading = "Data")]
    pub(crate) write_queue: usize,

    /// The writes that are committed together at most. They are not waited for: what waits when the last commit is done
    /// goes into the next.
    #[arg(long, env = "CHAT_WRITE_BATCH", value_name = "NUMBER", default_value = PgConfig::WRITE_BATCH.to_string())]
    #[arg(value_parser = values::count::<usize, 4096>, global = true, help_heading = "Data")]
    pub(crate) write_batch: usize,

    /// The sessions that a writer to PostgreSQL remembers as it left them, which saves reading them before the next
    /// message; 0 for none.
    #[arg(long, env = "CHAT_SESSION_CACHE", value_name = "NUMBER", default_value = PgConfig::SESSION_CACHE.to_string())]
    #[arg(value_parser = values::count_or_none::<usize, 1_000_000>, global = true, help_heading = "Data")]
    pub(crate) session_cache: usize,

    /// The memory in which the newest messages of sessions in use are kept ready to be sent; 0 for none. They are sent
    /// only when the database says in the same request that they are current.
    #[arg(long, env = "CHAT_PAGE_CACHE", value_name = "SIZE", default_value = units::show_size(HttpSettings::PAGE_CACHE_BYTES as u64))]
    #[arg(value_parser = units::size_or_none, global = true, help_heading = "Data")]
    pub(crate) page_cache: u64,

    /// Whether pending migrations are applied at start. When `off`, the server refuses to start on an old schema and
    /// `chat-server migrate up` brings it up to date.
    #[arg(long, env = "CHAT_MIGRATE", value_name = "SWITCH", default_value = "on")]
    #[arg(value_enum, global = true, help_heading = "Data")]
    pub(crate) migrate: Switch,

    /// Where the bytes of attachments lie: a directory such as `file:///var/lib/chat/attachments`, or a bucket of S3 such as
    /// `s3://bucket/prefix`, with the usual variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
    /// `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, `AWS_VIRTUAL_HOSTED_STYLE_REQUEST`. Without a key, the
    /// credentials of the machine or of its web identity are used.
    #[arg(long, env = "CHAT_ATTACHMENTS_URL", value_name = "URL")]
    #[arg(value_parser = values::attachments_url, global = true, help_heading = "Data")]
    pub(crate) attachments_url: Option<AttachmentsUrl>,

    /// Where attachments are read that are not in `CHAT_ATTACHMENTS_URL`, while they move from one place to the other with
    /// `chat-server attachments migrate`. Nothing is written or removed there.
    #[arg(long, env = "CHAT_ATTACHMENTS_FALLBACK_URL", value_name = "URL")]
    #[arg(value_parser = values::attachments_url, global = true, help_heading = "Data")]
    pub(crate) attachments_fallback_url: Option<AttachmentsUrl>,

    /// How often stored files that no message refers to are looked for: what is left of uploads that broke off.
    #[arg(long, env = "CHAT_ORPHAN_CHECK_EVERY", value_name = "TIME", default_value = "1h")]
    #[arg(value_parser = values::wait, global = true, help_heading = "Data")]
    pub(crate) orphan_check_every: Duration,

    /// How old such a file is at least when it is marked. It must be longer than an upload takes: a message whose files
    /// have been removed meanwhile is refused with 503, to be sent again.
    #[arg(long, env = "CHAT_ORPHAN_MARK_AFTER", value_name = "TIME", default_value = "24h")]
    #[arg(value_parser = values::wait, global = true, help_heading = "Data")]
    pub(crate) orphan_mark_after: Duration,

    /// How long such a file stays marked before it is removed: the time in which a mistake with a database or a directory
    /// can be noticed.
    #[arg(long, env = "CHAT_ORPHAN_REMOVE_AFTER", value_name = "TIME", default_value = "7d")]
    #[arg(value_parser = values::wait, global = true, help_heading = "Data")]
    pub(crate) orphan_remove_after: Duration,

    /// The Redis through which several servers on one PostgreSQL database tell each other at once what happens, such as
    /// `redis://:secret@redis.example.com:6379/0`; `rediss://` for TLS. Several hosts, separated by commas, are members
    /// of one cluster, or a primary and its replicas. Prefer the variable where it holds a password.
    #[arg(long, env = "CHAT_REDIS_URL", value_name = "URL", hide_env_values = true)]
    #[arg(global = true, help_heading = "Several servers")]
    pub(crate) redis_url: Option<String>,

    /// A file that holds the value of `CHAT_REDIS_URL`, instead of it.
    #[arg(long, env = "CHAT_REDIS_URL_FILE", value_name = "PATH", global = true, help_heading = "Several servers")]
    pub(crate) redis_url_file: Option<PathBuf>,

    /// A file of certificates (PEM) of private authorities. With `rediss://` they are believed besides the system's.
    #[arg(long, env = "CHAT_REDIS_CA_FILE", value_name = "PATH", global = true, help_heading = "Several servers")]
    pub(crate) redis_ca_file: Option<PathBuf>,

    /// What the names of channels in Redis begin with. Servers of different databases on one Redis do not believe each
    /// other, and with different ones need not read each other.
    #[arg(long, env = "CHAT_REDIS_PREFIX", value_name = "NAME", default_value = RedisPrefix::default().to_string())]
    #[arg(value_parser = RedisPrefix::parse, global = true, help_heading = "Several servers")]
    pub(crate) redis_prefix: RedisPrefix,

    /// The most files a message may have.
    #[arg(long, env = "CHAT_MAX_FILES", value_name = "NUMBER", default_value = Rules::MAX_FILES.to_string())]
    #[arg(value_parser = values::count::<u16, 1000>, global = true, help_heading = "Limits")]
    pub(crate) max_files: u16,

    /// The largest file that may be attached.
    #[arg(long, env = "CHAT_MAX_FILE_SIZE", value_name = "SIZE", default_value = units::show_size(Rules::MAX_FILE_BYTES))]
    #[arg(value_parser = units::size, global = true, help_heading = "Limits")]
    pub(crate) max_file_size: u64,

    /// The most that all files of a message may have together.
    #[arg(long, env = "CHAT_MAX_MESSAGE_SIZE", value_name = "SIZE", default_value = units::show_size(Rules::MAX_MESSAGE_BYTES))]
    #[arg(value_parser = units::size, global = true, help_heading = "Limits")]
    pub(crate) max_message_size: u64,

    /// The most that the files may have together which one person has uploaded and not sent. A further one is answered
    /// with 400, until some are sent or removed, or have waited for a day.
    #[arg(long, env = "CHAT_MAX_UNSENT_SIZE", value_name = "SIZE")]
    #[arg(value_parser = units::size, global = true, help_heading = "Limits")]
    pub(crate) max_unsent_size: Option<u64>,

    /// The most uploads, alone or in messages, that one person may send to this server at the same time; a further one
    /// is answered with 429 and `Retry-After`.
    #[arg(long, env = "CHAT_UPLOADS_PER_PERSON", value_name = "NUMBER", default_value = UploadSettings::PER_PERSON.to_string())]
    #[arg(value_parser = values::count::<u16, 1000>, global = true, help_heading = "Limits")]
    pub(crate) uploads_per_person: u16,

    /// The most uploads, alone or in messages, that this server receives at the same time; a further one is answered with 503 and
    /// `Retry-After`. Each takes about 200 KiB of memory, with S3 up to 12 MiB, and a descriptor for its connection and its
    /// file.
    #[arg(long, env = "CHAT_UPLOADS_PER_NODE", value_name = "NUMBER", default_value = UploadSettings::PER_NODE.to_string())]
    #[arg(value_parser = values::count::<u16, 10_000>, global = true, help_heading = "Limits")]
    pub(crate) uploads_per_node: u16,

    #[command(flatten)]
    pub(crate) rates: RateOptions,

    #[command(flatten)]
    pub(crate) customers: CustomerOptions,

    /// The secret of at least 32 bytes that signs tokens with HS256. Prefer the variable or the file: other users of the
    /// machine can see a flag. Set one of `CHAT_JWT_SECRET`, `CHAT_JWT_PUBLIC_KEY_FILE`, `CHAT_JWT_JWKS_URL` and
    /// `CHAT_OIDC_ISSUER`; without any, the server runs in development mode, on a loopback address only.
    #[arg(long, env = "CHAT_JWT_SECRET", value_name = "SECRET", hide_env_values = true)]
    #[arg(value_parser = values::secret, global = true, help_heading = "Tokens")]
    pub(crate) jwt_secret: Option<SecretString>,

    /// A file that holds the value of `CHAT_JWT_SECRET`, instead of it. One newline at its end does not count.
    #[arg(long, env = "CHAT_JWT_SECRET_FILE", value_name = "PATH", global = true, help_heading = "Tokens")]
    pub(crate) jwt_secret_file: Option<PathBuf>,

    /// The secret that `CHAT_JWT_SECRET` replaces: tokens that are signed with it stay valid while both are set.
    #[arg(long, env = "CHAT_JWT_SECRET_PREVIOUS", value_name = "SECRET", hide_env_values = true)]
    #[arg(value_parser = values::secret, global = true, help_heading = "Tokens")]
    pub(crate) jwt_secret_previous: Option<SecretString>,

    /// A file that holds the value of `CHAT_JWT_SECRET_PREVIOUS`, instead of it.
    #[arg(long, env = "CHAT_JWT_SECRET_PREVIOUS_FILE", value_name = "PATH", global = true, help_heading = "Tokens")]
    pub(crate) jwt_secret_previous_file: Option<PathBuf>,

    /// A file of the public keys that verify tokens: one or several in PEM, or a JWK Set. It is read at start. An RSA key
    /// in PEM is for RS256; a JWK is for its `alg`.
    #[arg(long, env = "CHAT_JWT_PUBLIC_KEY_FILE", value_name = "PATH", global = true, help_heading = "Tokens")]
    pub(crate) jwt_public_key_file: Option<PathBuf>,

    /// Where the issuer of the tokens publishes its keys (a JWK Set), such as
    /// `https://login.example.com/.well-known/jwks.json`. It needs `CHAT_JWT_ISSUER` and `CHAT_JWT_AUDIENCE`.
    #[arg(long, env = "CHAT_JWT_JWKS_URL", value_name = "URL", global = true, help_heading = "Tokens")]
    pub(crate) jwt_jwks_url: Option<String>,

    /// The issuer of the tokens, an OIDC provider such as `https://login.example.com/realms/shop`: its discovery document
    /// says where its keys are. It needs `CHAT_JWT_AUDIENCE`.
    #[arg(long, env = "CHAT_OIDC_ISSUER", value_name = "URL", global = true, help_heading = "Tokens")]
    pub(crate) oidc_issuer: Option<String>,

    /// Whether keys may be fetched over plain http and from private addresses: for tests, and for an identity provider
    /// within the same cluster.
    #[arg(long, env = "CHAT_JWT_ALLOW_PRIVATE_HOSTS", value_name = "SWITCH", default_value = "off")]
    #[arg(value_enum, global = true, help_heading = "Tokens")]
    pub(crate) jwt_allow_private_hosts: Switch,

    /// The issuer (`iss`) that a token must have. `CHAT_OIDC_ISSUER` sets it.
    #[arg(long, env = "CHAT_JWT_ISSUER", value_name = "TEXT")]
    #[arg(value_parser = values::text, global = true, help_heading = "Tokens")]
    pub(crate) jwt_issuer: Option<String>,

    /// The audience (`aud`) that a token must be for.
    #[arg(long, env = "CHAT_JWT_AUDIENCE", value_name = "TEXT")]
    #[arg(value_parser = values::text, global = true, help_heading = "Tokens")]
    pub(crate) jwt_audience: Option<String>,

    /// The claim that holds the role or a list of roles; dots lead into nested claims, as in `realm_access.roles`.
    #[arg(long, env = "CHAT_JWT_ROLE_CLAIM", value_name = "PATH", default_value = TokenRules::ROLE_CLAIM)]
    #[arg(value_parser = values::claim_path, global = true, help_heading = "Tokens")]
    pub(crate) jwt_role_claim: String,

    /// The names of roles in tokens and what they mean here, such as `support-agent=agent,supervisor=admin`. When it is
    /// set, no other name means anything, also not `agent` and `admin`.
    #[arg(long, env = "CHAT_JWT_ROLE_MAP", value_name = "PAIRS", value_delimiter = ',')]
    #[arg(value_parser = values::role_name, global = true, help_heading = "Tokens")]
    pub(crate) jwt_role_map: Vec<(String, Role)>,

    /// The claim that holds the name of a person, of at most 100 characters; dots lead into nested claims.
    #[arg(long, env = "CHAT_JWT_NAME_CLAIM", value_name = "PATH", default_value = TokenRules::NAME_CLAIM)]
    #[arg(value_parser = values::claim_path, global = true, help_heading = "Tokens")]
    pub(crate) jwt_name_claim: String,

    /// The claim that holds the address of a picture of a person, with `https` and of at most 2,048 characters; dots lead
    /// into nested claims.
    #[arg(long, env = "CHAT_JWT_PICTURE_CLAIM", value_name = "PATH", default_value = TokenRules::PICTURE_CLAIM)]
    #[arg(value_parser = values::claim_path, global = true, help_heading = "Tokens")]
    pub(crate) jwt_picture_claim: String,

    /// How long a token may live, from its `iat`, or from now if it has none, to its `exp`; at most `3650d`. One that
    /// lives longer is refused. So long a sign-out is remembered.
    #[arg(long, env = "CHAT_JWT_MAX_LIFETIME", value_name = "TIME", default_value = units::show_duration(TokenRules::MAX_LIFETIME))]
    #[arg(value_parser = values::token_lifetime, global = true, help_heading = "Tokens")]
    pub(crate) jwt_max_lifetime: Duration,

    /// Whether a token must say when it was issued (`iat`). Without it, a token that is longer-lived than
    /// `CHAT_JWT_MAX_LIFETIME` can be accepted near its end although its holder was signed out.
    #[arg(long, env = "CHAT_JWT_REQUIRE_IAT", value_name = "SWITCH", default_value = "off")]
    #[arg(value_enum, global = true, help_heading = "Tokens")]
    pub(crate) jwt_require_iat: Switch,

    /// Whether an agent enters the directory with their first request. When `off`, an admin enters every agent.
    #[arg(long, env = "CHAT_AGENT_AUTOREGISTER", value_name = "SWITCH", default_value = "on")]
    #[arg(value_enum, global = true, help_heading = "Tokens")]
    pub(crate) agent_autoregister: Switch,

    /// What is logged to standard error: a level, and other levels for parts, such as `info,chat_http=debug`.
    #[arg(long, env = "CHAT_LOG", value_name = "FILTER", default_value = "info,actix_server=warn,object_store=warn")]
    #[arg(value_parser = LogFilter::parse, global = true, help_heading = "Logs")]
    pub(crate) log: LogFilter,

    /// What a log line looks like: for people, or one JSON object a line.
    #[arg(long, env = "CHAT_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(value_enum, global = true, help_heading = "Logs")]
    pub(crate) log_format: Option<LogFormat>,

    /// Whether each request gets a line of JSON on standard output: time, method, route, path, status, bytes,
    /// milliseconds, client, request id and person; no query, no header, no body.
    #[arg(long, env = "CHAT_ACCESS_LOG", value_name = "SWITCH", default_value = "off")]
    #[arg(value_enum, global = true, help_heading = "Logs")]
    pub(crate) access_log: Switch,

    /// The collector to which traces of requests are exported with OTLP over HTTP, such as `http://127.0.0.1:4318`;
    /// `/v1/traces` is added to it.
    #[arg(long, env = "CHAT_OTLP_ENDPOINT", value_name = "URL")]
    #[arg(value_parser = values::public_url, global = true, help_heading = "Traces")]
    pub(crate) otlp_endpoint: Option<String>,

    /// The share of requests that are traced, from `0` to `1`.
    #[arg(long, env = "CHAT_OTLP_SHARE", value_name = "SHARE", default_value = "0.01")]
    #[arg(value_parser = values::share, global = true, help_heading = "Traces")]
    pub(crate) otlp_share: f64,
}

/// The defaults that are computed when the server starts, in words. Options that are simply unset say so here.
pub(crate) fn derived_defaults() -> [(&'static str, String); 18] {
    let readers = format!(
        "SQLite: one for each core, at least {}; PostgreSQL: {} for each core, at most {}",
        SqliteConfig::MIN_READERS,
        PgConfig::READERS_PER_CORE,
        PgConfig::MAX_READERS,
    );
    let writers = format!("SQLite: 1; PostgreSQL: 1 for every {} cores, at least 1", PgConfig::CORES_PER_WRITER);
    let text = str::to_owned;
    [
        ("public_url", text("taken from each request")),
        ("cors_origins", text("none")),
        ("trusted_proxies", text("none: every client connects directly")),
        ("workers", text("one for each core")),
        ("database_url", text("sqlite://<data dir>/chat.db")),
        ("database_readers", readers),
        ("database_writers", writers),
        ("attachments_url", text("file://<data dir>/attachments")),
        ("max_unsent_size", text("200MiB, or `--max-message-size` if that is more")),
        ("attachments_fallback_url", text("unset: there is one place")),
        ("redis_url", text("unset: live events stay within this server")),
        ("redis_ca_file", text("the system's authorities alone")),
        ("jwt_secret", text("unset, which means development mode unless another key is set")),
        ("jwt_issuer", text("unset, not checked")),
        ("jwt_audience", text("unset, not checked")),
        ("jwt_role_map", text("none: `user`, `agent` and `admin` mean what they say")),
        ("log_format", text("pretty on a terminal, else json")),
        ("otlp_endpoint", text("unset: no traces")),
    ]
}
