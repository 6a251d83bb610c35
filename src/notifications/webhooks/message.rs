//! What is sent: the JSON of a notification, and its signature as Standard Webhooks describes it
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use crate::config::WebhookConfig;
use crate::error::ApiError;
use crate::notifications::model::outbox::Delivery;
use crate::notifications::model::webhooks::Secret;

/// The kind of a test, which no notification has.
const TEST: &str = "TEST";
/// The title of a test.
const TEST_TITLE: &str = "This is a test of your webhook.";

/// The body of a request. Later versions may add fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    /// The ID of the notification, the same as in the header `webhook-id`.
    id: String,
    /// The kind of notification.
    kind: &'a str,
    /// When it was written.
    at: DateTime<Utc>,
    /// A sentence for people.
    title: &'a str,
    /// The ID of what it is about; null in a test.
    subject_id: Option<&'a str>,
    /// A page about it, if the operator has one.
    link: Option<String>,
}

/// The JSON of a delivery.
pub(super) fn body(delivery: &Delivery, config: &WebhookConfig) -> Result<String, ApiError> {
    let id = delivery.id().to_text();
    let body = match delivery {
        Delivery::Of(notification) => Body {
            id,
            kind: notification.kind.as_str(),
            at: notification.created_at,
            title: &notification.message,
            subject_id: Some(&notification.subject),
            link: config.link_to(&notification.subject),
        },
        Delivery::Test(_, at) => Body { id, kind: TEST, at: *at, title: TEST_TITLE, subject_id: None, link: None },
    };
    serde_json::to_string(&body).map_err(ApiError::internal)
}

/// The secret as its user sees it, once.
pub(super) fn shown(secret: &Secret) -> String {
    format!("whsec_{}", STANDARD.encode(secret.bytes()))
}

/// The header `webhook-signature`.
pub(super) fn signature(secret: &Secret, id: &str, timestamp: i64, body: &str) -> Result<String, ApiError> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(secret.bytes()).map_err(ApiError::internal)?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{NotificationId, UserId};
    use crate::notifications::model::{Notification, NotificationType};
    use uuid::Uuid;

    #[test]
    fn the_signature_is_that_of_the_specification_s_example() {
        // The example of the reference libraries.
        let secret = Secret::of_test(&STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(shown(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn a_notification_is_sent_with_its_id_kind_time_title_and_link() {
        let at = DateTime::from_timestamp(1_764_204_120, 0).unwrap();
        let notification = Notification {
            id: NotificationId::from_uuid(Uuid::from_u128(1)),
            user_id: UserId::generate(),
            kind: NotificationType::JobEnded,
            subject: "job_01h455vb4pex5vsknk084sn02q".to_owned(),
            message: "Your job train has succeeded.".to_owned(),
            created_at: at,
            read_at: None,
        };
        let config = WebhookConfig::default().with_link("https://portal.example/open/{id}");
        insta::assert_snapshot!(body(&Delivery::Of(notification), &config).unwrap(), @r#"{"id":"notification_00000000000000000000000001","kind":"JOB_ENDED","at":"2025-11-27T00:42:00Z","title":"Your job train has succeeded.","subjectId":"job_01h455vb4pex5vsknk084sn02q","link":"https://portal.example/open/job_01h455vb4pex5vsknk084sn02q"}"#);
        let test = Delivery::Test(NotificationId::from_uuid(Uuid::from_u128(2)), at);
        insta::assert_snapshot!(body(&test, &config).unwrap(), @r#"{"id":"notification_00000000000000000000000002","kind":"TEST","at":"2025-11-27T00:42:00Z","title":"This is a test of your webhook.","subjectId":null,"link":null}"#);
    }
}
