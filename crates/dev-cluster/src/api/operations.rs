//! The operations on resources: which verb on which path does what.

use super::catalog::ResourceKind;
use super::cluster::Cluster;
use super::encoding::Encoding;
use super::request::{Options, ResourcePath};
use super::serve::{bytes_response, json_response};
use super::status::{ApiError, ApiResult, deleted_status};
use super::watch::Watch;
use super::write::{self, Body, DeleteOptions, Deleted, PatchKind, Write};
use super::{kinds, list, logs, object, subresources, tunnel, versions};
use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::Utc;
use hyper::upgrade::OnUpgrade;
use serde_json::Value;
use std::sync::Arc;

/// What the pretend kubelet says, too.
const NO_CONTAINER: &str = "no container runs in a simulated cluster: there is nothing to step into";

/// One request for a resource.
pub struct Operation {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// The resource.
    pub kind: Arc<ResourceKind>,
    /// The path.
    pub target: ResourcePath,
    /// The query.
    pub options: Options,
    /// The headers.
    pub headers: HeaderMap,
    /// The connection, where the client asks to leave HTTP.
    pub upgrade: Option<OnUpgrade>,
}

/// What a write did: the status, the object, and what the client is told beside it.
type Written = (StatusCode, Arc<Value>, Vec<String>);

impl Operation {
    /// Does what the request asks.
    pub async fn run(mut self, method: &Method, query: &str, bytes: Bytes) -> ApiResult<Response> {
        if self.target.subresource.as_deref() == Some("log") && kinds::is_pod(&self.kind) {
            return logs::stream(&self.cluster, &self.kind, &self.target, query).await;
        }
        if let (Some("exec" | "attach" | "portforward"), Some(name), true) =
            (self.target.subresource.as_deref(), &self.target.name, kinds::is_pod(&self.kind))
        {
            let key = super::store::Key::new(self.namespace().unwrap_or_default(), name);
            let pod = self.cluster.store.get(&self.kind.collection(), &key);
            let pod = pod.ok_or_else(|| ApiError::not_found(&self.kind, name))?;
            if self.target.subresource.as_deref() == Some("portforward") {
                let upgrade = tunnel::Upgrade { method: method.clone(), connection: self.upgrade.take() };
                let (kind, target, headers) = (&self.kind, &self.target, &self.headers);
                return tunnel::open(&self.cluster, kind, target, query, headers, upgrade, &pod).await;
            }
            return Ok((StatusCode::NOT_IMPLEMENTED, NO_CONTAINER).into_response());
        }
        if let (Some(subresource), Some(name)) = (&self.target.subresource, &self.target.name)
            && !self.kind.has_subresource(subresource)
        {
            // An object without this part, where the real server thinks that others of its kind may have it.
            return Err(match self.kind.is_custom() && subresource == "scale" {
                true => ApiError::not_found(&self.kind, name),
                false => ApiError::no_such_resource(),
            });
        }
        if self.kind.namespaced && self.target.namespace.is_none() {
            match (method, &self.target.name) {
                (&Method::POST, None) => return Err(ApiError::method_not_allowed()),
                (_, Some(_)) => return Err(ApiError::no_such_resource()),
                _ => {}
            }
        }
        if !Encoding::is_acceptable(&self.headers, self.kind.is_custom()) {
            return Err(ApiError::not_acceptable(Encoding::spoken(self.kind.is_custom())));
        }
        let body = body(&self.headers, bytes);
        match (method, &self.target.name) {
            (&Method::GET, None) if self.options.watch => self.watch(),
            (&Method::GET, None) => self.list(),
            (&Method::GET, Some(name)) => self.get(name),
            (&Method::POST, None) => self.write(|write| {
                let created = write::create(write, &body)?;
                Ok((StatusCode::CREATED, created))
            }),
            (&Method::POST, Some(name)) => self.write(|write| subresources::create(write, name, &body)),
            (&Method::PUT, Some(name)) => self.write(|write| match write.subresource {
                Some("scale" | "finalize") => subresources::replace(write, name, &body),
                _ => Ok((StatusCode::OK, write::replace(write, name, &body)?)),
            }),
            (&Method::PATCH, Some(name)) => self.patch(name, &body),
            (&Method::DELETE, Some(name)) if self.target.subresource.is_none() => self.delete(name, &body),
            (&Method::DELETE, None) if !self.kind.is_core("namespaces") => self.delete_collection(&body),
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn encoding(&self) -> Encoding {
        Encoding::accepted(&self.headers, &self.options)
    }

    fn namespace(&self) -> Option<&str> {
        self.target.namespace.as_deref()
    }

    fn get(&self, name: &str) -> ApiResult<Response> {
        let key = super::store::Key::new(self.namespace().unwrap_or_default(), name);
        let stored = self.cluster.store.get(&self.kind.collection(), &key);
        let stored = stored.ok_or_else(|| ApiError::not_found(&self.kind, name))?;
        let value = versions::view(&self.kind, &stored);
        match self.target.subresource.as_deref() {
            Some("scale") => Ok(json_response(StatusCode::OK, &subresources::scale_of(&self.kind, &value)?)),
            Some("binding" | "eviction" | "finalize") => Err(ApiError::method_not_allowed()),
            _ => Ok(json_response(StatusCode::OK, &self.encoding().object(&self.kind, &value))),
        }
    }

    fn list(&self) -> ApiResult<Response> {
        let page = list::list(&self.cluster.store, &self.kind, self.namespace(), &self.options)?;
        let bytes = self.encoding().list(&self.kind, page.meta, &page.items).map_err(ApiError::internal)?;
        Ok(bytes_response(StatusCode::OK, bytes))
    }

    fn watch(self) -> ApiResult<Response> {
        let encoding = self.encoding();
        let namespace = self.target.namespace.clone();
        let watch = Watch::new(self.cluster, self.kind, namespace, encoding, &self.options)?;
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache, private")];
        Ok((headers, HttpBody::from_stream(watch.run())).into_response())
    }

    /// Runs a write in the writer's turn.
    fn write(&self, work: impl FnOnce(&mut Write<'_>) -> ApiResult<(StatusCode, Arc<Value>)>) -> ApiResult<Response> {
        let (status, value, warnings) = self.in_turn(work)?;
        Ok(with_warnings(json_response(status, &self.encoding().object(&self.kind, &value)), warnings))
    }

    fn in_turn(&self, work: impl FnOnce(&mut Write<'_>) -> ApiResult<(StatusCode, Arc<Value>)>) -> ApiResult<Written> {
        let turn = self.cluster.writer();
        let mut write = Write {
            cluster: &self.cluster,
            turn: &turn,
            kind: &self.kind,
            namespace: self.namespace(),
            subresource: self.target.subresource.as_deref(),
            options: &self.options,
            manager: self.manager(),
            now: Utc::now(),
            warnings: Vec::new(),
        };
        let (status, value) = work(&mut write)?;
        Ok((status, value, write.warnings))
    }

    /// Who writes: the field manager of the query, or the program's name of the `User-Agent`.
    fn manager(&self) -> String {
        let agent = || {
            let agent = self.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            agent.split('/').next().unwrap_or_default().to_owned()
        };
        let manager = self.options.field_manager.clone().unwrap_or_else(agent);
        if manager.is_empty() { "unknown".to_owned() } else { manager }
    }

    fn patch(&self, name: &str, body: &Body) -> ApiResult<Response> {
        let Some(kind) = PatchKind::of(&body.media_type) else {
            let accepted = if self.kind.is_custom() { PatchKind::ACCEPTED_BY_CUSTOM } else { PatchKind::ACCEPTED };
            return Err(ApiError::unsupported_media_type(&body.media_type, accepted));
        };
        self.write(|write| match write.subresource {
            Some("scale") => subresources::patch_scale(write, name, kind, body),
            Some("binding" | "eviction" | "finalize" | "log") => Err(ApiError::method_not_allowed()),
            _ => write::patch(write, name, kind, body),
        })
    }

    fn delete(&self, name: &str, body: &Body) -> ApiResult<Response> {
        let read = DeleteOptions::read(&self.options, body)?;
        let mut options = self.options.clone();
        options.dry_run = read.dry_run;
        let operation = Operation { options, ..self.clone_parts() };
        let mut gone = false;
        let (_, value, warnings) = operation.in_turn(|write| {
            let deleted = write::delete(write, name, &read)?;
            gone = matches!(deleted, Deleted::Gone(_));
            Ok((StatusCode::OK, deleted.object().clone()))
        })?;
        if gone && !kinds::returns_deleted(&self.kind) {
            let status = deleted_status(&self.kind, name, object::uid(&value));
            return Ok(with_warnings(json_response(StatusCode::OK, &status), warnings));
        }
        Ok(with_warnings(json_response(StatusCode::OK, &self.encoding().object(&self.kind, &value)), warnings))
    }

    fn delete_collection(&self, body: &Body) -> ApiResult<Response> {
        let read = DeleteOptions::read(&self.options, body)?;
        let mut options = self.options.clone();
        options.dry_run = read.dry_run;
        let operation = Operation { options, ..self.clone_parts() };
        let mut items = Vec::new();
        operation.in_turn(|write| {
            items = write::delete_collection(write, &read)?;
            Ok((StatusCode::OK, Arc::new(Value::Null)))
        })?;
        let meta = serde_json::json!({"resourceVersion": self.cluster.store.revision().to_string()});
        let bytes = self.encoding().list(&self.kind, meta, &items).map_err(ApiError::internal)?;
        Ok(bytes_response(StatusCode::OK, bytes))
    }

    fn clone_parts(&self) -> Operation {
        Operation {
            cluster: self.cluster.clone(),
            kind: self.kind.clone(),
            target: self.target.clone(),
            options: Options::default(),
            headers: self.headers.clone(),
            upgrade: None,
        }
    }
}

/// Tells the client something beside the answer.
fn with_warnings(mut response: Response, warnings: Vec<String>) -> Response {
    for warning in warnings {
        let text = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
        if let Ok(text) = HeaderValue::from_str(&text) {
            response.headers_mut().append(header::WARNING, text);
        }
    }
    response
}

/// A body and what its headers say it is.
pub fn body(headers: &HeaderMap, bytes: Bytes) -> Body {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Body { bytes, media_type }
}
