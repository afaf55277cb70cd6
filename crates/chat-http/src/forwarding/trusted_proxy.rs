//! Addresses of proxies whose word counts.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

const VALID: &str = "each must be a network or an address, such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32, or loopback";
/// How many bits of an IPv4-mapped IPv6 address stand before the IPv4 one (RFC 4291, 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// One proxy, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// This machine: `127.0.0.0/8` and `::1`.
    Loopback,
    /// The addresses of a network.
    Network(IpNet),
}

impl TrustedProxy {
    /// Reads a network in CIDR notation, an address, or `loopback`. Spaces around it, as after a comma, are not part of
    /// it.
    ///
    /// # Errors
    /// What is wrong with it, with valid values.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "loopback" {
            return Ok(Self::Loopback);
        }
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| VALID.to_owned())?,
        };
        let plain = unmapped(network);
        if plain.prefix_len() == 0 {
            return Err(format!("{text} is every address, so that any client could claim any other; {VALID}"));
        }
        if network != network.trunc() {
            return Err(format!("{text} has bits behind its prefix, did you mean {}? {VALID}", network.trunc()));
        }
        Ok(Self::Network(plain))
    }

    /// Whether the address is one of them. An IPv4-mapped IPv6 address equals the IPv4 one.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Network(network) => network.contains(&address),
        }
    }
}

/// A network of IPv4-mapped addresses as one of IPv4.
fn unmapped(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(MAPPED_BITS)),
        IpNet::V4(_) => None,
    };
    let as_v4 = mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    as_v4.map_or(network, IpNet::V4)
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("loopback"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_network_an_address_or_this_machine() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", &["10.1.2.3", "::ffff:10.1.2.3"][..], &["11.0.0.1", "::1", "::10.1.2.3"][..]),
            ("192.0.2.7", &["192.0.2.7"], &["192.0.2.8"]),
            ("2001:db8::/32", &["2001:db8:1::5"], &["2001:db9::", "32.1.13.184"]),
            ("::ffff:10.0.0.0/104", &["10.9.9.9", "::ffff:10.9.9.9"], &["11.0.0.1"]),
            ("::ffff:192.0.2.7", &["192.0.2.7"], &["192.0.2.8"]),
            (" loopback ", &["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"], &["128.0.0.1", "::2"]),
        ] {
            let proxy = TrustedProxy::parse(text).unwrap();
            for address in inside {
                assert!(proxy.contains(address.parse().unwrap()), "{text}: {address}");
            }
            for address in outside {
                assert!(!proxy.contains(address.parse().unwrap()), "{text}: {address}");
            }
            assert_eq!(TrustedProxy::parse(&proxy.to_string()), Ok(proxy));
        }
    }

    #[test]
    fn an_invalid_proxy_is_refused_with_a_valid_value() {
        for (text, part) in [
            ("", "192.0.2.7"),
            ("proxy.example.com", "192.0.2.7"),
            ("10.0.0.0/33", "192.0.2.7"),
            ("10.0.0.0/", "192.0.2.7"),
            ("10.0.0.0/8 192.0.2.7", "192.0.2.7"),
            ("Loopback", "loopback"),
            ("10.1.2.3/8", "did you mean 10.0.0.0/8"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("::ffff:0.0.0.0/96", "every address"),
        ] {
            let problem = TrustedProxy::parse(text).unwrap_err();
            assert!(problem.contains(part) && problem.ends_with(VALID), "{text:?}: {problem}");
        }
    }
}
