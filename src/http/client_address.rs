//! The address of the client: the peer's, or, behind trusted proxies, the one that they report.
//!
//! A header is trusted only as far as trusted proxies wrote it. Each proxy appends the address of its peer, so the hops
//! are read from the right, and the first that is not a trusted proxy is the client; anything to the left of it may be
//! made up by the client. If the header cannot be parsed up to there, the address of the peer is used.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, Request, header};

use crate::config::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request came from, in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAddress(pub IpAddr);

/// Records the client address, for code that counts or logs by address.
pub(super) fn note<B>(request: &mut Request<B>, trusted: &TrustedProxies) {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let address = client_address(peer.ip(), request.headers(), trusted);
        request.extensions_mut().insert(ClientAddress(address));
    }
}

/// The address of the client, from `X-Forwarded-For` or `Forwarded` (RFC 7239). Most proxies write one of them and pass
/// on whatever the client sent in the other, so if both are present and disagree, neither is trusted.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contain(peer) {
        return peer;
    }
    let by = |name: &HeaderName, hops: fn(&str) -> Vec<Hop>| {
        headers.contains_key(name).then(|| by_hops(headers, name, hops, trusted))
    };
    match (by(&X_FORWARDED_FOR, x_forwarded_for), by(&header::FORWARDED, forwarded)) {
        (Some(client), None) | (None, Some(client)) => client,
        (Some(one), Some(other)) if one == other => one,
        (Some(_), Some(_)) | (None, None) => None,
    }
    .unwrap_or(peer)
}

/// A hop of a header: its address, or `None` if it contains none.
type Hop = Option<IpAddr>;

/// The rightmost hop that is not a trusted proxy, or the leftmost of all if each is one.
fn by_hops(
    headers: &HeaderMap,
    name: &HeaderName,
    hops: fn(&str) -> Vec<Hop>,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let mut farthest = None;
    // Several lines are one list, in their order. A line is parsed if everything to the right of it was trusted.
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    for line in lines.into_iter().rev() {
        for hop in hops(line.to_str().ok()?).into_iter().rev() {
            let address = hop?;
            farthest = Some(address);
            if !trusted.contain(address) {
                return farthest;
            }
        }
    }
    farthest
}

/// The hops in a line of `X-Forwarded-For`.
fn x_forwarded_for(line: &str) -> Vec<Hop> {
    line.split(',').map(str::trim).filter(|node| !node.is_empty()).map(address).collect()
}

/// The hops in a line of `Forwarded`: `for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8::1]:4711"`.
fn forwarded(line: &str) -> Vec<Hop> {
    let Some(elements) = split_unquoted(line, ',') else { return vec![None] };
    elements.into_iter().filter(|element| !element.trim().is_empty()).map(forwarded_element).collect()
}

/// The address in the only `for` of an element.
fn forwarded_element(element: &str) -> Hop {
    let mut found = None;
    for pair in split_unquoted(element, ';')? {
        let Some((name, value)) = pair.split_once('=') else {
            if pair.trim().is_empty() {
                continue;
            }
            return None;
        };
        if name.trim().eq_ignore_ascii_case("for") {
            let value = value.trim();
            let value = value.strip_prefix('"').map_or(Some(value), |value| value.strip_suffix('"'))?;
            if found.replace(value).is_some() {
                return None;
            }
        }
    }
    found.and_then(address)
}

/// The parts of `text` between separators outside of quotes; `None` if a quote is not closed.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            letter if letter == separator && !quoted => {
                parts.push(&text[begin..at]);
                begin = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!quoted).then_some(parts)
}

/// An address with or without brackets and port.
fn address(node: &str) -> Hop {
    let alone = || node.parse::<IpAddr>().ok();
    let in_brackets = || node.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    alone().or_else(in_brackets).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
#[path = "client_address_tests.rs"]
mod tests;
