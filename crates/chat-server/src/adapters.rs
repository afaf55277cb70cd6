//! The adapters' own types and defaults of configuration, for `config`: each adapter alone decides which addresses it can
//! use and what it does by default. Nothing is made of them here; that is done in `wire`.

pub(crate) use chat_postgres::{PgConfig, PgUrl};
pub(crate) use chat_redis::{PrivateAuthorities, RedisPrefix, RedisUrl};
pub(crate) use chat_sqlite::SqliteConfig;
pub(crate) use chat_storage::S3Location;
