//! The reverse proxies whose headers about the client address are trusted.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Networks of reverse proxies; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether `address` is in one of the networks. An IPv4-mapped IPv6 address is treated as the IPv4 address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty()).map(network);
        networks.collect::<Option<_>>().map(Self).ok_or_else(|| {
            "a comma-separated list of addresses and networks, such as 10.0.0.0/8,192.0.2.7,2001:db8::/32".to_owned()
        })
    }
}

/// A network in CIDR notation, or a single address as a network.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    match network {
        IpNet::V4(_) => Some(network),
        // `::ffff:10.0.0.0/104` is 10.0.0.0/8: IPv4-mapped addresses are compared as IPv4.
        IpNet::V6(mapped) => match (mapped.addr().to_ipv4_mapped(), mapped.prefix_len().checked_sub(96)) {
            (Some(address), Some(length)) => IpNet::new(IpAddr::V4(address), length).ok(),
            _ => Some(network),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_may_be_listed() {
        let trusted: TrustedProxies = "10.0.0.0/8, 192.0.2.7,2001:db8::/32,::1,::ffff:172.16.0.0/108,".parse().unwrap();
        let contain = |address: &str| trusted.contain(address.parse().unwrap());
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "192.0.2.7", "2001:db8:1::1", "::1", "172.31.0.1"] {
            assert!(contain(inside), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::2", "172.32.0.1"] {
            assert!(!contain(outside), "{outside}");
        }
        assert!("".parse::<TrustedProxies>().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["proxy.example", "10.0.0.0/33", "10.0.0/8", "*", "2001:db8::/129", "10.0.0.1:80", "[::1]"] {
            assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
        }
    }
}
