//! Valid and invalid image references.

use super::ImageReference;
use insta::assert_snapshot;
use proptest::prelude::*;

const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn normalized(text: &str) -> String {
    text.parse::<ImageReference>().unwrap().normalized()
}

fn refusal(text: &str) -> String {
    text.parse::<ImageReference>().unwrap_err().to_string()
}

#[test]
fn a_short_name_is_an_official_image() {
    assert_snapshot!(normalized("alpine"), @"docker.io/library/alpine:latest");
    assert_snapshot!(normalized("team/tool:1.2"), @"docker.io/team/tool:1.2");
    assert_snapshot!(normalized("index.docker.io/alpine"), @"docker.io/library/alpine:latest");
}

#[test]
fn a_host_in_front_is_a_registry() {
    assert_snapshot!(normalized("localhost/a"), @"localhost/a:latest");
    assert_snapshot!(normalized("registry.example.org:5000/a/b-c/d__e:v1"), @"registry.example.org:5000/a/b-c/d__e:v1");
    assert_snapshot!(normalized("[::1]:5000/a"), @"[::1]:5000/a:latest");
    assert_snapshot!(normalized("127.0.0.1:5000/a"), @"127.0.0.1:5000/a:latest");
}

#[test]
fn a_digest_fixes_the_contents() {
    let reference: ImageReference = format!("ghcr.io/a/b:1@sha256:{SUM}").parse().unwrap();
    assert_eq!((reference.registry(), reference.repository()), ("ghcr.io", "a/b"));
    assert_eq!(reference.tag(), Some("1"));
    assert_eq!(reference.digest(), Some(format!("sha256:{SUM}").as_str()));
    assert_eq!(normalized(&format!("a@sha256:{SUM}")), format!("docker.io/library/a@sha256:{SUM}"));
}

#[test]
fn what_is_wrong_is_named() {
    assert_snapshot!(refusal(""), @r#""" is not an image reference: it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected"#);
    assert_snapshot!(refusal("Alpine"), @r#""Alpine" is not an image reference: the name "Alpine" must be lower case"#);
    assert_snapshot!(refusal("a b"), @r#""a b" is not an image reference: the part "a b" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'"#);
    assert_snapshot!(refusal("a:"), @r#""a:" is not an image reference: the tag "" must be 1 to 128 letters, digits, '_', '.' or '-', and not begin with '.' or '-'"#);
    assert_snapshot!(refusal("a@sha256:12"), @r#""a@sha256:12" is not an image reference: the digest "sha256:12" must be an algorithm and a hexadecimal hash, such as sha256: followed by 64 digits"#);
    assert_snapshot!(refusal("-bad.org/a"), @r#""-bad.org/a" is not an image reference: the registry "-bad.org" must be a host name or address with an optional port, such as registry.example.org:5000"#);
    assert!(refusal(SUM).ends_with("64 hexadecimal digits are an image ID; a name is expected"));
    assert!(refusal(&"a".repeat(300)).ends_with("the name has 318 characters; at most 255 are allowed"));
}

#[test]
fn what_runtimes_refuse_is_refused() {
    for bad in ["a:é", "a:٣", &format!("a@sha256:{}", SUM.to_uppercase())] {
        assert!(bad.parse::<ImageReference>().is_err(), "{bad} was taken");
    }
    // Capitals make the first part a registry, as they cannot be in a path.
    assert_snapshot!(normalized("Team/a"), @"Team/a:latest");
}

#[test]
fn parts_have_their_separators() {
    for good in ["a-b", "a--b", "a__b", "a.b", "0/1", "a---b_c"] {
        assert!(good.parse::<ImageReference>().is_ok(), "{good} was refused");
    }
    for bad in
        ["a..b", "a___b", "a._b", "-a", "a-", "a//b", "/a", "a/", "a_-b", "ä", "https://a.org/b", "a:b:c", "a@b@c"]
    {
        assert!(bad.parse::<ImageReference>().is_err(), "{bad} was taken");
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused_without_a_panic(text in ".{0,80}") {
        let _ = text.parse::<ImageReference>();
    }

    #[test]
    fn the_normalized_form_is_its_own(text in "([a-z]{1,5}(\\.[a-z]{1,4})?(:[0-9]{1,4})?/)?[a-z0-9]{1,6}((-|_|__)[a-z0-9]{1,4})?(/[a-z]{1,5})?(:[a-z0-9.-]{1,8})?") {
        if let Ok(reference) = text.parse::<ImageReference>() {
            prop_assert_eq!(reference.as_str(), &text);
            let whole = reference.normalized();
            prop_assert_eq!(normalized(&whole), whole);
        }
    }
}
