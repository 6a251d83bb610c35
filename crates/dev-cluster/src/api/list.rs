//! Lists: selection, pages that all show one revision, and the rules of `resourceVersion`.

use super::catalog::ResourceKind;
use super::request::{Options, VersionMatch};
use super::schema::{FieldError, Reason};
use super::selector::Selection;
use super::status::{ApiError, ApiResult};
use super::store::{Key, Snapshot, Store};
use super::versions;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The objects.
    pub items: Vec<Arc<Value>>,
    /// The list's metadata.
    pub meta: Value,
}

/// Where a list goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Continue {
    v: String,
    rv: i64,
    start: String,
}

const TOKEN_VERSION: &str = "meta.k8s.io/v1";

/// What a continue token says when its revision is compacted, as the real API server words it.
const EXPIRED_TOKEN: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Lists a resource, in one namespace or in all.
pub fn list(store: &Store, kind: &ResourceKind, namespace: Option<&str>, options: &Options) -> ApiResult<Page> {
    check_options(options)?;
    let selection = Selection::parse(kind, &options.label_selector, &options.field_selector)?;
    let token = options.continue_token.as_deref().map(Continue::decode).transpose()?;
    let snapshot = snapshot(store, kind, namespace, options, token.as_ref())?;
    let start = token.map(|token| token.start);
    let mut rest = snapshot
        .objects
        .into_iter()
        .filter(|(key, _)| start.as_ref().is_none_or(|start| path(kind, namespace, key).as_str() >= start.as_str()))
        .filter(|(_, value)| selection.is_everything() || selection.matches(&versions::view(kind, value)));
    // The real server answers `resourceVersion=0` from its cache, which knows no pages.
    let limit = options.limit.filter(|_| options.resource_version != Some(0));
    let mut meta = Map::new();
    meta.insert("resourceVersion".to_owned(), json!(snapshot.revision.to_string()));
    if kind.is_custom() {
        meta.insert("continue".to_owned(), json!(""));
    }
    let mut items = Vec::new();
    match limit {
        None => items.extend(rest.map(|(_, value)| versions::view(kind, &value))),
        Some(limit) => {
            let mut last = None;
            for (key, value) in rest.by_ref().take(limit) {
                items.push(versions::view(kind, &value));
                last = Some(key);
            }
            let remaining = rest.count();
            if let (Some(last), 1..) = (last, remaining) {
                let start = format!("{}\0", path(kind, namespace, &last));
                meta.insert("continue".to_owned(), json!(Continue::encode(snapshot.revision as i64, start)?));
                if selection.is_everything() {
                    meta.insert("remainingItemCount".to_owned(), json!(remaining));
                }
            }
        }
    }
    Ok(Page { items, meta: Value::Object(meta) })
}

fn check_options(options: &Options) -> ApiResult<()> {
    let error = |field: &str, detail: &str| {
        let errors = [FieldError::new(field, Reason::Forbidden, detail)];
        Err(ApiError::invalid_named("meta.k8s.io", "ListOptions", "", &errors))
    };
    if options.send_initial_events.is_some() {
        return error("sendInitialEvents", "sendInitialEvents is forbidden for list");
    }
    if options.version_match.is_some() && options.resource_version.is_none() {
        return error("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided");
    }
    if options.version_match == Some(VersionMatch::Exact) && options.resource_version == Some(0) {
        return error("resourceVersionMatch", "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    }
    if options.continue_token.is_some() && options.resource_version.is_some_and(|version| version != 0) {
        return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
    }
    Ok(())
}

fn snapshot(
    store: &Store,
    kind: &ResourceKind,
    namespace: Option<&str>,
    options: &Options,
    token: Option<&Continue>,
) -> ApiResult<Snapshot> {
    let collection = kind.collection();
    if let Some(token) = token {
        let Ok(revision) = u64::try_from(token.rv) else { return Ok(store.list(&collection, namespace)) };
        return store.list_at(&collection, namespace, revision).map_err(|_| {
            let mut error = ApiError::gone(EXPIRED_TOKEN);
            error.continue_token = Continue::encode(-1, token.start.clone()).ok();
            error
        });
    }
    let Some(asked) = options.resource_version.filter(|version| *version > 0) else {
        return Ok(store.list(&collection, namespace));
    };
    let current = store.revision();
    if asked > current {
        return Err(ApiError::version_too_large(asked, current));
    }
    // A page size makes a legacy request (no match given) an exact one.
    let exact = options.version_match == Some(VersionMatch::Exact)
        || (options.version_match.is_none() && options.limit.is_some());
    if exact {
        let gone = |_| ApiError::gone("The resourceVersion for the provided list is too old.");
        store.list_at(&collection, namespace, asked).map_err(gone)
    } else {
        Ok(store.list(&collection, namespace))
    }
}

/// An object's place as continue tokens write it: relative to what is listed.
fn path(kind: &ResourceKind, namespace: Option<&str>, key: &Key) -> String {
    if kind.namespaced && namespace.is_none() { format!("{}/{}", key.namespace, key.name) } else { key.name.clone() }
}

impl Continue {
    fn encode(revision: i64, start: String) -> ApiResult<String> {
        let token = Continue { v: TOKEN_VERSION.to_owned(), rv: revision, start };
        let json = serde_json::to_vec(&token).map_err(ApiError::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    fn decode(text: &str) -> ApiResult<Continue> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let token: Option<Continue> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        token.filter(|token| token.v == TOKEN_VERSION && token.rv != 0).ok_or_else(|| {
            ApiError::bad_request("invalid continue token: continue key is not valid: encoded key is not valid")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::*;

    fn filled(history: usize) -> (Store, Arc<ResourceKind>) {
        let store = Store::new(history);
        let kind = Catalog::builtin().builtin_kind("", "configmaps").expect("configmaps");
        for name in ["a", "b", "c"] {
            let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "x"}});
            store.put(&kind.collection(), Key::new("x", name), value);
        }
        (store, kind)
    }

    fn names(page: &Page) -> Vec<String> {
        page.items.iter().map(|item| super::super::object::name(item).to_owned()).collect()
    }

    fn token(page: &Page) -> Option<String> {
        page.meta["continue"].as_str().map(str::to_owned)
    }

    #[test]
    fn pages_show_one_revision_though_objects_change_between_them() {
        let (store, kind) = filled(100);
        let mut options = Options { limit: Some(2), ..Options::default() };
        let first = list(&store, &kind, None, &options).expect("a page");
        store.remove(&kind.collection(), &Key::new("x", "c"));
        options.continue_token = token(&first);
        let second = list(&store, &kind, None, &options).expect("a page");
        assert_eq!((names(&first), names(&second)), (vec!["a".into(), "b".into()], vec!["c".into()]));
        assert_eq!(first.meta["remainingItemCount"], 1);
        assert_eq!(second.meta["resourceVersion"], first.meta["resourceVersion"]);
    }

    #[test]
    fn an_expired_token_answers_with_one_that_goes_on() {
        let (store, kind) = filled(100);
        let mut options = Options { limit: Some(2), ..Options::default() };
        options.continue_token = token(&list(&store, &kind, None, &options).expect("a page"));
        store.put(&kind.collection(), Key::new("x", "d"), json!({"metadata": {"name": "d", "namespace": "x"}}));
        store.compact();
        let error = list(&store, &kind, None, &options).expect_err("expired");
        assert_eq!(error.reason, "Expired");
        options.continue_token = error.continue_token;
        assert_eq!(names(&list(&store, &kind, None, &options).expect("the rest")), ["c", "d"]);
    }
}
