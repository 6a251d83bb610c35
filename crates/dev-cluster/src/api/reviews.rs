//! `authorization.k8s.io` and `authentication.k8s.io`: whoever reaches this server may do everything.

use super::request::ResourcePath;
use super::serve::json_response;
use super::status::{ApiError, ApiResult};
use super::write::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

/// Answers a review; `None` where the path is none.
pub fn answer(target: &ResourcePath, method: &Method, body: &Body) -> Option<ApiResult<Response>> {
    if target.version != "v1" || target.name.is_some() {
        return None;
    }
    let status = match target.resource.as_str() {
        "selfsubjectreviews" if target.group == "authentication.k8s.io" => {
            json!({"userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]}})
        }
        _ if target.group != "authorization.k8s.io" => return None,
        "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews" => {
            json!({"allowed": true, "reason": "the embedded cluster allows everything"})
        }
        "selfsubjectrulesreviews" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        _ => return None,
    };
    if method != Method::POST {
        return Some(Err(ApiError::method_not_allowed()));
    }
    let review: ApiResult<Value> = body.value();
    Some(review.map(|mut review| {
        super::object::object_mut(&mut review).insert("status".to_owned(), status);
        json_response(StatusCode::CREATED, &review)
    }))
}
