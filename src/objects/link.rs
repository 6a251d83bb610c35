//! Links to objects in a folder: whoever has one can download the object until it expires, as with a presigned link of S3.
//!
//! The signature is an HMAC of the expiry and the key, with a key that is derived from the secret of access tokens. So it is rotated
//! together with that: links that were signed with an old secret are valid until they expire.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::Key;
use crate::config::JwtKeys;

/// The path of links, before the signature.
pub const PATH: &str = "/objects/";

/// Separates these signatures from everything else that the secret is used for.
const PURPOSE: &[u8] = b"platform-object-link-1:";

/// A link to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The URL; only the path if the store is a folder and `PUBLIC_URL` is not set.
    pub url: String,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

/// A link is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// It was not made by this platform, or was changed.
    #[error("the link is not valid")]
    Forged,
    /// It was valid once.
    #[error("the link has expired; get a new one")]
    Expired,
}

/// The keys that links are signed with.
#[derive(Clone)]
pub(super) struct LinkKeys {
    current: [u8; 32],
    all: Vec<[u8; 32]>,
}

impl std::fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkKeys").field("count", &self.all.len()).finish_non_exhaustive()
    }
}

impl LinkKeys {
    pub(super) fn new(keys: &JwtKeys) -> Self {
        let derived = |secret: &[u8]| Sha256::digest([PURPOSE, secret].concat()).into();
        let all = keys.all().map(|key| derived(key.secret())).collect();
        Self { current: derived(keys.current().secret()), all }
    }

    /// The path of a link to this object: `/objects/<expiry>-<signature>/<key>`.
    pub(super) fn path(&self, key: &Key, expires_at: DateTime<Utc>) -> String {
        let expiry = expires_at.timestamp();
        let signature = mac(&self.current, key, expiry).map(|mac| mac.finalize().into_bytes());
        let signature = signature.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default();
        format!("{PATH}{expiry}-{signature}/{key}")
    }

    /// The object that the part of a link after [`PATH`] leads to.
    ///
    /// # Errors
    /// The link was forged or has expired.
    pub(super) fn verify(&self, rest: &str, now: DateTime<Utc>) -> Result<Key, BadLink> {
        let (signed, key) = rest.split_once('/').ok_or(BadLink::Forged)?;
        let (expiry, signature) = signed.split_once('-').ok_or(BadLink::Forged)?;
        let key: Key = key.parse().map_err(|_| BadLink::Forged)?;
        let seconds: i64 = expiry.parse().map_err(|_| BadLink::Forged)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| BadLink::Forged)?;
        // The comparison takes the same time wherever the signatures differ.
        let signs =
            |secret: &[u8; 32]| mac(secret, &key, seconds).is_some_and(|mac| mac.verify_slice(&signature).is_ok());
        if !self.all.iter().any(signs) || expiry != seconds.to_string() {
            return Err(BadLink::Forged);
        }
        if now.timestamp() >= seconds { Err(BadLink::Expired) } else { Ok(key) }
    }
}

/// `None` for a key of a length that HMAC does not take, which does not exist.
fn mac(secret: &[u8; 32], key: &Key, expiry: i64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(format!("{expiry}\n{key}").as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use secrecy::SecretString;

    use super::*;

    const ONE: &str = "one-0123456789-0123456789-0123456789";
    const TWO: &str = "two-0123456789-0123456789-0123456789";

    fn keys(current: &str, old: &str) -> LinkKeys {
        LinkKeys::new(&JwtKeys::parse(Some(&SecretString::from(current)), Some(&SecretString::from(old))).unwrap())
    }

    fn rest(path: &str) -> &str {
        path.strip_prefix(PATH).unwrap()
    }

    #[test]
    fn a_link_leads_to_its_object_until_it_expires() {
        let (keys, key, now) = (keys(ONE, ""), "a/b.gz".parse::<Key>().unwrap(), Utc::now());
        let path = keys.path(&key, now + TimeDelta::minutes(5));
        assert_eq!(keys.verify(rest(&path), now), Ok(key));
        assert_eq!(keys.verify(rest(&path), now + TimeDelta::minutes(5)), Err(BadLink::Expired));
    }

    #[test]
    fn a_link_that_was_changed_is_not_valid_whatever_was_changed() {
        let (keys, key, now) = (keys(ONE, ""), "a/b.gz".parse::<Key>().unwrap(), Utc::now());
        let path = keys.path(&key, now + TimeDelta::minutes(5));
        let rest = rest(&path);
        for at in 0..rest.len() {
            let mut changed = rest.to_owned().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character of the signature has bits that stand for nothing, so decoders refuse it too.
            assert_eq!(keys.verify(&changed, now), Err(BadLink::Forged), "{changed}");
        }
        let expiry = now.timestamp() + 300;
        let (signed, object) = rest.split_once('/').unwrap();
        for bad in [
            "",
            "/",
            "x",
            object,
            &format!("{signed}/"),
            &format!("{signed}/../{object}"),
            &format!("{signed}/{object}/x"),
            &format!("{expiry}-/{object}"),
            &format!("-{signed}/{object}"),
            &format!("+{signed}/{object}"),
            &format!("0{signed}/{object}"),
        ] {
            assert_eq!(keys.verify(bad, now), Err(BadLink::Forged), "{bad}");
        }
    }

    #[test]
    fn links_stay_valid_when_the_secret_is_rotated_and_not_when_it_is_replaced() {
        let (key, now) = ("a".parse::<Key>().unwrap(), Utc::now());
        let path = keys(ONE, "").path(&key, now + TimeDelta::minutes(5));
        assert_eq!(keys(TWO, ONE).verify(rest(&path), now), Ok(key));
        assert_eq!(keys(TWO, "").verify(rest(&path), now), Err(BadLink::Forged));
    }
}
