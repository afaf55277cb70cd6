//! A private nginx with a configuration of the test.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::process::{
    BELOW_EPHEMERAL, Certificates, Programs, ServerProcess, ThrowawayDirectory, free_port, start_on_free_port,
};

const PROGRAMS: Programs = Programs {
    name: "nginx's programs",
    files: &["nginx"],
    variable: None,
    remedy: "install it, on Debian `apt-get install nginx`",
};

/// Where Debian puts it, which is not in the search path of an ordinary account.
const DEBIAN: &str = "/usr/sbin";

/// The path of `nginx`.
///
/// # Errors
/// It is not installed.
pub fn find_nginx() -> Result<PathBuf, Error> {
    PROGRAMS.find([PathBuf::from(DEBIAN)], DEBIAN).map(|directory| directory.join("nginx"))
}

/// What the configuration of a site is written for.
#[derive(Clone, Copy, Debug)]
pub struct NginxSite<'a> {
    /// The port of 127.0.0.1 to listen on.
    pub port: u16,
    /// A certificate for the name `localhost`, as PEM.
    pub certificate: &'a Path,
    /// Its private key, as PEM.
    pub key: &'a Path,
}

/// A running nginx on a free port of 127.0.0.1: one process, without its usual master. It ends with the value.
#[derive(Debug)]
pub struct PrivateNginx {
    process: ServerProcess,
    certificates: Certificates,
    port: u16,
}

impl PrivateNginx {
    /// Starts one and waits until it listens. `site` writes what stands in the block `http { … }`, as a file of
    /// `/etc/nginx/conf.d` does. It is called again with another port if the first one is taken meanwhile.
    ///
    /// # Errors
    /// nginx is not installed, or refuses the configuration; the error has its message.
    pub fn start(site: impl Fn(&NginxSite<'_>) -> String) -> Result<Self, Error> {
        let program = find_nginx()?;
        start_on_free_port(|| free_port(BELOW_EPHEMERAL), |port| Self::start_on(port, &program, &site))
    }

    fn start_on(port: u16, program: &Path, site: impl Fn(&NginxSite<'_>) -> String) -> Result<Self, Error> {
        let directory = ThrowawayDirectory::own("nginx-")?;
        let certificates = Certificates::make()?;
        let (certificate, key) = (certificates.server(), certificates.key());
        let http = site(&NginxSite { port, certificate: &certificate, key: &key });
        let own = directory.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {own}/{name};\n"))
            .concat();
        let settings = format!(
            "daemon off;\nmaster_process off;\npid {own}/nginx.pid;\nerror_log stderr notice;\n\
             events {{ worker_connections 4096; }}\nhttp {{\naccess_log off;\n{temporary}{http}\n}}\n"
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, settings).map_err(Error::io("write nginx.conf"))?;
        // Its log is standard error from the beginning, also where the account may not write to the usual file.
        let mut line = vec![program.into(), "-e".into(), "stderr".into()];
        line.extend(["-p".into(), directory.path().into(), "-c".into(), file.into()]);
        let process = ServerProcess::start(directory, line)?;
        // Written after the port is bound.
        process.wait_until(|output| output.contains("event method"), &["Address already in use", "[emerg]"])?;
        Ok(Self { process, certificates, port })
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to connect if the site has no TLS: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The certificate, as PEM, of the authority that signed the site's.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn authority(&self) -> Result<Vec<u8>, Error> {
        fs::read(self.certificates.authority()).map_err(Error::io("read the authority's certificate"))
    }

    /// Its directory, which is gone when it is.
    pub fn directory(&self) -> &Path {
        self.process.directory()
    }

    /// What it has logged.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<String, Error> {
        fs::read_to_string(self.process.directory().join("output")).map_err(Error::io("read nginx's log"))
    }
}
