//! The options of Redis, read by the adapter's own types and looked at beside the others.

use std::path::Path;

use crate::adapters::{PrivateAuthorities, RedisPrefix, RedisUrl};

use super::{ConfigError, DatabaseUrl, bounded_file};

/// The largest file of authorities. Those of a whole system have a quarter of it.
const MAX_AUTHORITIES_BYTES: u64 = 1024 * 1024;

/// Where Redis is, if anywhere.
///
/// # Errors
/// Not an address, or one beside an SQLite database.
pub(crate) fn url(
    option: &'static str,
    text: Option<&str>,
    database: &DatabaseUrl,
) -> Result<Option<RedisUrl>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    let url = RedisUrl::parse(text).map_err(|problem| ConfigError::new(option, problem.to_string()))?;
    match database {
        DatabaseUrl::Postgres(_) => Ok(Some(url)),
        DatabaseUrl::Sqlite(_) => Err(ConfigError::new(
            option,
            "joins several servers on one PostgreSQL database, and an SQLite file has one server; leave the option out, \
             or choose PostgreSQL with --database-url",
        )),
    }
}

/// What names begin with there.
///
/// # Errors
/// A prefix without a Redis, which would have no effect.
pub(crate) fn prefix(prefix: RedisPrefix, url: Option<&RedisUrl>) -> Result<RedisPrefix, ConfigError> {
    if url.is_none() && prefix.to_string() != RedisPrefix::default().to_string() {
        return Err(ConfigError::new(
            "redis_prefix",
            "has no effect without Redis; leave the option out, or name one with --redis-url redis://localhost:6379",
        ));
    }
    Ok(prefix)
}

/// Whose certificates are believed besides those of the system's authorities.
///
/// # Errors
/// A file that holds no certificates, or that nothing would be checked by.
pub(crate) fn authorities(file: Option<&Path>, url: Option<&RedisUrl>) -> Result<PrivateAuthorities, ConfigError> {
    let refused = |problem: String| ConfigError::new("redis_ca_file", problem);
    let Some(file) = file else { return Ok(PrivateAuthorities::default()) };
    if !url.is_some_and(RedisUrl::is_encrypted) {
        return Err(refused(
            "has no effect without TLS; leave the option out, or let --redis-url begin with rediss://".to_owned(),
        ));
    }
    let pem = bounded_file::read(file, MAX_AUTHORITIES_BYTES)
        .map_err(|error| refused(format!("must name a file that can be read: {error}")))?;
    PrivateAuthorities::from_pem(&pem).map_err(|problem| refused(problem.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_refused_by_the_name_of_its_option_and_without_its_secrets() {
        let database = DatabaseUrl::parse("postgres://db/chat").unwrap();
        let refusal = url("redis_url", Some("redis://:can@ary@host"), &database).unwrap_err().to_string();
        assert!(refusal.starts_with("--redis-url (CHAT_REDIS_URL): must write the `/`"), "{refusal}");
        assert!(!refusal.contains("ary@host"), "{refusal}");
        assert!(url("redis_url", Some("rediss://one,two"), &database).unwrap().is_some());
        let sqlite = DatabaseUrl::parse("sqlite://chat.db").unwrap();
        let refusal = url("redis_url", Some("redis://host"), &sqlite).unwrap_err().to_string();
        assert!(refusal.contains("choose PostgreSQL"), "{refusal}");
    }

    #[test]
    fn a_prefix_without_redis_is_refused() {
        let url = RedisUrl::parse("redis://host").unwrap();
        let other = || RedisPrefix::parse("other").unwrap();
        let refusal = prefix(other(), None).unwrap_err().to_string();
        assert!(refusal.starts_with("--redis-prefix (CHAT_REDIS_PREFIX): has no effect"), "{refusal}");
        assert!(prefix(other(), Some(&url)).is_ok() && prefix(RedisPrefix::default(), None).is_ok());
    }

    #[test]
    fn authorities_that_nothing_is_checked_by_are_refused() {
        let (plain, encrypted) = (RedisUrl::parse("redis://host").unwrap(), RedisUrl::parse("rediss://host").unwrap());
        let file = Path::new("Cargo.toml");
        let cases = [(None, "without TLS"), (Some(&plain), "without TLS"), (Some(&encrypted), "there are none")];
        for (url, part) in cases {
            let refusal = authorities(Some(file), url).unwrap_err().to_string();
            assert!(
                refusal.starts_with("--redis-ca-file (CHAT_REDIS_CA_FILE): ") && refusal.contains(part),
                "{refusal}"
            );
        }
        let refusal = authorities(Some(Path::new("no/such/file")), Some(&encrypted)).unwrap_err().to_string();
        assert!(refusal.contains("can be read"), "{refusal}");
        assert!(authorities(None, None).is_ok());
    }
}
