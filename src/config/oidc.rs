//! The OpenID Connect providers that users can sign in with, and the address at which they return to this server.

use std::collections::BTreeMap;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{ConfigError, values::switch};

/// What `PUBLIC_URL` and issuers must be.
const SAFE_URL: &str = "https://HOST[:PORT], or http:// for a host of this machine such as localhost";

/// The settings of the first provider, and those of all.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Sign-in with OpenID Connect")]
pub struct OidcSettings {
    /// Scheme and host of this server as browsers see it; required with OIDC_ISSUER
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Issuer of the provider; settings of more providers end in a number: OIDC_ISSUER_2, OIDC_CLIENT_ID_2, up to 9
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// Name of the provider on buttons; the host of the issuer by default
    #[arg(long, env = "OIDC_NAME", value_name = "NAME")]
    pub oidc_name: Option<String>,
    /// Client ID of this server at the provider
    #[arg(long, env = "OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// Client secret of this server at the provider; none for a public client
    #[arg(long, env = "OIDC_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub oidc_client_secret: Option<SecretString>,
    /// Space-separated scopes to request in addition to openid; "profile email" by default
    #[arg(long, env = "OIDC_SCOPES", value_name = "SCOPES")]
    pub oidc_scopes: Option<String>,
    /// Comma-separated client IDs of other applications whose ID tokens are accepted too
    #[arg(long, env = "OIDC_AUDIENCES", value_name = "IDS")]
    pub oidc_audiences: Option<String>,
    /// Whether users who sign in for the first time get an account; false by default
    #[arg(long, env = "OIDC_CREATE_USERS", value_name = "SWITCH")]
    pub oidc_create_users: Option<String>,
    /// Claim with the groups of a user at the provider; "groups" by default
    #[arg(long, env = "OIDC_GROUPS_CLAIM", value_name = "CLAIM")]
    pub oidc_groups_claim: Option<String>,
    /// Comma-separated roles that groups at the provider give, each as PROVIDER-GROUP=GROUP:MEMBER or :MANAGER
    #[arg(long, env = "OIDC_GROUP_ROLES", value_name = "LIST")]
    pub oidc_group_roles: Option<String>,
}

/// The providers, and where users return to.
#[derive(Debug, Clone, Default)]
pub struct OidcConfig {
    /// The URL of this server as browsers see it. Always set if there is a provider.
    pub public_url: Option<Url>,
    /// The providers.
    pub providers: Vec<OidcProvider>,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct OidcProvider {
    /// What identifies it in URLs and inputs: its number.
    pub key: String,
    /// Its name on buttons.
    pub name: String,
    /// Its issuer, exactly as its tokens contain it.
    pub issuer: String,
    /// The client ID of this server.
    pub client_id: String,
    /// The client secret of this server.
    pub client_secret: Option<SecretString>,
    /// The scopes to request, besides `openid`.
    pub scopes: Vec<String>,
    /// Client IDs of other applications whose ID tokens are accepted.
    pub audiences: Vec<String>,
    /// Whether users who sign in for the first time get an account.
    pub creates_users: bool,
    /// The claim with the groups of a user.
    pub groups_claim: String,
    /// The roles that groups at the provider give.
    pub group_roles: Vec<GroupRoleRule>,
}

/// Members of a group at the provider have a role in a group of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRoleRule {
    /// The group at the provider, as the claim contains it.
    pub theirs: String,
    /// The name of the group on the platform.
    pub ours: String,
    /// The role.
    pub role: ProvidedRole,
}

/// A role that a provider can give. It cannot make group admins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProvidedRole {
    /// MEMBER.
    Member,
    /// MANAGER.
    Manager,
}

/// The variables of one provider.
struct Names {
    key: &'static str,
    issuer: &'static str,
    name: &'static str,
    client_id: &'static str,
    client_secret: &'static str,
    scopes: &'static str,
    audiences: &'static str,
    create_users: &'static str,
    groups_claim: &'static str,
    group_roles: &'static str,
}

macro_rules! names {
    ($($key:literal $suffix:literal),+) => {
        [$(Names {
            key: $key,
            issuer: concat!("OIDC_ISSUER", $suffix),
            name: concat!("OIDC_NAME", $suffix),
            client_id: concat!("OIDC_CLIENT_ID", $suffix),
            client_secret: concat!("OIDC_CLIENT_SECRET", $suffix),
            scopes: concat!("OIDC_SCOPES", $suffix),
            audiences: concat!("OIDC_AUDIENCES", $suffix),
            create_users: concat!("OIDC_CREATE_USERS", $suffix),
            groups_claim: concat!("OIDC_GROUPS_CLAIM", $suffix),
            group_roles: concat!("OIDC_GROUP_ROLES", $suffix),
        }),+]
    };
}

const FIRST: Names = {
    let [first] = names!("1" "");
    first
};
const MORE: [Names; 8] = names!("2" "_2", "3" "_3", "4" "_4", "5" "_5", "6" "_6", "7" "_7", "8" "_8", "9" "_9");

impl OidcSettings {
    /// The providers: the first, and the numbered ones, whose variables `variable` looks up.
    ///
    /// # Errors
    /// A value is missing or invalid.
    pub(super) fn config(&self, variable: impl Fn(&str) -> Option<String>) -> Result<OidcConfig, ConfigError> {
        let mut providers = Vec::new();
        providers.extend(self.provider(&FIRST)?);
        for names in &MORE {
            providers.extend(Self::numbered(names, &variable).provider(names)?);
        }
        let public_url = given(&self.public_url).map(|url| safe_url("PUBLIC_URL", url)).transpose()?;
        if let Some(url) = public_url.as_ref().filter(|url| url.path() != "/" || url.query().is_some()) {
            let (variable, given) = ("PUBLIC_URL", url.to_string());
            return Err(ConfigError::Invalid { variable, given, expected: format!("{SAFE_URL}, without a path") });
        }
        if public_url.is_none() && !providers.is_empty() {
            let expected = format!("the URL of this server as browsers see it, if OIDC_ISSUER is set: {SAFE_URL}");
            return Err(ConfigError::Missing { variable: "PUBLIC_URL", expected });
        }
        let mut keys = BTreeMap::new();
        for provider in &providers {
            if keys.insert(&provider.issuer, ()).is_some() {
                let expected = "another issuer than that of the other providers".to_owned();
                return Err(ConfigError::Invalid { variable: "OIDC_ISSUER", given: provider.issuer.clone(), expected });
            }
        }
        Ok(OidcConfig { public_url, providers })
    }

    fn numbered(names: &Names, variable: &impl Fn(&str) -> Option<String>) -> Self {
        Self {
            public_url: None,
            oidc_issuer: variable(names.issuer),
            oidc_name: variable(names.name),
            oidc_client_id: variable(names.client_id),
            oidc_client_secret: variable(names.client_secret).map(SecretString::from),
            oidc_scopes: variable(names.scopes),
            oidc_audiences: variable(names.audiences),
            oidc_create_users: variable(names.create_users),
            oidc_groups_claim: variable(names.groups_claim),
            oidc_group_roles: variable(names.group_roles),
        }
    }

    fn provider(&self, names: &Names) -> Result<Option<OidcProvider>, ConfigError> {
        let Some(issuer) = given(&self.oidc_issuer) else { return Ok(None) };
        let url = safe_url(names.issuer, issuer)?;
        let missing = || ConfigError::Missing {
            variable: names.client_id,
            expected: format!("the client ID of this server at {issuer}"),
        };
        let switched = |text| {
            switch(text).map_err(|expected| ConfigError::Invalid {
                variable: names.create_users,
                given: text.to_owned(),
                expected,
            })
        };
        let list = |text: &Option<String>, separator: fn(char) -> bool| -> Vec<String> {
            let parts = given(text).unwrap_or_default().split(separator).map(str::trim);
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let scopes = match given(&self.oidc_scopes) {
            Some(_) => list(&self.oidc_scopes, char::is_whitespace),
            None => vec!["profile".to_owned(), "email".to_owned()],
        };
        let rules = list(&self.oidc_group_roles, |c| c == ',');
        let rules = rules.iter().map(|rule| {
            GroupRoleRule::parse(rule).ok_or_else(|| ConfigError::Invalid {
                variable: names.group_roles,
                given: rule.clone(),
                expected: "PROVIDER-GROUP=GROUP:MEMBER or PROVIDER-GROUP=GROUP:MANAGER, separated by commas".to_owned(),
            })
        });
        Ok(Some(OidcProvider {
            key: names.key.to_owned(),
            name: given(&self.oidc_name).or(url.host_str()).unwrap_or(issuer).to_owned(),
            issuer: issuer.to_owned(),
            client_id: given(&self.oidc_client_id).ok_or_else(missing)?.to_owned(),
            client_secret: self.oidc_client_secret.clone().filter(|secret| !secret.expose_secret().trim().is_empty()),
            scopes: scopes.into_iter().filter(|scope| scope != "openid").collect(),
            audiences: list(&self.oidc_audiences, |c| c == ','),
            creates_users: given(&self.oidc_create_users).map(switched).transpose()?.unwrap_or(false),
            groups_claim: given(&self.oidc_groups_claim).unwrap_or("groups").to_owned(),
            group_roles: rules.collect::<Result<_, _>>()?,
        }))
    }
}

impl GroupRoleRule {
    fn parse(text: &str) -> Option<Self> {
        let (theirs, role) = text.rsplit_once('=')?;
        let (ours, role) = role.rsplit_once(':')?;
        let role = match role.trim().to_ascii_uppercase().as_str() {
            "MEMBER" => ProvidedRole::Member,
            "MANAGER" => ProvidedRole::Manager,
            _ => return None,
        };
        let (theirs, ours) = (theirs.trim().to_owned(), ours.trim().to_owned());
        (!theirs.is_empty() && !ours.is_empty()).then_some(Self { theirs, ours, role })
    }
}

/// A text that is not blank: in files of variables, an empty one means that it is not set.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A URL whose traffic others cannot read: HTTPS, or of this machine.
fn safe_url(variable: &'static str, text: &str) -> Result<Url, ConfigError> {
    let local = |url: &Url| match url.host() {
        Some(url::Host::Domain(host)) => host == "localhost" || host.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let safe = Url::parse(text).ok().filter(|url| {
        (url.scheme() == "https" || url.scheme() == "http" && local(url))
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    });
    safe.ok_or_else(|| ConfigError::Invalid { variable, given: text.to_owned(), expected: SAFE_URL.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(rules: &str) -> OidcSettings {
        OidcSettings {
            public_url: Some("https://platform.example.com".to_owned()),
            oidc_issuer: Some("https://id.example.com/realms/lab".to_owned()),
            oidc_client_id: Some("platform".to_owned()),
            oidc_group_roles: Some(rules.to_owned()),
            ..OidcSettings::default()
        }
    }

    fn refused(settings: &OidcSettings) -> String {
        settings.config(|_| None).unwrap_err().to_string()
    }

    #[test]
    fn a_provider_needs_an_issuer_and_a_client_id_only() {
        let config = settings("").config(|_| None).unwrap();
        let [provider] = &config.providers[..] else { panic!("one provider") };
        assert_eq!((provider.key.as_str(), provider.name.as_str()), ("1", "id.example.com"));
        assert_eq!(provider.scopes, ["profile", "email"]);
        assert!(!provider.creates_users && provider.group_roles.is_empty());
        assert!(OidcSettings::default().config(|_| None).unwrap().providers.is_empty());
    }

    #[test]
    fn more_providers_have_a_number() {
        let variable = |name: &str| match name {
            "OIDC_ISSUER_3" => Some("https://accounts.example.org".to_owned()),
            "OIDC_CLIENT_ID_3" => Some("app".to_owned()),
            "OIDC_CREATE_USERS_3" => Some("yes".to_owned()),
            _ => None,
        };
        let config = settings("").config(variable).unwrap();
        assert_eq!(config.providers.iter().map(|provider| provider.key.as_str()).collect::<Vec<_>>(), ["1", "3"]);
        assert!(config.providers[1].creates_users);
    }

    #[test]
    fn groups_give_roles_but_no_admins() {
        let config = settings("ml-team=vision:member, cn=leads,ou=x=vision:MANAGER").config(|_| None);
        assert!(config.is_err(), "a comma separates");
        let config = settings("ml-team=vision:member,cn=leads=vision:MANAGER").config(|_| None).unwrap();
        assert_eq!(
            config.providers[0].group_roles,
            [
                GroupRoleRule { theirs: "ml-team".into(), ours: "vision".into(), role: ProvidedRole::Member },
                GroupRoleRule { theirs: "cn=leads".into(), ours: "vision".into(), role: ProvidedRole::Manager },
            ]
        );
        insta::assert_snapshot!(refused(&settings("leads=vision:ADMIN")), @r#"OIDC_GROUP_ROLES was "leads=vision:ADMIN"; it must be PROVIDER-GROUP=GROUP:MEMBER or PROVIDER-GROUP=GROUP:MANAGER, separated by commas"#);
    }

    #[test]
    fn tokens_never_travel_in_the_clear() {
        for url in [
            "http://id.example.com",
            "ftp://id.example.com",
            "https://a@b.example",
            "id.example.com",
            "http://127.evil.example",
        ] {
            let settings = OidcSettings { oidc_issuer: Some(url.to_owned()), ..settings("") };
            assert!(settings.config(|_| None).is_err(), "{url}");
        }
        for url in ["http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000"] {
            let settings = OidcSettings { oidc_issuer: Some(url.to_owned()), ..settings("") };
            assert!(settings.config(|_| None).is_ok(), "{url}");
        }
        let without = OidcSettings { public_url: None, ..settings("") };
        insta::assert_snapshot!(refused(&without), @"PUBLIC_URL is not set; it must be the URL of this server as browsers see it, if OIDC_ISSUER is set: https://HOST[:PORT], or http:// for a host of this machine such as localhost");
        let path = OidcSettings { public_url: Some("https://a.example/app".to_owned()), ..settings("") };
        insta::assert_snapshot!(refused(&path), @r#"PUBLIC_URL was "https://a.example/app"; it must be https://HOST[:PORT], or http:// for a host of this machine such as localhost, without a path"#);
    }
}
