//! What a request asks for: the resource its path names and the options of its query.

use super::schema::{FieldError, Reason};
use super::status::{ApiError, ApiResult};
use axum::extract::Query;
use axum::http::{Method, Uri};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the name of a field manager may be, in bytes.
const LONGEST_MANAGER: usize = 128;

/// A path under `/api` or `/apis` that names a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePath {
    /// The API group, empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The namespace, where the path names one.
    pub namespace: Option<String>,
    /// The plural name.
    pub resource: String,
    /// The object, where the path names one.
    pub name: Option<String>,
    /// The subresource, where the path names one.
    pub subresource: Option<String>,
}

impl ResourcePath {
    /// Reads a path; `None` when it names no resource. Segments are percent-decoded.
    pub fn parse(path: &str) -> Option<ResourcePath> {
        let segments: Vec<String> = path.trim_matches('/').split('/').map(percent_decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !group.is_empty() => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (resource, name, subresource) = match rest {
            [resource] => (resource, None, None),
            [resource, name] => (resource, Some(name), None),
            [resource, name, subresource] => (resource, Some(name), Some(subresource)),
            _ => return None,
        };
        if version.is_empty() || resource.is_empty() || name.is_some_and(|n| n.is_empty()) {
            return None;
        }
        Some(ResourcePath {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace,
            resource: (*resource).to_owned(),
            name: name.map(|n| (*n).to_owned()),
            subresource: subresource.map(|s| (*s).to_owned()),
        })
    }
}

fn percent_decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let value = hex.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match value {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// What is done with unknown and duplicate fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Dropped in silence.
    Ignore,
    /// Dropped, with a warning header each.
    #[default]
    Warn,
    /// Refused.
    Strict,
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They stay and lose their owner.
    Orphan,
    /// They go after the owner.
    Background,
    /// The owner waits until they are gone.
    Foreground,
}

/// How a list is bound to a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionMatch {
    /// The revision or any newer one.
    NotOlderThan,
    /// That revision.
    Exact,
}

/// The query of a request, all options that any verb knows.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `labelSelector`
    pub label_selector: String,
    /// `fieldSelector`
    pub field_selector: String,
    /// `limit`
    pub limit: Option<usize>,
    /// `continue`
    pub continue_token: Option<String>,
    /// `resourceVersion`, where it is neither unset nor empty.
    pub resource_version: Option<u64>,
    /// `resourceVersionMatch`
    pub version_match: Option<VersionMatch>,
    /// `watch`
    pub watch: bool,
    /// `allowWatchBookmarks`
    pub bookmarks: bool,
    /// `sendInitialEvents`
    pub send_initial_events: Option<bool>,
    /// `timeoutSeconds`
    pub timeout: Option<Duration>,
    /// `dryRun=All`
    pub dry_run: bool,
    /// `fieldManager`
    pub field_manager: Option<String>,
    /// `fieldValidation`
    pub field_validation: FieldValidation,
    /// `force`
    pub force: bool,
    /// `includeObject`
    pub include_object: Option<String>,
    /// `gracePeriodSeconds`
    pub grace_period: Option<i64>,
    /// `propagationPolicy`
    pub propagation: Option<Propagation>,
    /// `orphanDependents`
    pub orphan_dependents: Option<bool>,
}

impl Options {
    /// Reads the query of a request.
    pub fn parse(uri: &Uri, method: &Method) -> ApiResult<Options> {
        let kind = match *method {
            Method::POST => "CreateOptions",
            Method::PUT => "UpdateOptions",
            Method::PATCH => "PatchOptions",
            Method::DELETE => "DeleteOptions",
            _ => "ListOptions",
        };
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let mut options = Options::default();
        for (name, value) in pairs {
            options.set(&name, value, kind)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: String, kind: &str) -> ApiResult<()> {
        match name {
            "labelSelector" => self.label_selector = value,
            "fieldSelector" => self.field_selector = value,
            "limit" => self.limit = usize::try_from(number::<i64>(&value)?).ok().filter(|limit| *limit > 0),
            "continue" => self.continue_token = Some(value).filter(|token| !token.is_empty()),
            "resourceVersion" if value.is_empty() => self.resource_version = None,
            "resourceVersion" => {
                let version = value.parse().map_err(|_| {
                    ApiError::bad_request(format!(
                        "invalid resource version: resourceVersion: Invalid value: {value:?}: strconv.ParseUint: parsing {value:?}: invalid syntax"
                    ))
                })?;
                self.resource_version = Some(version);
            }
            "resourceVersionMatch" => {
                self.version_match = match value.as_str() {
                    "" => None,
                    "Exact" => Some(VersionMatch::Exact),
                    "NotOlderThan" => Some(VersionMatch::NotOlderThan),
                    other => {
                        let allowed = "supported values: \"Exact\", \"NotOlderThan\", \"\"";
                        return Err(unsupported(kind, name, &json!(other), allowed));
                    }
                };
            }
            "watch" => self.watch = flag(&value),
            "allowWatchBookmarks" => self.bookmarks = flag(&value),
            "sendInitialEvents" => self.send_initial_events = Some(flag(&value)),
            "timeoutSeconds" => self.timeout = Some(Duration::from_secs(number(&value)?)).filter(|t| !t.is_zero()),
            "dryRun" => self.dry_run |= dry_run(&value, kind)?,
            "fieldManager" if value.len() > LONGEST_MANAGER => {
                let detail = format!("may not be more than {LONGEST_MANAGER} bytes");
                return Err(ApiError::bad_option(kind, FieldError::new(name, Reason::TooLong, detail)));
            }
            "fieldManager" => self.field_manager = Some(value).filter(|name| !name.is_empty()),
            "fieldValidation" => self.field_validation = field_validation(&value, kind)?,
            "force" => self.force = flag(&value),
            "includeObject" => self.include_object = Some(value),
            "gracePeriodSeconds" => self.grace_period = Some(number(&value)?),
            "propagationPolicy" => self.propagation = Some(propagation(&value)?),
            "orphanDependents" => self.orphan_dependents = Some(flag(&value)),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a `dryRun` directive asks for one; only `All` exists.
pub fn dry_run(value: &str, kind: &str) -> ApiResult<bool> {
    match value {
        "" => Ok(false),
        "All" => Ok(true),
        other => {
            let mut error = FieldError::new("dryRun", Reason::NotSupported, "supported values: \"All\"");
            error.shown = Some(json!([other]).to_string());
            Err(ApiError::bad_option(kind, error))
        }
    }
}

/// Reads a `propagationPolicy`.
pub fn propagation(value: &str) -> ApiResult<Propagation> {
    match value {
        "Orphan" => Ok(Propagation::Orphan),
        "Background" => Ok(Propagation::Background),
        "Foreground" => Ok(Propagation::Foreground),
        other => {
            let allowed = "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"";
            Err(unsupported("DeleteOptions", "propagationPolicy", &json!(other), allowed))
        }
    }
}

fn unsupported(kind: &str, option: &str, value: &Value, allowed: &str) -> ApiError {
    ApiError::bad_option(kind, FieldError::showing(option, Reason::NotSupported, value, allowed))
}

fn field_validation(value: &str, kind: &str) -> ApiResult<FieldValidation> {
    match value {
        "" | "Warn" => Ok(FieldValidation::Warn),
        "Ignore" => Ok(FieldValidation::Ignore),
        "Strict" => Ok(FieldValidation::Strict),
        other => {
            let allowed = "supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"";
            Err(unsupported(kind, "fieldValidation", &json!(other), allowed))
        }
    }
}

/// A boolean as the API server reads it: anything but `false` and `0` is true, the empty word too.
pub fn flag(value: &str) -> bool {
    !matches!(value, "false" | "0" | "False" | "FALSE" | "f" | "F")
}

fn number<T: std::str::FromStr>(value: &str) -> ApiResult<T> {
    value.parse().map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(path: &str) -> String {
        match ResourcePath::parse(path) {
            None => "-".to_owned(),
            Some(p) => {
                format!("{}/{} {:?} {} {:?} {:?}", p.group, p.version, p.namespace, p.resource, p.name, p.subresource)
            }
        }
    }

    #[test]
    fn paths_name_group_namespace_object_and_subresource() {
        insta::assert_snapshot!(parsed("/api/v1/pods"), @r#"/v1 None pods None None"#);
        insta::assert_snapshot!(parsed("/api/v1/namespaces/a/pods/b/log"), @r#"/v1 Some("a") pods Some("b") Some("log")"#);
        insta::assert_snapshot!(parsed("/api/v1/namespaces/a"), @r#"/v1 None namespaces Some("a") None"#);
        insta::assert_snapshot!(parsed("/api/v1/namespaces/a/finalize"), @r#"/v1 None namespaces Some("a") Some("finalize")"#);
        insta::assert_snapshot!(parsed("/apis/batch/v1/namespaces/a/jobs"), @r#"batch/v1 Some("a") jobs None None"#);
        insta::assert_snapshot!(parsed("/apis/batch/v1"), @"-");
    }

    #[test]
    fn an_escaped_name_is_decoded() {
        insta::assert_snapshot!(parsed("/api/v1/nodes/a%3Ab"), @r#"/v1 None nodes Some("a:b") None"#);
    }

    proptest! {
        #[test]
        fn any_path_is_read_without_panic(path in "(/[a-z%0-9.]{0,8}){0,9}") {
            let _ = ResourcePath::parse(&path);
        }

        #[test]
        fn a_namespaced_path_is_read_back(ns in "[a-z0-9-]{1,12}", res in "[a-z]{1,9}", name in "[a-z0-9-]{1,12}") {
            let path = ResourcePath::parse(&format!("/apis/g.io/v1/namespaces/{ns}/{res}x/{name}")).expect("a resource");
            prop_assert_eq!(path.namespace, Some(ns));
            prop_assert_eq!(path.resource, format!("{res}x"));
            prop_assert_eq!(path.name, Some(name));
        }
    }
}
