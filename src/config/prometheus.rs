//! The Prometheus that knows how full volumes are.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The address of a Prometheus, or of what answers its HTTP API.
#[derive(Clone, PartialEq, Eq)]
pub struct PrometheusAddress {
    /// Without an account.
    url: Url,
    account: Option<(String, String)>,
}

impl PrometheusAddress {
    /// The URL for instant queries (<https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>).
    pub fn query(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/api/v1/query", url.path().trim_end_matches('/')));
        url
    }

    /// The username and the password, for HTTP basic authentication.
    pub fn account(&self) -> Option<(&str, &str)> {
        self.account.as_ref().map(|(name, password)| (name.as_str(), password.as_str()))
    }
}

impl FromStr for PrometheusAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "must be http://HOST[:PORT][/PATH] or https://, with USER:PASSWORD@ before the host if needed".to_owned()
        };
        let mut url = Url::parse(text).map_err(|_| wrong())?;
        let plain = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return Err(wrong());
        }
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let account = (!url.username().is_empty())
            .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| wrong())?;
        Ok(Self { url, account })
    }
}

/// Without the password.
impl fmt::Debug for PrometheusAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_may_have_a_path_and_an_account() {
        let address: PrometheusAddress = "https://reader:p%40ss@metrics.example.com/prometheus/".parse().unwrap();
        assert_eq!(address.query().as_str(), "https://metrics.example.com/prometheus/api/v1/query");
        assert_eq!(address.account(), Some(("reader", "p@ss")));
        assert_eq!(format!("{address:?}"), "https://metrics.example.com/prometheus/");
        let address: PrometheusAddress = "http://10.0.0.1:9090".parse().unwrap();
        assert_eq!(address.query().as_str(), "http://10.0.0.1:9090/api/v1/query");
        assert_eq!(address.account(), None);
        for wrong in ["", "prometheus:9090", "ftp://host", "http://", "http://host?query=up", "http://host#part"] {
            assert!(wrong.parse::<PrometheusAddress>().is_err(), "{wrong}");
        }
    }
}
