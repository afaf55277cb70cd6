//! How many files the process may have open, and what that leaves for connections.
//!
//! At the limit, accepting a connection fails, and the HTTP server logs that twice a second for as long as it lasts. So
//! it never comes to that: connections beyond what the limit allows wait in the kernel until there is room, and sockets
//! beyond it are refused.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{AdminListen, Config};

/// What the process has open besides connections: its log, its listeners, what its threads wait on, lock files, the
/// connections to Redis, and room for what opens a file for a moment.
const OTHERS: u64 = 64;
/// Connections on the admin address.
const ADMIN: u64 = 64;
/// A connection to SQLite has the database, its log and its index open; one to PostgreSQL is a single descriptor.
const FILES_OF_A_DATABASE_CONNECTION: u64 = 3;
/// An HTTP connection and the file that it uploads or downloads.
const FILES_OF_AN_HTTP_CONNECTION: u64 = 2;
/// More HTTP connections than this are of no use: sockets are counted apart.
const MOST_HTTP_CONNECTIONS: u64 = 50_000;
/// The fewest connections of each kind.
const FEWEST: u64 = 8;

/// How many connections the limit of open files leaves room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DescriptorLimits {
    /// HTTP connections at the same time.
    pub(crate) http: usize,
    /// Sockets at the same time.
    pub(crate) sockets: usize,
}

impl DescriptorLimits {
    /// Raises the limit as far as the system allows, and shares it out.
    pub(crate) fn make(config: &Config) -> Self {
        let limit = raise();
        let room = Self::within(limit, taken(config));
        tracing::info!(
            limit,
            http_connections = room.http,
            sockets = room.sockets,
            "the limit of open files is {limit}: at most {} HTTP connections and {} sockets at the same time",
            room.http,
            room.sockets
        );
        if Self::is_too_low(config, limit) {
            tracing::warn!(
                limit,
                "the limit of open files is too low to work with; raise it, such as with ulimit -n 4096"
            );
        }
        room
    }

    /// The limit to which [`make`](Self::make) would raise it, and what that leaves room for.
    pub(crate) fn foresee(config: &Config) -> (u64, Self) {
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        (limit, Self::within(limit, taken(config)))
    }

    /// Whether a limit leaves no room for the fewest connections.
    pub(crate) fn is_too_low(config: &Config, limit: u64) -> bool {
        limit < taken(config).saturating_add(FEWEST * (FILES_OF_AN_HTTP_CONNECTION + 1))
    }

    /// Half of what is left is for sockets, or more when HTTP has enough.
    fn within(limit: u64, taken: u64) -> Self {
        let left = limit.saturating_sub(taken);
        let http = (left / 2 / FILES_OF_AN_HTTP_CONNECTION).clamp(FEWEST, MOST_HTTP_CONNECTIONS);
        let sockets = left.saturating_sub(http * FILES_OF_AN_HTTP_CONNECTION).max(FEWEST);
        let number = |count| usize::try_from(count).unwrap_or(usize::MAX);
        Self { http: number(http), sockets: number(sockets) }
    }
}

/// How many files are open besides those of connections.
fn taken(config: &Config) -> u64 {
    let database = u64::from(config.database_readers) + u64::try_from(config.database_writers).unwrap_or(u64::MAX);
    let admin = if config.admin_listen == AdminListen::Off { 0 } else { ADMIN };
    OTHERS.saturating_add(admin).saturating_add(database.saturating_mul(FILES_OF_A_DATABASE_CONNECTION))
}

/// Raises the limit of open files to the hard limit, and returns what it is then.
fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current.unwrap_or(u64::MAX);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum.unwrap_or(u64::MAX),
        Err(error) => {
            let current = limit.current.unwrap_or(u64::MAX);
            tracing::info!(error.cause = %error, "the limit of open files stays at {current}: it cannot be raised");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_connections_with_their_files_and_sockets_fit_into_what_is_left() {
        for (limit, taken) in [(1_024, 150), (4_096, 200), (65_536, 200), (1_048_576, 200)] {
            let DescriptorLimits { http, sockets } = DescriptorLimits::within(limit, taken);
            assert!(2 * http as u64 + sockets as u64 <= limit - taken, "{limit}: {http} and {sockets}");
            assert!(sockets >= http, "{limit}: {http} and {sockets}");
        }
        assert_eq!(DescriptorLimits::within(1_024, 224), DescriptorLimits { http: 200, sockets: 400 });
    }

    #[test]
    fn a_limit_that_is_far_too_low_leaves_a_few_of_each_kind() {
        assert_eq!(DescriptorLimits::within(64, 200), DescriptorLimits { http: 8, sockets: 8 });
    }

    #[test]
    fn no_limit_is_much_room() {
        assert_eq!(DescriptorLimits::within(u64::MAX, 200).http, 50_000);
    }
}
