//! Classification of the answers of a real API server (1.36).

use super::*;
use kube::core::Status;
use serde_json::json;

fn told(code: u16, reason: &str, message: &str, details: serde_json::Value) -> ClusterError {
    let status = json!({ "status": "Failure", "code": code, "reason": reason, "message": message, "details": details });
    let status: Status = serde_json::from_value(status).unwrap();
    kube::Error::Api(status.boxed()).into()
}

fn kind(error: &ClusterError) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

#[test]
fn answers_are_told_apart_by_what_to_do_about_them() {
    let pod = json!({ "name": "x", "kind": "pods" });
    let terminating = json!({ "name": "x", "kind": "pods", "causes": [
        { "reason": "NamespaceTerminating", "message": "namespace term is being terminated", "field": "metadata.namespace" },
    ]});
    let table = [
        (409, "AlreadyExists", "pods \"x\" already exists", &pod, "AlreadyExists"),
        (409, "Conflict", "the object has been modified", &pod, "Conflict"),
        (
            404,
            "NotFound",
            "namespaces \"absent\" not found",
            &json!({ "name": "absent", "kind": "namespaces" }),
            "NotFound",
        ),
        (404, "Failed to parse error data", "404 page not found", &json!(null), "KindMissing"),
        (404, "NotFound", "the server could not find the requested resource", &json!({}), "KindMissing"),
        (422, "Invalid", "Pod \"x\" is invalid: spec.containers: Required value", &pod, "Invalid"),
        (400, "BadRequest", "strict decoding error: unknown field \"spec.foo\"", &json!(null), "Invalid"),
        (
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
            &json!({}),
            "Invalid",
        ),
        (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", &json!(null), "Invalid"),
        (415, "UnsupportedMediaType", "the body of the request was in an unknown format", &json!(null), "Invalid"),
        (500, "", "etcdserver: request is too large", &json!(null), "Invalid"),
        (
            500,
            "",
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2098034 vs. 2097152)",
            &json!(null),
            "Invalid",
        ),
        (500, "", "etcdserver: request timed out", &json!(null), "Away"),
        (503, "ServiceUnavailable", "the server is currently unable to handle the request", &json!(null), "Away"),
        (429, "TooManyRequests", "too many requests, please try again later", &json!(null), "Away"),
        (401, "Unauthorized", "Unauthorized", &json!(null), "Forbidden"),
        (
            403,
            "Forbidden",
            "pods is forbidden: User \"system:serviceaccount:t:low\" cannot create resource \"pods\" in API group \"\" in the namespace \"t\"",
            &json!({ "kind": "pods" }),
            "Forbidden",
        ),
        (
            403,
            "Forbidden",
            "pods \"x\" is forbidden: exceeded quota: rq, requested: pods=1, used: pods=0, limited: pods=0",
            &pod,
            "OverQuota",
        ),
        (
            403,
            "Forbidden",
            "pods \"x\" is forbidden: failed quota: rq: must specify requests.cpu for: a",
            &pod,
            "Denied",
        ),
        (
            403,
            "Forbidden",
            "pods \"x\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)",
            &pod,
            "Denied",
        ),
        (
            403,
            "Forbidden",
            "pods \"x\" is forbidden: maximum cpu usage per Container is 1, but limit is 2",
            &pod,
            "Denied",
        ),
        (403, "Forbidden", "pods \"x\" is forbidden: no PriorityClass with name nix was found", &pod, "Denied"),
        (
            403,
            "Forbidden",
            "pods \"x\" is forbidden: unable to create new content in namespace term because it is being terminated",
            &terminating,
            "Refused",
        ),
        (400, "BadRequest", "admission webhook \"a.example.com\" denied the request: no", &json!(null), "Denied"),
        (500, "", "admission webhook \"a.example.com\" denied the request: no", &json!(null), "Denied"),
        (400, "BadRequest", "admission webhook \"a.example.com\" does not support dry run", &json!(null), "Refused"),
        (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"dead.example.com\": connection refused",
            &json!(null),
            "Refused",
        ),
    ];
    for (code, reason, message, details, expected) in table {
        assert_eq!(kind(&told(code, reason, message, details.clone())), expected, "{code} {message}");
    }
}

#[test]
fn the_fields_that_a_refusal_names_are_kept() {
    let details = json!({ "name": "a", "kind": "FlashJob", "causes": [
        { "reason": "FieldValueInvalid", "message": "Invalid value: 3: too many", "field": "spec.minAvailable" },
        { "reason": "FieldValueInvalid", "message": "some validation rules were not checked", "field": "<nil>" },
        { "message": "denied by a policy" },
    ]});
    let ClusterError::Invalid(refusal) = told(422, "Invalid", "it is invalid", details) else { panic!("invalid") };
    let cause = Cause { path: "spec.minAvailable".to_owned(), message: "Invalid value: 3: too many".to_owned() };
    assert_eq!(refusal.causes, [cause]);
}
