//! Where the notifications of users may be sent to.

use std::str::FromStr;

use clap::Args;
use url::{Host, Url};

use crate::outbound::AllowedNetworks;

/// What stands for the ID of an object in a link.
const ID: &str = "{id}";

/// The settings of webhooks.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookSettings {
    /// Comma-separated hosts that users may have their notifications sent to, such as hooks.example.com,*.chat.example:8443; with http:// before it, a host may also be reached without TLS; by default, there are no webhooks
    #[arg(long, env = "WEBHOOK_ALLOWED_HOSTS", default_value = "", value_name = "HOSTS", hide_default_value = true)]
    pub webhook_allowed_hosts: AllowedHosts,
    /// Comma-separated addresses and networks that are not public, in which those hosts may be nevertheless
    #[arg(
        long,
        env = "WEBHOOK_ALLOWED_NETWORKS",
        default_value = "",
        value_name = "NETWORKS",
        hide_default_value = true
    )]
    pub webhook_allowed_networks: AllowedNetworks,
    /// URL of the page of an object in your frontend, with {id} in place of its ID, for the notifications that are sent
    #[arg(long, env = "WEBHOOK_LINK", value_name = "URL", value_parser = link)]
    pub webhook_link: Option<String>,
}

/// Where notifications may be sent to, and what they contain.
#[derive(Debug, Clone, Default)]
pub struct WebhookConfig {
    /// The hosts; without any, webhooks are turned off.
    pub hosts: AllowedHosts,
    /// Networks that are not public, in which the hosts may be nevertheless.
    pub networks: AllowedNetworks,
    link: Option<String>,
}

impl WebhookConfig {
    /// Webhooks to these hosts, which may be in these networks.
    #[must_use]
    pub const fn new(hosts: AllowedHosts, networks: AllowedNetworks) -> Self {
        Self { hosts, networks, link: None }
    }

    /// The same, with a link to the object of each notification, whose ID replaces `{id}`.
    #[must_use]
    pub fn with_link(self, link: &str) -> Self {
        Self { link: Some(link.to_owned()), ..self }
    }

    /// The link to the object with this ID, if the operator has a page for it.
    #[must_use]
    pub fn link_to(&self, id: &str) -> Option<String> {
        self.link.as_ref().map(|link| link.replace(ID, id))
    }
}

impl WebhookSettings {
    pub(super) fn config(&self) -> WebhookConfig {
        WebhookConfig {
            hosts: self.webhook_allowed_hosts.clone(),
            networks: self.webhook_allowed_networks.clone(),
            link: self.webhook_link.clone(),
        }
    }
}

/// Hosts that notifications may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    /// As the operator has written it.
    text: String,
    host: Host<String>,
    /// Whether it stands for its subdomains, and not for itself.
    subdomains: bool,
    /// `None` for that of the scheme.
    port: Option<u16>,
    /// Whether the host may be reached without TLS.
    plain: bool,
}

impl AllowedHosts {
    /// Whether there are none, and webhooks are turned off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hosts as the operator has written them.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|host| host.text.as_str())
    }

    /// Whether a host of the list may be reached with this URL.
    #[must_use]
    pub fn include(&self, url: &Url) -> bool {
        self.0.iter().any(|allowed| allowed.includes(url))
    }
}

impl AllowedHost {
    fn includes(&self, url: &Url) -> bool {
        let scheme = url.scheme() == "https" || self.plain && url.scheme() == "http";
        let port = match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            // The URL parser removes the port of the scheme.
            None => url.port().is_none(),
        };
        let host = match (&self.host, url.host()) {
            (Host::Domain(allowed), Some(Host::Domain(given))) if self.subdomains => {
                given.strip_suffix(allowed.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (allowed, Some(given)) => *allowed == given.to_owned() && !self.subdomains,
            (_, None) => false,
        };
        scheme && port && host
    }

    fn parse(text: &str) -> Option<Self> {
        let (plain, rest) = match text.split_once("://") {
            Some(("http", rest)) => (true, rest),
            Some(("https", rest)) => (false, rest),
            Some(_) => return None,
            None => (false, text),
        };
        let (subdomains, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let url = Url::parse(&format!("https://{rest}"))
            .ok()
            .filter(|url| url.path() == "/" && !rest.contains(['/', '*']))?;
        let bare =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let host = url.host().filter(|_| bare)?.to_owned();
        if subdomains && !matches!(host, Host::Domain(_)) {
            return None;
        }
        let port = rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let port = port.map(|(_, port)| port.parse()).transpose().ok()?;
        Some(Self { text: text.to_owned(), host, subdomains, port, plain })
    }
}

impl FromStr for AllowedHosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
        hosts.map(AllowedHost::parse).collect::<Option<_>>().map(Self).ok_or_else(|| {
            "a comma-separated list of hosts such as hooks.example.com, *.chat.example:8443 or http://ci.internal"
                .to_owned()
        })
    }
}

fn link(text: &str) -> Result<String, String> {
    let with_id = text.replace(ID, "job_01h455vb4pex5vsknk084sn02q");
    let valid = text.contains(ID) && Url::parse(&with_id).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if valid {
        Ok(text.to_owned())
    } else {
        Err("a URL with {id} in it, such as https://portal.example.com/open/{id}".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(hosts: &str, url: &str) -> bool {
        hosts.parse::<AllowedHosts>().unwrap().include(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_host_is_reached_with_tls_at_the_usual_port() {
        for url in ["https://hooks.example.com/a?b", "https://HOOKS.example.com:443/"] {
            assert!(allows("hooks.example.com", url), "{url}");
        }
        for url in [
            "http://hooks.example.com/",
            "https://hooks.example.com:8443/",
            "https://a.hooks.example.com/",
            "https://hooks.example.com.evil.example/",
            "https://evil.example/hooks.example.com",
            "ftp://hooks.example.com/",
        ] {
            assert!(!allows("hooks.example.com", url), "{url}");
        }
    }

    #[test]
    fn a_port_the_subdomains_and_http_are_allowed_where_the_operator_says_so() {
        assert!(allows("hooks.example.com:8443", "https://hooks.example.com:8443/"));
        assert!(!allows("hooks.example.com:8443", "https://hooks.example.com/"));
        assert!(allows("*.example.com", "https://a.b.example.com/"));
        assert!(!allows("*.example.com", "https://example.com/"));
        assert!(!allows("*.example.com", "https://evilexample.com/"));
        assert!(allows("http://ci.internal", "http://ci.internal/"));
        assert!(allows("http://ci.internal", "https://ci.internal/"));
        assert!(allows("http://127.0.0.1:4000", "http://2130706433:4000/"), "it is the same address");
        assert!(allows("http://[::1]:4000", "http://[0:0::1]:4000/"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "https://a.example/path",
            "a b",
            "*",
            "*.*",
            "a.*.example",
            "user@a.example",
            "ftp://a.example",
            "*.10.0.0.1",
            "a:99999",
        ] {
            assert!(bad.parse::<AllowedHosts>().is_err(), "{bad}");
        }
        assert!("".parse::<AllowedHosts>().unwrap().is_empty());
    }

    #[test]
    fn a_link_contains_the_id_of_the_object() {
        let link = link("https://portal.example.com/open/{id}").unwrap();
        let config = WebhookConfig::default().with_link(&link);
        assert_eq!(config.link_to("job_1").as_deref(), Some("https://portal.example.com/open/job_1"));
        assert!(super::link("https://portal.example.com/").is_err());
        assert!(super::link("javascript:{id}").is_err());
    }
}
