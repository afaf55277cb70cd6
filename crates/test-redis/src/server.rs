//! A server of one's own: started, killed, started again, frozen, asked.

use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

use crate::certificates::Certificates;
use crate::error::Error;
use crate::process::{Listener, Process, cli};
use crate::programs::find_programs;

/// Ports below those from which systems take the near end of outgoing connections (32768 and above on Linux). So while
/// the server is dead no client can be given its port, and a client that knocks there cannot be connected to itself.
const PORTS: Range<u16> = 15_000..32_000;
const ATTEMPTS: usize = 20;

/// A private server, without a password, whose memory is all that it keeps.
///
/// It listens on a free port of 127.0.0.1. It is ended when the value is dropped, and within moments when the process
/// dies in any other way.
#[derive(Debug)]
pub struct PrivateRedis {
    programs: PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    certificates: Option<Certificates>,
    process: Mutex<Option<Process>>,
}

impl PrivateRedis {
    /// Starts a server and waits until it answers.
    ///
    /// `settings` are added to its command line, such as `("maxmemory", "2mb")`.
    ///
    /// # Errors
    /// The programs are missing or fail.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, Error> {
        Self::start_on(settings, None, || free_port(PORTS))
    }

    /// As `start`, with TLS and nothing else. Its certificate is for the name `localhost`, signed by an authority that is
    /// made for it alone: [`authority`](Self::authority).
    ///
    /// # Errors
    /// As `start`; or the certificates cannot be made.
    pub fn start_encrypted(settings: &[(&str, &str)]) -> Result<Self, Error> {
        Self::start_on(settings, Some(Certificates::make()?), || free_port(PORTS))
    }

    /// As `start`, on the first port that is free when the server listens.
    pub(crate) fn start_on(
        settings: &[(&str, &str)],
        certificates: Option<Certificates>,
        mut choose_port: impl FnMut() -> Result<u16, Error>,
    ) -> Result<Self, Error> {
        let programs = find_programs()?;
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Self { programs, port: 0, settings, certificates, process: Mutex::new(None) };
        for _ in 0..ATTEMPTS {
            server.port = choose_port()?;
            // Between the choice of the port and its use somebody else may take it.
            match server.start_again() {
                Err(Error::Failed { output, .. }) if output.contains("Address already in use") => {}
                Err(other) => return Err(other),
                Ok(()) => return Ok(server),
            }
        }
        Err(Error::NoPort { tried: ATTEMPTS })
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

    /// Kills the server (SIGKILL), frozen or not, and waits until it is gone with everything that it knew.
    ///
    /// # Errors
    /// It is not running.
    pub fn kill(&self) -> Result<(), Error> {
        self.lock().take().map(drop).ok_or(Error::NotRunning)
    }

    /// Starts a killed server on the port that it had, with an empty memory, and waits until it answers.
    ///
    /// # Errors
    /// It is running already, or does not start; the error has what it said.
    pub fn start_again(&self) -> Result<(), Error> {
        let mut process = self.lock();
        if process.is_some() {
            return Err(Error::Running);
        }
        *process = Some(Process::start(&self.programs, self.listener(), &self.settings)?);
        Ok(())
    }

    /// Freezes the server (SIGSTOP): connections stay, new ones are taken by the system, nothing is answered.
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

    /// Has the server run a command, such as `["CLIENT", "KILL", "TYPE", "pubsub"]`, and returns its answer as `redis-cli`
    /// writes it: a value a line.
    ///
    /// # Errors
    /// The answer is an error, or the server is not there.
    pub fn command(&self, words: &[&str]) -> Result<String, Error> {
        cli(&self.programs, self.listener(), words)
    }

    /// The server's process id, if it is running.
    pub fn process_id(&self) -> Option<i32> {
        self.lock().as_ref().map(Process::id)
    }

    /// The server's directory, which is gone when the server is.
    pub fn directory(&self) -> Option<PathBuf> {
        self.lock().as_ref().map(|process| process.directory().to_owned())
    }

    /// Where Redis's programs are.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    fn listener(&self) -> Listener<'_> {
        Listener { port: self.port, certificates: self.certificates.as_ref() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port of the range that is free at this moment.
pub(crate) fn free_port(range: Range<u16>) -> Result<u16, Error> {
    for _ in 0..ATTEMPTS {
        let random = getrandom::u32().map_err(|error| Error::io("choose a port")(std::io::Error::other(error)))?;
        let offset = random % u32::from(range.end - range.start);
        let port = u16::try_from(offset).unwrap_or_default() + range.start;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::NoPort { tried: ATTEMPTS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs Redis: cargo xtask test"]
    fn a_port_that_somebody_takes_meanwhile_is_replaced_by_another() {
        let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = somebody.local_addr().unwrap().port();
        let mut ports = [taken, free_port(PORTS).unwrap()].into_iter();
        let server = PrivateRedis::start_on(&[], None, || Ok(ports.next().unwrap())).unwrap();
        assert_ne!(server.port(), taken);
        assert_eq!(server.command(&["PING"]).unwrap(), "PONG");
    }

    #[test]
    fn free_ports_are_none_that_a_client_is_given() {
        for _ in 0..100 {
            assert!(PORTS.contains(&free_port(PORTS).unwrap()));
        }
    }
}
