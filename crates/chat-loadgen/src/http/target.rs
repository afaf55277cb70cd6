//! Where the service is.

use std::net::{SocketAddr, ToSocketAddrs};

use hyper::Uri;

/// The base URL of the service, resolved once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `host:port`, as the header `Host` has it.
    pub authority: String,
    /// The address that connections go to.
    pub address: SocketAddr,
    /// What stands before every path; empty, or `/` and more without a slash at the end.
    pub prefix: String,
}

impl Target {
    /// Reads `http://host[:port][/prefix]` and looks the host up.
    ///
    /// # Errors
    /// Text that names what is wrong and an address that would do.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wanted = "such as http://127.0.0.1:8080";
        if url.starts_with("https://") {
            return Err(format!(
                "must be a plain http address, {wanted}; before a service with TLS put a tunnel, such as \
                 `socat TCP-LISTEN:8080,bind=127.0.0.1,reuseaddr,fork OPENSSL:chat.example.com:443`"
            ));
        }
        if !url.starts_with("http://") {
            return Err(format!("must be a plain http address, {wanted}"));
        }
        let uri: Uri = url.parse().map_err(|_| format!("must be a scheme, a host and a port, {wanted}"))?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@') && uri.query().is_none());
        let authority = authority.ok_or_else(|| format!("must be a scheme, a host and a port, {wanted}"))?;
        let host_and_port = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let mut found =
            host_and_port.to_socket_addrs().map_err(|error| format!("cannot be looked up: {error}; {wanted}"))?;
        let address = found.next().ok_or_else(|| format!("has no address; {wanted}"))?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { authority: authority.to_string(), address, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_has_an_optional_port_and_prefix() {
        let target = Target::parse("http://127.0.0.1:8080/").unwrap();
        assert_eq!((target.authority.as_str(), target.prefix.as_str()), ("127.0.0.1:8080", ""));
        let target = Target::parse("http://127.0.0.1/chat/").unwrap();
        assert_eq!((target.address.port(), target.prefix.as_str()), (80, "/chat"));
        assert_eq!(Target::parse("http://[::1]:8080").unwrap().address.port(), 8080);
    }

    #[test]
    fn an_unusable_base_url_is_refused_with_an_example() {
        for url in ["", "127.0.0.1:8080", "https://127.0.0.1", "http://", "http://u@h:1", "http://127.0.0.1:1/?q"] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.contains("http://127.0.0.1:8080"), "{url:?}: {error}");
            assert_eq!(error.contains("socat"), url.starts_with("https"), "{url:?}: {error}");
        }
    }
}
