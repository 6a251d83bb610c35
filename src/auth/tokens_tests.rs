//! Which access tokens are accepted.

use secrecy::SecretString;

use super::*;

const FIRST: &str = "first-0123456789-0123456789-0123456789";
const SECOND: &str = "second-0123456789-0123456789-0123456789";

fn tokens(current: &str, old: &str) -> Tokens {
    let keys = JwtKeys::parse(Some(&SecretString::from(current)), Some(&SecretString::from(old))).unwrap();
    Tokens::new(&keys, Duration::from_secs(900))
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

#[test]
fn a_token_says_whose_it_is_until_its_time_has_passed() {
    let (user, session) = (UserId::generate(), SessionId::generate());
    let (token, expires_at) = tokens(FIRST, "").issue(user, session, noon()).unwrap();
    let just_before = expires_at - Duration::from_secs(1);
    assert_eq!(tokens(FIRST, "").verify(&token, just_before), Ok(Claims { user, session, expires_at }));
    let refused = tokens(FIRST, "").verify(&token, expires_at).unwrap_err();
    insta::assert_snapshot!(refused, @"the access token expired at 2027-01-15T08:15:00Z; get a new one with refreshSession");
}

#[test]
fn rotating_the_key_logs_nobody_out_until_the_old_one_is_dropped() {
    let (token, _) = tokens(FIRST, "").issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
    assert!(tokens(SECOND, FIRST).verify(&token, noon()).is_ok());
    assert_eq!(tokens(SECOND, "").verify(&token, noon()), Err(TokenRefused::Invalid));
}

#[test]
fn a_token_of_a_cookie_is_no_access_token_and_the_other_way_round() {
    let access = tokens(FIRST, "");
    let keys = JwtKeys::parse(Some(&SecretString::from(FIRST)), None).unwrap();
    let cookies = Tokens::of_cookies(&keys, Duration::from_secs(900));
    let issue = |tokens: &Tokens| tokens.issue(UserId::generate(), SessionId::generate(), noon()).unwrap().0;
    let (token, cookie) = (issue(&access), issue(&cookies));
    assert!(access.verify(&token, noon()).is_ok() && cookies.verify(&cookie, noon()).is_ok());
    assert_eq!(access.verify(&cookie, noon()), Err(TokenRefused::Invalid));
    assert_eq!(cookies.verify(&token, noon()), Err(TokenRefused::Invalid));
}

#[test]
fn a_token_is_the_same_when_it_is_issued_again_for_the_same_moment() {
    let (user, session) = (UserId::generate(), SessionId::generate());
    let issue = || tokens(FIRST, "").issue(user, session, noon()).unwrap();
    assert_eq!(issue(), issue());
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let (token, _) = tokens(FIRST, "").issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    for forged in [format!("{unsigned}."), unsigned.to_owned(), "x".to_owned(), String::new()] {
        assert_eq!(tokens(FIRST, "").verify(&forged, noon()), Err(TokenRefused::Invalid), "{forged:?}");
    }
}

/// A token with this header and these claims, signed with `FIRST`.
fn signed(header: &str, claims: &str) -> String {
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let key = EncodingKey::from_secret(FIRST.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// The result for a token of this server with a modified header and claims.
fn verdict(change: impl Fn(&mut String, &mut serde_json::Value)) -> Result<(), TokenRefused> {
    let tokens = tokens(FIRST, "");
    let (token, _) = tokens.issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
    let part = |nth: usize| URL_SAFE_NO_PAD.decode(token.split('.').nth(nth).unwrap()).unwrap();
    let mut header = String::from_utf8(part(0)).unwrap();
    let mut claims = serde_json::from_slice(&part(1)).unwrap();
    change(&mut header, &mut claims);
    tokens.verify(&signed(&header, &claims.to_string()), noon()).map(drop)
}

#[test]
fn a_header_that_is_not_of_ours_is_refused() {
    let with = |change: fn(&str) -> String| verdict(|header, _| *header = change(header));
    assert_eq!(with(str::to_owned), Ok(()));
    assert_eq!(with(|header| header.replace(r#""typ":"JWT","#, "")), Ok(()));
    assert_eq!(with(|header| header.replace("JWT", "jwt")), Ok(()));
    for (what, header) in [
        ("an unknown crit", with(|header| header.replacen('{', r#"{"crit":["x"],"x":1,"#, 1))),
        ("an empty crit", with(|header| header.replacen('{', r#"{"crit":[],"#, 1))),
        ("a crit that is null", with(|header| header.replacen('{', r#"{"crit":null,"#, 1))),
        ("a crit that is no list", with(|header| header.replacen('{', r#"{"crit":"exp","#, 1))),
        ("b64", with(|header| header.replacen('{', r#"{"b64":false,"#, 1))),
        ("b64 in crit", with(|header| header.replacen('{', r#"{"b64":false,"crit":["b64"],"#, 1))),
        ("no algorithm", with(|header| header.replace("HS256", "none"))),
        ("another algorithm", with(|header| header.replace("HS256", "HS512"))),
        ("an algorithm of public keys", with(|header| header.replace("HS256", "RS256"))),
        ("another type", with(|header| header.replace("JWT", "JWE"))),
        ("an unknown key", with(|header| header.replace(r#""kid":""#, r#""kid":"x"#))),
        ("a parameter twice", with(|header| header.replacen('{', r#"{"alg":"HS256","#, 1))),
        ("the key twice", with(|header| header.replacen('{', r#"{"kid":"x","#, 1))),
        ("a key of its own", with(|header| header.replacen('{', r#"{"jwk":{},"#, 1))),
        ("no object", with(|_| "[]".to_owned())),
        ("nothing", with(|_| String::new())),
    ] {
        assert_eq!(header, Err(TokenRefused::Invalid), "{what}");
    }
}

#[test]
fn a_token_is_good_from_its_times_on_give_or_take_the_leeway() {
    let with = |claim: &str, value: serde_json::Value| verdict(|_, claims| claims[claim] = value.clone());
    let at = |seconds: i64| serde_json::json!(noon().timestamp() + seconds);
    for (claim, value, expected) in [
        ("nbf", at(-60), Ok(())),
        ("nbf", at(60), Ok(())),
        ("nbf", at(61), Err(TokenRefused::NotYet)),
        ("nbf", at(3600), Err(TokenRefused::NotYet)),
        ("nbf", serde_json::json!(i64::MAX), Err(TokenRefused::NotYet)),
        ("nbf", serde_json::json!("tomorrow"), Err(TokenRefused::Invalid)),
        ("nbf", serde_json::json!(1e300), Err(TokenRefused::Invalid)),
        ("iat", at(60), Ok(())),
        ("iat", at(61), Err(TokenRefused::NotYet)),
        ("iat", serde_json::Value::Null, Err(TokenRefused::Invalid)),
        ("exp", at(1), Ok(())),
        ("exp", at(0), Err(TokenRefused::Expired(noon()))),
        ("exp", serde_json::Value::Null, Err(TokenRefused::Invalid)),
        ("exp", serde_json::json!(i64::MAX), Err(TokenRefused::Invalid)),
        ("exp", serde_json::json!("never"), Err(TokenRefused::Invalid)),
        ("iss", serde_json::json!("somebody"), Err(TokenRefused::Invalid)),
        ("aud", serde_json::json!("another"), Err(TokenRefused::Invalid)),
        ("other", serde_json::json!(1), Ok(())),
    ] {
        assert_eq!(with(claim, value.clone()), expected, "{claim} {value}");
    }
    let without = |claim: &str| verdict(|_, claims| drop(claims.as_object_mut().unwrap().remove(claim)));
    for claim in ["iss", "aud", "sub", "sid", "iat", "exp"] {
        assert_eq!(without(claim), Err(TokenRefused::Invalid), "{claim}");
    }
}

#[test]
fn a_token_that_was_refused_for_its_nbf_is_good_when_the_time_has_come() {
    let tokens = tokens(FIRST, "");
    let (user, session) = (UserId::generate(), SessionId::generate());
    let later = noon() + Duration::from_secs(61);
    let (token, _) = tokens.issue(user, session, later).unwrap();
    assert_eq!(tokens.verify(&token, noon()), Err(TokenRefused::NotYet));
    assert!(tokens.verify(&token, later).is_ok());
}

#[test]
fn a_token_of_any_length_is_refused_before_it_is_read() {
    assert_eq!(verdict(|_, claims| claims["pad"] = "x".repeat(4096).into()), Err(TokenRefused::Invalid));
    let twice = signed(r#"{"alg":"HS256"}"#, r#"{"exp":1,"exp":2}"#);
    assert_eq!(tokens(FIRST, "").verify(&twice, noon()), Err(TokenRefused::Invalid));
}

/// The same keys, for tokens that are signed with EdDSA.
fn asymmetric(current: &str, old: &str) -> Tokens {
    let keys = JwtKeys::parse(Some(&SecretString::from(current)), Some(&SecretString::from(old))).unwrap();
    Tokens::new(&keys.signing(JwtAlgorithm::EdDsa, "platform"), Duration::from_secs(900))
}

#[test]
fn a_token_that_is_signed_with_eddsa_is_verified_with_the_published_key_alone() {
    let tokens = asymmetric(FIRST, SECOND);
    let (token, _) = tokens.issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
    assert!(tokens.verify(&token, noon()).is_ok());
    let published = tokens.public_keys();
    let keys = published["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "the current one and the one before");
    let header = jsonwebtoken::decode_header(&token).unwrap();
    let key = keys.iter().find(|key| key["kid"] == header.kid.as_deref().unwrap()).unwrap();
    assert_eq!((header.alg, &key["alg"], &key["crv"]), (Algorithm::EdDSA, &"EdDSA".into(), &"Ed25519".into()));
    // As any other service does it.
    let key = DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&["platform"]);
    validation.set_audience(&["platform-api"]);
    validation.validate_exp = false;
    assert!(jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).is_ok());
    // It has nothing of the secret.
    assert!(!published.to_string().contains(FIRST) && published["keys"][0].get("d").is_none(), "{published}");
    assert_eq!(self::tokens(FIRST, SECOND).public_keys(), serde_json::json!({ "keys": [] }));
}

#[test]
fn another_algorithm_or_a_rotated_key_logs_nobody_out() {
    let issue = |tokens: Tokens| tokens.issue(UserId::generate(), SessionId::generate(), noon()).unwrap().0;
    let (symmetric, signed) = (issue(tokens(FIRST, "")), issue(asymmetric(FIRST, "")));
    for token in [&symmetric, &signed] {
        for tokens in [tokens(FIRST, ""), asymmetric(FIRST, ""), tokens(SECOND, FIRST), asymmetric(SECOND, FIRST)] {
            assert!(tokens.verify(token, noon()).is_ok());
        }
        for tokens in [tokens(SECOND, ""), asymmetric(SECOND, "")] {
            assert_eq!(tokens.verify(token, noon()), Err(TokenRefused::Invalid));
        }
    }
}

/// The public key is known to everybody, so a token must not be verified with it as if it were a secret.
#[test]
fn a_token_that_is_signed_with_the_public_key_as_a_secret_is_refused() {
    let tokens = asymmetric(FIRST, "");
    let (token, _) = tokens.issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
    let key = tokens.public_keys()["keys"][0].clone();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let text = key["x"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(text).unwrap();
    let kids = [key["kid"].as_str().unwrap().to_owned(), tokens.keyring.keys[1].kid.clone()];
    for secret in [raw.as_slice(), text.as_bytes(), key.to_string().as_bytes()] {
        for kid in &kids {
            for algorithm in ["HS256", "EdDSA", "none"] {
                let header = format!(r#"{{"typ":"JWT","alg":"{algorithm}","kid":"{kid}"}}"#);
                let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(&claims));
                let signing = EncodingKey::from_secret(secret);
                let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &signing, Algorithm::HS256).unwrap();
                for forged in [format!("{message}.{signature}"), format!("{message}.")] {
                    assert_eq!(tokens.verify(&forged, noon()), Err(TokenRefused::Invalid), "{algorithm} {kid}");
                }
            }
        }
    }
}

#[test]
fn a_token_of_another_issuer_with_the_same_secret_is_refused() {
    for algorithm in [JwtAlgorithm::Hs256, JwtAlgorithm::EdDsa] {
        let of = |issuer: &str| {
            let keys = JwtKeys::parse(Some(&SecretString::from(FIRST)), None).unwrap().signing(algorithm, issuer);
            Tokens::new(&keys, Duration::from_secs(900))
        };
        let (token, _) = of("https://one.example").issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
        assert!(of("https://one.example").verify(&token, noon()).is_ok());
        assert_eq!(of("https://two.example").verify(&token, noon()), Err(TokenRefused::Invalid));
    }
}

proptest::proptest! {
    #[test]
    fn a_token_with_any_byte_changed_is_refused(at in 0..400_usize, to in "[A-Za-z0-9_.-]", eddsa: bool) {
        let tokens = if eddsa { asymmetric(FIRST, "") } else { tokens(FIRST, "") };
        let (token, _) = tokens.issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
        let at = at % token.len();
        let mut forged = token.clone();
        forged.replace_range(at..=at, &to);
        // The last character of a signature has bits that mean nothing; our decoder refuses those too.
        if forged != token {
            proptest::prop_assert_eq!(tokens.verify(&forged, noon()), Err(TokenRefused::Invalid));
        }
    }
}
