//! Content negotiation: `Accept` with its q-values and parameters, according to RFC 9110 and GraphQL over HTTP.

use http::{HeaderMap, header};

/// A media type of a single response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`: the default for clients without an `Accept` header.
    Json,
    /// `application/graphql-response+json`.
    GraphqlResponse,
}

impl MediaType {
    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// The format of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// In one piece.
    Single(MediaType),
    /// As server-sent events.
    EventStream,
    /// As parts of `multipart/mixed`, by Apollo's subscription protocol.
    Multipart,
}

/// One media range of an `Accept` header.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    subscription_spec: bool,
    /// Thousandths, so that weights can be compared exactly.
    quality: u16,
}

/// The supported formats, the default first: a wildcard means the first of them.
const OFFERS: [(Format, &str, &str); 4] = [
    (Format::Single(MediaType::Json), "application", "json"),
    (Format::Single(MediaType::GraphqlResponse), "application", "graphql-response+json"),
    (Format::EventStream, "text", "event-stream"),
    (Format::Multipart, "multipart", "mixed"),
];

/// The best format for the `Accept` headers of a request, or `None` if none is acceptable (406).
pub fn negotiate(headers: &HeaderMap) -> Option<Format> {
    let mut ranges = Vec::new();
    let mut named = false;
    for value in headers.get_all(header::ACCEPT) {
        named = true;
        ranges.extend(split_quoted(value.to_str().ok()?, ',').filter_map(parse_range));
    }
    if !named {
        return Some(Format::Single(MediaType::Json));
    }
    let mut best: Option<(u16, usize, usize, Format)> = None;
    for (rank, (format, kind, subtype)) in OFFERS.iter().enumerate() {
        let Some((specificity, position, quality)) = weight(&ranges, *format, kind, subtype) else { continue };
        if quality == 0 {
            continue;
        }
        // Quality decides; then a named type before a wildcard; then the order of the client; then ours.
        let named = usize::from(specificity < 2);
        let order = named * 10_000 + if specificity < 2 { rank } else { position };
        if best.is_none_or(|(q, o, r, _)| quality > q || (quality == q && (order, rank) < (o, r))) {
            best = Some((quality, order, rank, *format));
        }
    }
    best.map(|(.., format)| format)
}

/// The weight that the most specific matching range gives to a format.
fn weight(ranges: &[Range<'_>], format: Format, kind: &str, subtype: &str) -> Option<(u8, usize, u16)> {
    ranges
        .iter()
        .enumerate()
        .filter_map(|(position, range)| {
            let specificity = match (range.kind, range.subtype) {
                ("*", "*") => 0,
                (k, "*") if k.eq_ignore_ascii_case(kind) => 1,
                (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => 2,
                _ => return None,
            };
            // A wildcard never means a stream, and multipart requires that the client supports the protocol.
            match format {
                Format::Single(_) => {}
                Format::EventStream if specificity == 2 => {}
                Format::Multipart if specificity == 2 && range.subscription_spec => {}
                Format::EventStream | Format::Multipart => return None,
            }
            Some((specificity, position, range.quality))
        })
        .max_by_key(|(specificity, position, _)| (*specificity, std::cmp::Reverse(*position)))
}

fn parse_range(text: &str) -> Option<Range<'_>> {
    let mut parts = split_quoted(text, ';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let mut range = Range { kind, subtype, subscription_spec: false, quality: 1000 };
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match name.trim() {
            name if name.eq_ignore_ascii_case("q") => range.quality = parse_quality(value)?,
            name if name.eq_ignore_ascii_case("subscriptionSpec") => range.subscription_spec = true,
            // Responses are UTF-8 only.
            name if name.eq_ignore_ascii_case("charset") && !is_utf8(value) => return None,
            _ => {}
        }
    }
    Some(range)
}

fn parse_quality(text: &str) -> Option<u16> {
    let quality: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&quality).then(|| (quality * 1000.0).round() as u16)
}

/// Whether a charset parameter means UTF-8.
pub fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Splits at a separator outside of quotes: Apollo quotes its parameters.
fn split_quoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c: char| {
        if c == '"' {
            quoted = !quoted;
        }
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(accept: &str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        negotiate(&headers)
    }

    const JSON: Option<Format> = Some(Format::Single(MediaType::Json));
    const GRAPHQL: Option<Format> = Some(Format::Single(MediaType::GraphqlResponse));

    #[test]
    fn who_says_nothing_or_anything_gets_json() {
        assert_eq!(negotiate(&HeaderMap::new()), JSON);
        assert_eq!(of("*/*"), JSON);
        assert_eq!(of("application/*"), JSON);
        assert_eq!(of("text/html,application/xhtml+xml,*/*;q=0.8"), JSON);
    }

    #[test]
    fn a_named_type_comes_before_a_wildcard() {
        assert_eq!(of("application/graphql-response+json, */*"), GRAPHQL);
        assert_eq!(of("*/*, application/graphql-response+json"), GRAPHQL);
    }

    #[test]
    fn the_higher_quality_wins_whatever_the_order() {
        assert_eq!(of("application/json;q=0.5, application/graphql-response+json"), GRAPHQL);
        assert_eq!(of("application/graphql-response+json;q=0.2, application/json;q=0.9"), JSON);
        assert_eq!(of("application/graphql-response+json, application/json"), GRAPHQL);
        assert_eq!(of("application/json, application/graphql-response+json"), JSON);
    }

    #[test]
    fn quality_zero_excludes_a_type_even_from_a_wildcard() {
        assert_eq!(of("application/json;q=0, */*"), GRAPHQL);
        assert_eq!(of("application/json;q=0"), None);
    }

    #[test]
    fn nothing_acceptable_is_none() {
        assert_eq!(of("text/html"), None);
        assert_eq!(of("application/json; charset=latin1"), None);
        assert_eq!(of("image/*"), None);
    }

    #[test]
    fn streams_are_chosen_by_name_only() {
        assert_eq!(of("text/event-stream"), Some(Format::EventStream));
        assert_eq!(of("text/*"), None);
        assert_eq!(of("multipart/mixed"), None);
        assert_eq!(
            of(r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json"#),
            Some(Format::Multipart)
        );
    }

    proptest! {
        #[test]
        fn any_header_is_answered_without_panic(accept in "[ -~]{0,120}") {
            of(&accept);
        }

        #[test]
        fn a_lone_known_type_is_chosen_at_any_quality(quality in 1u16..=1000) {
            let accept = format!("application/graphql-response+json;q={:.3}", f32::from(quality) / 1000.0);
            prop_assert_eq!(of(&accept), GRAPHQL);
        }
    }
}
