//! Refusals: what the API server answers when it cannot do what it was asked, as a `metav1.Status`.

use super::catalog::ResourceKind;
use super::schema::{FieldError, Reason, invalid_message};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// The outcome of anything that may be refused.
pub type ApiResult<T> = Result<T, ApiError>;

/// A refusal, shaped exactly as the real API server's.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status.
    pub code: StatusCode,
    /// The machine-readable reason, such as `NotFound`; empty where the real one gives none.
    pub reason: &'static str,
    /// The sentence for people.
    pub message: String,
    /// The `details` object, where there is one.
    pub details: Option<Value>,
    /// The list metadata: an expired continue token answers with the token to go on with.
    pub continue_token: Option<String>,
}

impl ApiError {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        ApiError { code, reason, message: message.into(), details: None, continue_token: None }
    }

    fn about(mut self, kind: &ResourceKind, name: &str) -> Self {
        self.details = Some(details(name, &kind.group, &kind.plural));
        self
    }

    /// 404: no object of that name.
    pub fn not_found(kind: &ResourceKind, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", format!("{} {name:?} not found", kind.qualified_resource()))
            .about(kind, name)
    }

    /// 404: a served group version has no such resource.
    pub fn no_such_resource() -> Self {
        let mut error =
            Self::new(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource");
        error.details = Some(json!({}));
        error
    }

    /// 405: the resource does not do that.
    pub fn method_not_allowed() -> Self {
        let mut error = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
        error.details = Some(json!({}));
        error
    }

    /// 409: an object of that name is there.
    pub fn already_exists(kind: &ResourceKind, name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "AlreadyExists",
            format!("{} {name:?} already exists", kind.qualified_resource()),
        )
        .about(kind, name)
    }

    /// 409: the object is not the one that the caller has seen.
    pub fn conflict(kind: &ResourceKind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified_resource());
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(kind, name)
    }

    /// 409: a precondition of a deletion fails; the real server names the kind here, not the resource.
    pub fn conflict_of_kind(kind: &ResourceKind, name: &str, why: &str) -> Self {
        let shown = if kind.group.is_empty() { kind.kind.clone() } else { format!("{}.{}", kind.kind, kind.group) };
        let message = format!("Operation cannot be fulfilled on {shown} {name:?}: {why}");
        let mut error = Self::new(StatusCode::CONFLICT, "Conflict", message);
        error.details = Some(details(name, &kind.group, &kind.kind));
        error
    }

    /// 409: the pod has a node, or cannot get one any more.
    pub fn binding_conflict(name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on pods/binding {name:?}: {why}");
        let mut error = Self::new(StatusCode::CONFLICT, "Conflict", message);
        error.details = Some(details(name, "", "pods/binding"));
        error
    }

    /// 409: the object's resourceVersion has moved on.
    pub fn modified(kind: &ResourceKind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 409: server-side apply would take fields from other managers.
    pub fn apply_conflict(message: String, causes: Vec<Value>) -> Self {
        let mut error = Self::new(StatusCode::CONFLICT, "Conflict", message);
        error.details = Some(json!({"causes": causes}));
        error
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 401: no credentials, or wrong ones.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// 403: an admission check says no.
    pub fn forbidden(kind: &ResourceKind, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", kind.qualified_resource());
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).about(kind, name)
    }

    /// 403: nothing is created in a namespace that is being deleted.
    pub fn namespace_terminating(kind: &ResourceKind, name: &str, namespace: &str) -> Self {
        let mut error = Self::forbidden(
            kind,
            name,
            &format!("unable to create new content in namespace {namespace} because it is being terminated"),
        );
        let cause = json!({
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        });
        if let Some(Value::Object(details)) = &mut error.details {
            details.insert("causes".to_owned(), json!([cause]));
        }
        error
    }

    /// 422: the object breaks rules.
    pub fn invalid(kind: &ResourceKind, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_named(&kind.group, &kind.kind, name, errors)
    }

    /// [`ApiError::invalid`] for a kind that is not the resource's own (`DeleteOptions`).
    pub fn invalid_named(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let message = invalid_message(group, kind, name, errors);
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        let mut details = details(name, group, kind);
        details["causes"] = errors.iter().map(FieldError::cause).collect();
        error.details = Some(details);
        error
    }

    /// 500, as the real server has it: what is applied has a field that the schema does not know.
    pub fn untyped_patch(kind: &ResourceKind, applied: &Value, why: &str) -> Self {
        let text = |field: &str| super::object::meta_text(applied, field);
        let message = format!(
            "failed to create typed patch object ({}/{}; {}/{}, Kind={}): {why}",
            text("namespace"),
            text("name"),
            kind.group,
            kind.version,
            kind.kind
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
    }

    /// 422: what a patch made of an object is not one of its kind.
    pub fn broken_by_patch(patched: &Value, why: &str) -> Self {
        let mut error = FieldError::new("patch", Reason::Invalid, why);
        error.shown = Some(Value::from(patched.to_string()).to_string());
        Self::invalid_named("", "", "", &[error])
    }

    /// 422: an option of the query, or of the body of a deletion, that does not exist.
    pub fn bad_option(options: &str, error: FieldError) -> Self {
        Self::invalid_named("meta.k8s.io", options, "", &[error])
    }

    /// 406: none of the formats that the client takes is spoken.
    pub fn not_acceptable(spoken: &str) -> Self {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {spoken}");
        let mut error = Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message);
        error.details = Some(json!({}));
        error
    }

    /// 422: a patch that cannot be applied.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        error.details = Some(json!({}));
        error
    }

    /// 410: the version asked for is compacted.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// 413: the body is larger than an object may be.
    pub fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    /// 415: a body in a format that is not spoken.
    pub fn unsupported_media_type(got: &str, accepted: &str) -> Self {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        tracing::debug!(got, "unsupported media type");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// 504: a version that has not happened yet.
    pub fn version_too_large(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        error.details = Some(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }));
        error
    }

    /// 500: our own fault, or the kubelet's.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            format!("Internal error occurred: {message}"),
        );
        error.details = Some(json!({"causes": [{"message": message.to_string()}]}));
        error
    }

    /// The `Status` object on the wire.
    pub fn to_status(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".to_owned(), json!(token));
        }
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status["code"] = json!(self.code.as_u16());
        status
    }
}

fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = Map::new();
    if !name.is_empty() {
        details.insert("name".to_owned(), json!(name));
    }
    if !group.is_empty() {
        details.insert("group".to_owned(), json!(group));
    }
    details.insert("kind".to_owned(), json!(kind));
    Value::Object(details)
}

/// The `Status` of a deletion that is complete.
pub fn deleted_status(kind: &ResourceKind, name: &str, uid: &str) -> Value {
    let mut details = details(name, &kind.group, &kind.plural);
    details["uid"] = json!(uid);
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
