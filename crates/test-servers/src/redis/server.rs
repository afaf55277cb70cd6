//! A private server: started, killed, started again, frozen, queried.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

use crate::error::Error;
use crate::process::{BELOW_EPHEMERAL, Certificates, ServerProcess, ThrowawayDirectory, free_port, start_on_free_port};
use crate::redis::cli::{RedisAddress, cli};
use crate::redis::programs::find_programs;

/// A private server without a password, which keeps everything in memory only.
///
/// It listens on a free port of 127.0.0.1. It is ended when the value is dropped, and within moments when the process
/// dies in any other way.
#[derive(Debug)]
pub struct PrivateRedis {
    programs: PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    certificates: Option<Certificates>,
    process: Mutex<Option<ServerProcess>>,
}

impl PrivateRedis {
    /// Starts a server and waits until it is ready.
    ///
    /// `settings` are added to its command line, such as `("maxmemory", "2mb")`.
    ///
    /// # Errors
    /// The programs are missing or fail.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, Error> {
        Self::start_on(settings, None, || free_port(BELOW_EPHEMERAL))
    }

    /// As `start`, with TLS only. Its certificate is for the name `localhost`, signed by an authority that is
    /// made for it alone: [`authority`](Self::authority).
    ///
    /// # Errors
    /// As `start`; or the certificates cannot be made.
    pub fn start_encrypted(settings: &[(&str, &str)]) -> Result<Self, Error> {
        Self::start_on(settings, Some(Certificates::make()?), || free_port(BELOW_EPHEMERAL))
    }

    /// As `start`, on the first port that is free when the server listens.
    pub(crate) fn start_on(
        settings: &[(&str, &str)],
        certificates: Option<Certificates>,
        choose_port: impl FnMut() -> Result<u16, Error>,
    ) -> Result<Self, Error> {
        let programs = find_programs()?;
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Self { programs, port: 0, settings, certificates, process: Mutex::new(None) };
        start_on_free_port(choose_port, |port| {
            server.port = port;
            server.start_again()
        })?;
        Ok(server)
    }

    /// Where to connect: `redis://127.0.0.1:PORT`, or `rediss://localhost:PORT`.
    pub fn url(&self) -> String {
        match self.certificates {
            None => format!("redis://127.0.0.1:{}", self.port),
            Some(_) => format!("rediss://localhost:{}", self.port),
        }
    }

    /// The certificate, as PEM, of the authority that signed the server's, if it is one with TLS.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn authority(&self) -> Result<Option<Vec<u8>>, Error> {
        let read = |certificates: &Certificates| fs::read(certificates.authority());
        self.certificates.as_ref().map(read).transpose().map_err(Error::io("read the authority's certificate"))
    }

    /// The TCP port on 127.0.0.1, the same for as long as the value lives.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server (SIGKILL), frozen or not, and waits until it and its data are gone.
    ///
    /// # Errors
    /// It is not running.
    pub fn kill(&self) -> Result<(), Error> {
        self.lock().take().map(drop).ok_or(Error::NotRunning)
    }

    /// Starts a killed server on the port that it had, with an empty memory, and waits until it is ready.
    ///
    /// # Errors
    /// It is running already, or does not start; the error has its output.
    pub fn start_again(&self) -> Result<(), Error> {
        let mut process = self.lock();
        if process.is_some() {
            return Err(Error::AlreadyRunning);
        }
        *process = Some(self.start_process()?);
        Ok(())
    }

    /// Freezes the server (SIGSTOP): connections stay, new ones are accepted by the system, no command is replied to.
    ///
    /// # Errors
    /// It is not running.
    pub fn freeze(&self) -> Result<(), Error> {
        self.lock().as_ref().ok_or(Error::NotRunning)?.signal(Signal::STOP)
    }

    /// Lets a frozen server go on (SIGCONT).
    ///
    /// # Errors
    /// It is not running.
    pub fn thaw(&self) -> Result<(), Error> {
        self.lock().as_ref().ok_or(Error::NotRunning)?.signal(Signal::CONT)
    }

    /// Runs a command, such as `["CLIENT", "KILL", "TYPE", "pubsub"]`, and returns the reply as `redis-cli` writes it: a
    /// value a line.
    ///
    /// # Errors
    /// The reply is an error, or the server is not there.
    pub fn command(&self, words: &[&str]) -> Result<String, Error> {
        cli(&self.programs, self.address(), words)
    }

    /// The server's process id, if it is running.
    pub fn process_id(&self) -> Option<i32> {
        self.lock().as_ref().map(ServerProcess::id)
    }

    /// The server's directory, which is gone when the server is.
    pub fn directory(&self) -> Option<PathBuf> {
        self.lock().as_ref().map(|process| process.directory().to_owned())
    }

    /// Where Redis's programs are.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Starts a server that keeps nothing on disk, and waits until it is ready.
    fn start_process(&self) -> Result<ServerProcess, Error> {
        let directory = ThrowawayDirectory::own("redis-")?;
        let mut line: Vec<OsString> = vec![self.programs.join("redis-server").into()];
        line.extend(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"].map(OsString::from));
        let port = self.port.to_string();
        match &self.certificates {
            None => line.extend(["--port", &port].map(OsString::from)),
            Some(certificates) => {
                line.extend(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"].map(OsString::from));
                line.extend(["--tls-cert-file".into(), certificates.server().into()]);
                line.extend(["--tls-key-file".into(), certificates.key().into()]);
                line.extend(["--tls-ca-cert-file".into(), certificates.authority().into()]);
            }
        }
        line.extend(["--dir".into(), directory.path().into()]);
        for (name, value) in &self.settings {
            line.push(format!("--{name}").into());
            line.extend(value.split(' ').map(OsString::from));
        }
        let process = ServerProcess::start(directory, line)?;
        // Not pinged before it is ready: another process that has the port may never reply.
        process.wait_until(
            |output| output.contains("Ready to accept connections"),
            &["Address already in use", "FATAL CONFIG FILE ERROR"],
        )?;
        cli(&self.programs, self.address(), &["PING"])?;
        Ok(process)
    }

    fn address(&self) -> RedisAddress<'_> {
        RedisAddress { port: self.port, certificates: self.certificates.as_ref() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ServerProcess>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[ignore = "needs Redis: cargo xtask test"]
    fn a_port_that_is_taken_before_the_server_listens_is_replaced() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().port();
        let mut ports = [taken, free_port(BELOW_EPHEMERAL).unwrap()].into_iter();
        let server = PrivateRedis::start_on(&[], None, || Ok(ports.next().unwrap())).unwrap();
        assert_ne!(server.port(), taken);
        assert_eq!(server.command(&["PING"]).unwrap(), "PONG");
    }
}
