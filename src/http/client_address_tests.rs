//! Which address is used, by peer and headers. 10.0.0.0/8 and fd00::/8 are trusted.

use http::HeaderValue;

use super::*;

fn by_peer(peer: &str, lines: &[(&str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let trusted = "10.0.0.0/8,fd00::/8".parse().unwrap();
    client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
}

const XFF: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";
/// The trusted proxy that is our peer.
const PROXY: &str = "10.0.0.1";
/// A client, as reported in a header.
const CLIENT: &str = "192.0.2.60";

#[test]
fn only_a_trusted_peer_is_believed() {
    for header in [(XFF, "192.0.2.60"), (FORWARDED, "for=192.0.2.60")] {
        assert_eq!(by_peer("198.51.100.7", &[header]), "198.51.100.7");
        assert_eq!(by_peer("2001:db8::7", &[header]), "2001:db8::7");
        assert_eq!(by_peer(PROXY, &[header]), CLIENT);
        assert_eq!(by_peer("::ffff:10.0.0.1", &[header]), CLIENT);
        assert_eq!(by_peer("fd00::1", &[header]), CLIENT);
    }
    assert_eq!(by_peer(PROXY, &[]), PROXY);
    assert_eq!(by_peer("::ffff:198.51.100.7", &[]), "198.51.100.7");
}

#[test]
fn the_rightmost_hop_that_is_no_trusted_proxy_is_the_client() {
    for (lines, client) in [
        (&[(XFF, "192.0.2.60")][..], CLIENT),
        (&[(XFF, "1.1.1.1, 192.0.2.60, 10.2.3.4")], CLIENT),
        (&[(XFF, "1.1.1.1,192.0.2.60,fd00::3,10.2.3.4")], CLIENT),
        (&[(XFF, "1.1.1.1"), (XFF, "192.0.2.60"), (XFF, "10.2.3.4")], CLIENT),
        (&[(XFF, "1.1.1.1, 192.0.2.60"), (XFF, "10.2.3.4")], CLIENT),
        // All are proxies: the farthest of them.
        (&[(XFF, "10.9.9.9, 10.2.3.4")], "10.9.9.9"),
        // What the client makes up is to the left.
        (&[(XFF, "nonsense, 192.0.2.60")], CLIENT),
        (&[(XFF, "\u{e9}"), (XFF, "192.0.2.60")], CLIENT),
        (&[(FORWARDED, "for=1.1.1.1, for=192.0.2.60;proto=https;by=10.0.0.1, for=10.2.3.4")], CLIENT),
        (&[(FORWARDED, "for=1.1.1.1"), (FORWARDED, "For=\"192.0.2.60\"")], CLIENT),
        (&[(FORWARDED, "for=unknown"), (FORWARDED, "proto=http;FOR=192.0.2.60:80")], CLIENT),
        (&[(FORWARDED, "for=\"not closed"), (FORWARDED, "for=192.0.2.60")], CLIENT),
        (&[(FORWARDED, "for=192.0.2.60;by=\"a,b;c\\\"d\"")], CLIENT),
    ] {
        assert_eq!(by_peer(PROXY, lines), client, "{lines:?}");
    }
}

#[test]
fn an_address_may_have_brackets_and_a_port() {
    for (header, client) in [
        ((XFF, "192.0.2.60:4711"), "192.0.2.60"),
        ((XFF, "2001:db8::1"), "2001:db8::1"),
        ((XFF, "[2001:db8::1]"), "2001:db8::1"),
        ((XFF, "[2001:db8::1]:4711"), "2001:db8::1"),
        ((XFF, "::ffff:192.0.2.60"), "192.0.2.60"),
        ((XFF, " 192.0.2.60 , "), "192.0.2.60"),
        ((FORWARDED, "for=\"[2001:db8::1]\""), "2001:db8::1"),
        ((FORWARDED, "for=\"[2001:db8::1]:4711\";proto=https"), "2001:db8::1"),
        ((FORWARDED, "for=\"192.0.2.60:4711\""), "192.0.2.60"),
        ((FORWARDED, "for=\"[::ffff:192.0.2.60]\""), "192.0.2.60"),
    ] {
        assert_eq!(by_peer(PROXY, &[header]), client, "{header:?}");
    }
}

#[test]
fn where_a_header_cannot_be_read_the_peer_counts() {
    for header in [
        (XFF, "nonsense"),
        (XFF, "192.0.2.60, nonsense"),
        (XFF, "192.0.2.60, nonsense, 10.2.3.4"),
        (XFF, "192.0.2.60.1"),
        (XFF, "192.0.2.60:99999"),
        (XFF, "[2001:db8::1"),
        (XFF, "[192.0.2.60]"),
        (XFF, "fe80::1%eth0"),
        (XFF, ""),
        (XFF, " , ,"),
        (XFF, "\u{e9}"),
        (FORWARDED, "for=unknown"),
        (FORWARDED, "for=_hidden"),
        (FORWARDED, "proto=https"),
        (FORWARDED, "192.0.2.60"),
        (FORWARDED, "for"),
        (FORWARDED, "for="),
        (FORWARDED, "for=192.0.2.60;for=192.0.2.61"),
        (FORWARDED, "for=\"192.0.2.60"),
        // A proxy that does not report its peer: what is before it may be made up by the client.
        (FORWARDED, "for=192.0.2.60, proto=https"),
    ] {
        assert_eq!(by_peer(PROXY, &[header]), PROXY, "{header:?}");
    }
}

#[test]
fn two_headers_that_disagree_are_not_believed() {
    let agree = [(XFF, "192.0.2.60"), (FORWARDED, "for=192.0.2.60")];
    assert_eq!(by_peer(PROXY, &agree), CLIENT);
    for disagree in [
        [(XFF, "192.0.2.60"), (FORWARDED, "for=192.0.2.61")],
        [(XFF, "192.0.2.60"), (FORWARDED, "nonsense")],
        [(XFF, "nonsense"), (FORWARDED, "for=192.0.2.60")],
    ] {
        assert_eq!(by_peer(PROXY, &disagree), PROXY, "{disagree:?}");
    }
}
