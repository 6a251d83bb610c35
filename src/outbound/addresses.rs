//! The addresses that requests for users may go to: public ones, and those in networks that the operator allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks that are not public but allowed nevertheless; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedNetworks(Arc<[IpNet]>);

/// What is not public of IPv4 (<https://www.iana.org/assignments/iana-ipv4-special-registry>), multicast and what is reserved.
const NOT_PUBLIC_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// What is not public of the addresses that are given out, 2000::/3: protocols and tunnels of the IETF, documentation, and 6to4,
/// which contains an IPv4 address.
const NOT_PUBLIC_V6: [([u16; 2], u8); 4] =
    [([0x2001, 0x0000], 23), ([0x2001, 0x0db8], 32), ([0x2002, 0x0000], 16), ([0x3fff, 0x0000], 20)];

impl AllowedNetworks {
    /// Whether a request may go to this address. What an IPv6 address stands for counts: the IPv4 address in it, if there is one.
    #[must_use]
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
        };
        self.0.iter().any(|network| network.contains(&address))
            || match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            }
    }
}

/// The IPv4 address that an IPv6 address stands for: IPv4-mapped (RFC 4291), or translated by a NAT64 (RFC 6052).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let translated = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    };
    address.to_ipv4_mapped().or(translated)
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let networks = NOT_PUBLIC_V4.iter().map(|(network, length)| Ipv4Net::new_assert(Ipv4Addr::from(*network), *length));
    !networks.into_iter().any(|network| network.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let given_out = address.segments()[0] & 0xe000 == 0x2000;
    let networks = NOT_PUBLIC_V6.iter().map(|([first, second], length)| {
        Ipv6Net::new_assert(Ipv6Addr::new(*first, *second, 0, 0, 0, 0, 0, 0), *length)
    });
    given_out && !networks.into_iter().any(|network| network.contains(&address))
}

impl FromStr for AllowedNetworks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
        let network = |text: &str| text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        networks.map(network).collect::<Option<Vec<_>>>().map(|networks| Self(networks.into())).ok_or_else(|| {
            "a comma-separated list of addresses and networks, such as 10.0.0.0/8,192.0.2.7,fd00::/8".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn permits(allowed: &str, address: &str) -> bool {
        allowed.parse::<AllowedNetworks>().unwrap().permit(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_permitted() {
        for address in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(permits("", address), "{address}");
        }
    }

    #[test]
    fn nothing_private_is_permitted_in_whichever_form() {
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.170",
            "198.18.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a9fe:a9fe",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "ff02::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "fd00:ec2::254",
        ] {
            assert!(!permits("", address), "{address}");
        }
    }

    #[test]
    fn the_operator_can_permit_a_network_also_for_addresses_that_stand_for_it() {
        assert!(permits("127.0.0.0/8, fd00::/8", "127.0.0.1"));
        assert!(permits("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(permits("10.1.2.3", "64:ff9b::a01:203"));
        assert!(permits("fd00::/8", "fd12::1"));
        assert!(!permits("127.0.0.0/8", "::1"));
        assert!(!permits("64:ff9b::/96", "64:ff9b::a9fe:a9fe"), "it stands for the address of the metadata");
        for bad in ["localhost", "10.0.0.0/33", "*", "10.0.0.1:80"] {
            assert!(bad.parse::<AllowedNetworks>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_judged_alike_in_every_form(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let plain = AllowedNetworks::default().permit(address.into());
            let mapped = AllowedNetworks::default().permit(address.to_ipv6_mapped().into());
            let [a, b, c, d] = address.octets();
            let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
            prop_assert_eq!(plain, mapped);
            prop_assert_eq!(plain, AllowedNetworks::default().permit(translated.into()));
        }
    }
}
