//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is not public in IPv4 (the IANA special-purpose registry, RFC 6890, and multicast).
const SPECIAL_V4: [(Ipv4Addr, u32, &str); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network (0.0.0.0/8)"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private (10.0.0.0/8)"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a carrier (100.64.0.0/10)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback (127.0.0.0/8)"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local (169.254.0.0/16)"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private (172.16.0.0/12)"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "special (192.0.0.0/24)"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation (192.0.2.0/24)"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay (192.88.99.0/24)"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private (192.168.0.0/16)"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarks (198.18.0.0/15)"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation (198.51.100.0/24)"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation (203.0.113.0/24)"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast (224.0.0.0/4)"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast (240.0.0.0/4)"),
];

/// What is not public inside 2000::/3. Outside of it nothing is, so that the list stays short and
/// a range that is assigned tomorrow is refused today.
const SPECIAL_V6: [(Ipv6Addr, u32, &str); 4] = [
    // Teredo, benchmarks, ORCHID and others; Teredo (2001::/32) carries an IPv4 address.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "special, Teredo among it (2001::/23)"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation (2001:db8::/32)"),
    // Carries an IPv4 address, and is given up (RFC 7526).
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4 (2002::/16)"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation (3fff::/20)"),
];

const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// Why an address is not public; `None` if it is.
///
/// An IPv4 address inside an IPv6 one is judged as what it is: mapped (`::ffff:a.b.c.d`), and
/// behind NAT64 (`64:ff9b::/96`), which networks without IPv4 need to reach the public one.
pub fn why_not_public(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => why_not_public_v4(address),
        IpAddr::V6(address) => why_not_public_v6(address),
    }
}

/// Whether an address is this machine's own, in IPv4, IPv6 or mapped.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn why_not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let inside =
        |(base, len, _): &&(Ipv4Addr, u32, _)| (address.to_bits() ^ base.to_bits()).leading_zeros() >= *len;
    SPECIAL_V4.iter().find(inside).map(|(_, _, what)| *what)
}

fn why_not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within = |base: Ipv6Addr, len| (address.to_bits() ^ base.to_bits()).leading_zeros() >= len;
    if within(NAT64, 96) {
        let [.., a, b, c, d] = address.octets();
        return why_not_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    if !within(GLOBAL_UNICAST, 3) {
        return Some("not global unicast (outside of 2000::/3)");
    }
    SPECIAL_V6.iter().find(|(base, len, _)| within(*base, *len)).map(|(_, _, what)| *what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public(address: &str) -> bool {
        why_not_public(address.parse().unwrap()).is_none()
    }

    #[test]
    fn public_addresses_are_public() {
        let addresses = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ];
        for address in addresses {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn special_addresses_are_not() {
        let addresses = [
            // IPv4: first and last of each range
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            // IPv6
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            // IPv4 inside IPv6: mapped, compatible, NAT64, NAT64 local use, 6to4, Teredo
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::1",
            "2001:0:7f00:1::1",
        ];
        for address in addresses {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    fn loopback_is_found_in_every_form() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(address.parse().unwrap()), "{address}");
        }
        for address in ["128.0.0.1", "::2", "::127.0.0.1", "64:ff9b::127.0.0.1"] {
            assert!(!is_loopback(address.parse().unwrap()), "{address}");
        }
    }

    proptest! {
        /// Differential: whatever the standard library calls special is not public.
        #[test]
        fn what_std_calls_special_is_not_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!special || why_not_public(address.into()).is_some());
        }

        /// An IPv4 address stays what it is, however it is wrapped; what cannot be unwrapped
        /// is refused.
        #[test]
        fn wrapping_changes_nothing(bits: u32) {
            let plain = why_not_public(Ipv4Addr::from_bits(bits).into());
            let v6 = |bits: u128| IpAddr::from(Ipv6Addr::from_bits(bits));
            prop_assert_eq!(why_not_public(v6(0xffff_0000_0000 | u128::from(bits))), plain);
            prop_assert_eq!(why_not_public(v6(NAT64.to_bits() | u128::from(bits))), plain);
            prop_assert!(why_not_public(v6(u128::from(bits))).is_some());
            prop_assert!(why_not_public(v6(0x2002 << 112 | u128::from(bits) << 80)).is_some());
        }

        #[test]
        fn only_global_unicast_and_what_wraps_a_public_address_is_public(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            let global = address.segments()[0] & 0xe000 == 0x2000;
            prop_assert!(global || why_not_public(address.into()).is_some());
        }
    }
}
