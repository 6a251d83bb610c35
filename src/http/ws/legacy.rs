//! The messages that only the older subprotocol `graphql-ws` has, as defined by subscriptions-transport-ws:
//! <https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md>.

use serde_json::{Value, json};

use super::message;

/// `ka`: keep-alive. The protocol has no response to it, and its clients ignore a payload.
pub fn keep_alive(payload: Option<&Value>) -> String {
    message::with_payload("ka", payload)
}

/// `connection_error`: why this WebSocket cannot be used.
pub fn connection_error(reason: &str) -> String {
    json!({ "type": "connection_error", "payload": { "message": reason } }).to_string()
}

/// The payload of `error`, which is a single error and not a list: the first. If there are several, all of them are in
/// its member `errors`, which subscriptions-transport-ws reads first and other clients ignore.
pub fn one_error(errors: &str) -> String {
    let mut errors: Vec<Value> = serde_json::from_str(errors).unwrap_or_default();
    let several = (errors.len() > 1).then(|| errors.clone());
    let mut first = if errors.is_empty() { Value::Null } else { errors.swap_remove(0) };
    if !first.is_object() {
        first = json!({ "message": "the operation was rejected" });
    }
    if let Some(several) = several {
        first["errors"] = several.into();
    }
    first.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_s_error_is_one_object_that_brings_the_others_along() {
        insta::assert_snapshot!(one_error(r#"[{"message":"no"}]"#), @r#"{"message":"no"}"#);
        insta::assert_snapshot!(
            one_error(r#"[{"message":"no"},{"message":"neither"}]"#),
            @r#"{"message":"no","errors":[{"message":"no"},{"message":"neither"}]}"#
        );
        insta::assert_snapshot!(one_error("[]"), @r#"{"message":"the operation was rejected"}"#);
    }

    #[test]
    fn a_reason_is_told_as_a_message() {
        insta::assert_snapshot!(connection_error("say \"hello\" first"), @r#"{"type":"connection_error","payload":{"message":"say \"hello\" first"}}"#);
    }
}
