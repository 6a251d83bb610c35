//! Which URLs notifications may be sent to: those of hosts that the operator allows.

use url::{Host, Url};

use crate::config::WebhookConfig;

/// The longest URL, in bytes.
const LONGEST: usize = 2_000;

/// Why a URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// The operator has turned webhooks off.
    #[error("webhooks are turned off on this platform: its operator allows no hosts (WEBHOOK_ALLOWED_HOSTS)")]
    TurnedOff,
    /// It cannot be parsed.
    #[error("the URL is not valid; it must be such as https://hooks.example.com/path")]
    NoUrl,
    /// It is too long.
    #[error("the URL has {0} bytes; at most {LONGEST} are allowed")]
    TooLong(usize),
    /// It is not for the web.
    #[error("the URL begins with {0}:; it must begin with https:")]
    Scheme(String),
    /// It contains a username or a password.
    #[error("the URL contains a username or a password; leave them out")]
    Credentials,
    /// It has a part that is not sent.
    #[error("the URL has a fragment (#), which is never sent; leave it out")]
    Fragment,
    /// The operator does not allow it.
    #[error("the operator of this platform does not allow webhooks to {0}")]
    Host(String),
}

/// The URL, in its usual form, if notifications may be sent to it. What a host name leads to is checked with each connection.
pub(super) fn checked(text: &str, config: &WebhookConfig) -> Result<Url, Unusable> {
    if config.hosts.is_empty() {
        return Err(Unusable::TurnedOff);
    }
    if text.len() > LONGEST {
        return Err(Unusable::TooLong(text.len()));
    }
    let url = Url::parse(text.trim()).map_err(|_| Unusable::NoUrl)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(Unusable::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unusable::Credentials);
    }
    if url.fragment().is_some() {
        return Err(Unusable::Fragment);
    }
    let address_is_permitted = match url.host() {
        Some(Host::Ipv4(address)) => config.networks.permit(address.into()),
        Some(Host::Ipv6(address)) => config.networks.permit(address.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    };
    if !config.hosts.include(&url) || !address_is_permitted {
        return Err(Unusable::Host(url.origin().ascii_serialization()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(hosts: &str, networks: &str) -> WebhookConfig {
        WebhookConfig::new(hosts.parse().unwrap(), networks.parse().unwrap())
    }

    fn refused(text: &str, hosts: &str) -> String {
        checked(text, &config(hosts, "")).unwrap_err().to_string()
    }

    #[test]
    fn a_url_of_an_allowed_host_is_kept_in_its_usual_form() {
        let url = checked(" https://Hooks.Example.com:443/a b?c=d ", &config("hooks.example.com", "")).unwrap();
        assert_eq!(url.as_str(), "https://hooks.example.com/a%20b?c=d");
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        insta::assert_snapshot!(refused("https://hooks.example.com/", ""), @"webhooks are turned off on this platform: its operator allows no hosts (WEBHOOK_ALLOWED_HOSTS)");
        insta::assert_snapshot!(refused("hooks.example.com", "hooks.example.com"), @"the URL is not valid; it must be such as https://hooks.example.com/path");
        insta::assert_snapshot!(refused("ftp://hooks.example.com", "hooks.example.com"), @"the URL begins with ftp:; it must begin with https:");
        insta::assert_snapshot!(refused("http://hooks.example.com", "hooks.example.com"), @"the operator of this platform does not allow webhooks to http://hooks.example.com");
        insta::assert_snapshot!(refused("https://hooks.example.com:444", "hooks.example.com"), @"the operator of this platform does not allow webhooks to https://hooks.example.com:444");
        insta::assert_snapshot!(refused("https://me:pw@hooks.example.com", "hooks.example.com"), @"the URL contains a username or a password; leave them out");
        insta::assert_snapshot!(refused("https://hooks.example.com@evil.example", "hooks.example.com"), @"the URL contains a username or a password; leave them out");
        insta::assert_snapshot!(refused("https://hooks.example.com/#a", "hooks.example.com"), @"the URL has a fragment (#), which is never sent; leave it out");
    }

    #[test]
    fn an_address_that_is_not_public_is_refused_in_whichever_form_although_its_host_is_listed() {
        let hosts = "http://127.0.0.1, http://169.254.169.254, http://10.0.0.1, http://[::1], http://[::ffff:169.254.169.254], http://0.0.0.0";
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0/",
            "http://[::1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://10.0.0.1/",
            "http://012.0.0.1/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
        ] {
            assert!(matches!(checked(text, &config(hosts, "")), Err(Unusable::Host(_))), "{text}");
        }
        assert!(checked("http://2130706433/", &config(hosts, "127.0.0.1")).is_ok(), "the operator lists both");
    }
}
