//! Where the service is.

use std::net::{SocketAddr, ToSocketAddrs};

/// The base URL of the service, resolved once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `host:port`, as the header `Host` says it.
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
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("must be a plain http address, {wanted}"))?;
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() || authority.contains(['@', '?', '#', ' ']) || prefix.contains(['?', '#', ' ']) {
            return Err(format!("must be a scheme, a host and a port, {wanted}"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let mut found =
            with_port.to_socket_addrs().map_err(|error| format!("cannot be looked up: {error}; {wanted}"))?;
        let address = found.next().ok_or_else(|| format!("has no address; {wanted}"))?;
        Ok(Self { authority: authority.to_owned(), address, prefix: prefix.trim_end_matches('/').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_a_prefix_when_given() {
        let target = Target::parse("http://127.0.0.1:8080/").unwrap();
        assert_eq!((target.authority.as_str(), target.prefix.as_str()), ("127.0.0.1:8080", ""));
        let target = Target::parse("http://127.0.0.1/chat/").unwrap();
        assert_eq!((target.address.port(), target.prefix.as_str()), (80, "/chat"));
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_with_an_example() {
        for url in ["", "127.0.0.1:8080", "https://127.0.0.1", "http://", "http://u@h:1", "http://127.0.0.1:1/?q"] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.contains("http://127.0.0.1:8080"), "{url:?}: {error}");
        }
    }
}
