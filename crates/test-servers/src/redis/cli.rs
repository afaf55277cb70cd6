//! Commands through Redis's own `redis-cli`.

use std::path::Path;

use crate::error::Error;
use crate::process::{Account, Certificates, run};

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct RedisAddress<'a> {
    pub(super) port: u16,
    /// With certificates, TLS only.
    pub(super) certificates: Option<&'a Certificates>,
}

/// Runs a command with `redis-cli` and returns the server's reply, without the last line's end.
pub(super) fn cli(programs: &Path, address: RedisAddress<'_>, words: &[&str]) -> Result<String, Error> {
    let mut command = Account::Own.command(programs.join("redis-cli"));
    // `-e`: a reply that is an error makes the program fail.
    command.args(["-e", "-h", "127.0.0.1", "-p", &address.port.to_string()]).env_remove("REDISCLI_AUTH");
    if let Some(certificates) = address.certificates {
        command.arg("--tls").arg("--cacert").arg(certificates.authority());
    }
    command.args(words);
    run(command)
}
