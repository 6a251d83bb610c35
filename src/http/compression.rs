//! Which encoding a response is compressed with: the one that the client prefers, and among equals the one that most
//! clients can decode. The compressing layer would choose zstd, which `fetch` of Node 20 asks for but cannot decode.

use http::{HeaderMap, HeaderValue, header};

/// The encodings, from most to least preferred.
const ENCODINGS: [&str; 4] = ["br", "gzip", "zstd", "identity"];

/// Reduces `Accept-Encoding` to the encoding to use, so that the compressing layer has no choice.
pub(super) fn choose(headers: &mut HeaderMap) {
    let chosen = HeaderValue::from_static(preferred(headers));
    headers.insert(header::ACCEPT_ENCODING, chosen);
}

/// The encoding with the highest weight, as RFC 9110 (section 12.5.3) defines it; among equals, the first of
/// [`ENCODINGS`].
fn preferred(headers: &HeaderMap) -> &'static str {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let accepted = lines.flat_map(|line| line.split(',')).filter_map(weighted).filter(|(_, weight)| *weight > 0);
    let best = accepted.min_by_key(|(rank, weight)| (std::cmp::Reverse(*weight), *rank));
    best.and_then(|(rank, _)| ENCODINGS.get(rank).copied()).unwrap_or("identity")
}

/// The rank of an encoding, and its weight in thousandths; `None` if the server does not have it.
fn weighted(item: &str) -> Option<(usize, u16)> {
    let (name, parameter) = item.split_once(';').map_or((item, None), |(name, parameter)| (name, Some(parameter)));
    let name = match name.trim().to_ascii_lowercase() {
        old if old == "x-gzip" => "gzip".to_owned(),
        name => name,
    };
    let rank = ENCODINGS.iter().position(|encoding| *encoding == name)?;
    Some((rank, parameter.map_or(Some(1000), weight)?))
}

/// A weight such as `q=0.8`: at most 1, with at most three decimals.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    let value = value.trim();
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !name.trim().eq_ignore_ascii_case("q") || !matches!(whole, "0" | "1") || decimals.len() > 3 || !digits(decimals)
    {
        return None;
    }
    let thousandths: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accepted: &[&'static str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for line in accepted {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        choose(&mut headers);
        assert_eq!(headers.get_all(header::ACCEPT_ENCODING).iter().count(), 1);
        preferred(&headers)
    }

    #[test]
    fn without_weights_brotli_comes_before_gzip_and_zstd() {
        assert_eq!(of(&["zstd, gzip, deflate, br"]), "br");
        assert_eq!(of(&["zstd", "X-GZIP"]), "gzip");
        assert_eq!(of(&["gzip;q=1.0, zstd; q=1"]), "gzip");
        assert_eq!(of(&["zstd"]), "zstd");
        assert_eq!(of(&["identity, zstd"]), "zstd");
    }

    #[test]
    fn the_weights_of_the_client_win() {
        assert_eq!(of(&["br;q=0.5, gzip;q=0.501, zstd;Q=0.9"]), "zstd");
        assert_eq!(of(&["br;q=0, gzip;q=0.001"]), "gzip");
        assert_eq!(of(&["identity, gzip;q=0.5"]), "identity");
    }

    #[test]
    fn what_cannot_be_used_leaves_the_response_as_it_is() {
        for line in ["", "deflate", "*", "br;q=0", "br;q=2", "br;q=1.001", "br;q=0.0001", "br;level=1", "br;q=-1"] {
            assert_eq!(of(&[line]), "identity", "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_gives_one_encoding(line in "[a-z0-9;=., *-]{0,60}") {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(&line).unwrap());
            choose(&mut headers);
            proptest::prop_assert!(ENCODINGS.contains(&headers[header::ACCEPT_ENCODING].to_str().unwrap()));
        }
    }
}
