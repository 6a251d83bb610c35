//! Sends the notifications in the outbox to the webhooks of their users.
//!
//! Every replica has a worker. A claim is a lease on the webhook, not a transaction, so that what a worker leaves behind when it
//! dies goes to the next one. A webhook is sent one notification at a time, in order; when that fails, it gets a pause that
//! doubles, and after [`MOST_FAILURES`] in a row, which is after about a day, it is disabled, and its user is notified.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use http::{HeaderMap, StatusCode, header};
use rand::RngExt;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::message;
use super::receiver;
use crate::auth::policy::{Action, Permit};
use crate::change::{Change, Done};
use crate::config::WebhookConfig;
use crate::db::{Db, error_chain};
use crate::error::{ApiError, ApiErrors};
use crate::notifications::model::outbox::{self, Delivery, Due};
use crate::notifications::model::{Notice, NotificationType, notify, webhooks};
use crate::notifications::types::webhook::host_of;
use crate::outbound;
use crate::tasks::{Duty, Tasks};

/// Maximum number of webhooks that are sent something at a time.
const AT_ONCE: usize = 16;
/// How long a receiver has to respond.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a webhook may keep a worker while it has something to send.
const TURN: Duration = Duration::from_secs(20);
/// Longer than a turn and the response to its last request, so that a claim outlives its work.
const LEASE_SECONDS: i64 = 45;
/// Grace period for a request when the server stops.
const GRACE: Duration = Duration::from_secs(3);
/// Interval of looking for something to send.
const LOOK: Duration = Duration::from_millis(500);
/// The pause after the first failure, which doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause, also if the receiver asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 60 * 60);
/// So many failures in a row take 24 to 28 hours.
const MOST_FAILURES: i32 = 19;
/// A webhook that fails is disabled earlier if so many notifications wait for it.
const MOST_WAITING: i64 = 10_000;
/// A delivery that is older has been forgotten by everybody.
const LONGEST_AGE: chrono::Duration = chrono::Duration::days(3);
/// Interval of forgetting such deliveries.
const FORGET: Duration = Duration::from_secs(60);

/// Starts the worker.
///
/// # Errors
/// TLS cannot be set up.
pub fn spawn(tasks: &Tasks, db: &Db, config: &WebhookConfig) -> anyhow::Result<()> {
    let http = outbound::to_strangers(PATIENCE, config.networks.clone(), outbound::system_lookup())?;
    let sender = Sender { db: db.clone(), http, config: Arc::new(config.clone()) };
    let of_webhooks = tasks.clone();
    tasks.supervise("webhooks", Duty::Housekeeping, move || run(sender.clone(), of_webhooks.clone()));
    let forgets = db.clone();
    tasks.supervise("old webhook deliveries", Duty::Housekeeping, move || forget(forgets.clone()));
    Ok(())
}

/// Each webhook is a task of its own, so that a slow receiver keeps no other one waiting.
async fn run(sender: Sender, tasks: Tasks) {
    let hands = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let free = hands.available_permits();
        // Only this loop takes slots, so those that were counted are still free.
        if let Ok(mut free_hands) = Arc::clone(&hands).try_acquire_many_owned(free as u32) {
            for due in sender.claim_for(free).await {
                let (sender, hand) = (sender.clone(), free_hands.split(1));
                tasks.spawn_with_grace("webhook", GRACE, async move {
                    if let Err(error) = sender.turn(&due).await {
                        // The claim expires, and what was sent may be sent again, with the same ID.
                        tracing::warn!(user = %due.webhook.user_id, error = %error_chain(&error), "a webhook was not brought up to date");
                    }
                    drop(hand);
                });
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn forget(db: Db) {
    loop {
        let forgotten = async {
            let mut conn = db.connection().await?;
            Ok::<_, ApiError>(outbox::forget(&mut conn, Utc::now() - LONGEST_AGE).await?)
        };
        match forgotten.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "forgot notifications that were not sent to their webhooks"),
            Err(error) => tracing::warn!(error = %error_chain(&error), "cannot forget old webhook deliveries"),
        }
        tokio::time::sleep(FORGET).await;
    }
}

/// Why a notification was not delivered.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    /// For the user.
    message: String,
    /// The pause that the receiver asks for.
    pause: Option<Duration>,
    /// Whether the receiver has gone for good.
    gone: bool,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), pause: None, gone: false }
    }
}

#[derive(Clone)]
struct Sender {
    db: Db,
    http: reqwest::Client,
    config: Arc<WebhookConfig>,
}

impl Sender {
    async fn claim_for(&self, hands: usize) -> Vec<Due> {
        if hands == 0 {
            return Vec::new();
        }
        let most = i64::try_from(hands).unwrap_or(i64::MAX);
        let claimed = async {
            let mut conn = self.db.connection().await?;
            Ok::<_, ApiError>(outbox::claim(&mut conn, most, LEASE_SECONDS).await?)
        };
        claimed.await.unwrap_or_else(|error| {
            tracing::warn!(error = %error_chain(&error), "cannot look for webhooks with something to send");
            Vec::new()
        })
    }

    /// Sends what waits for a webhook until nothing is left, the turn is over, or something fails.
    async fn turn(&self, due: &Due) -> Result<(), ApiError> {
        let webhook = &due.webhook;
        let end = Instant::now() + TURN;
        while Instant::now() < end {
            // No connection is kept while the receiver is asked.
            let next = outbox::next(&mut *self.db.connection().await?, webhook).await?;
            let Some(delivery) = next else { break };
            let sent = self.send(due, &delivery).await?;
            let result = if sent.is_ok() { "delivered" } else { "failed" };
            metrics::counter!("platform_webhook_requests_total", "result" => result).increment(1);
            match sent {
                Ok(()) => {
                    let mut conn = self.db.connection().await?;
                    outbox::delivered(&mut conn, webhook, delivery.id(), now()).await?;
                }
                Err(failure) => return self.failed(due, failure).await,
            }
        }
        Ok(outbox::release(&mut *self.db.connection().await?, webhook).await?)
    }

    async fn send(&self, due: &Due, delivery: &Delivery) -> Result<Result<(), Failure>, ApiError> {
        // The operator may have changed the list since the URL was set.
        let url = match receiver::checked(&due.webhook.url, &self.config) {
            Ok(url) => url,
            Err(unusable) => return Ok(Err(Failure::new(unusable.to_string()))),
        };
        let (id, timestamp) = (delivery.id().to_text(), Utc::now().timestamp());
        let body = message::body(delivery, &self.config)?;
        let signature = message::signature(&due.secret, &id, timestamp, &body)?;
        let request = self
            .http
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        // The body of the response is not read: it means nothing, and may be of any size.
        Ok(match request.send().await {
            Ok(response) => judged(response.status(), response.headers(), Utc::now()),
            Err(error) => Err(unreached(&error, &host_of(url.as_str()))),
        })
    }

    async fn failed(&self, due: &Due, failure: Failure) -> Result<(), ApiError> {
        let webhook = &due.webhook;
        let failures = {
            let mut conn = self.db.connection().await?;
            let now = now();
            // A random part, so that receivers that come back are not asked by everybody at once.
            let jitter = rand::rng().random_range(0.8..1.2);
            let failures = outbox::failures(&mut conn, webhook).await? + 1;
            let next = now + pause(failures, failure.pause).mul_f64(jitter);
            outbox::failed(&mut conn, webhook, &failure.message, (now, next)).await?;
            let waiting = outbox::waiting(&mut conn, webhook.user_id, MOST_WAITING).await?;
            if waiting < MOST_WAITING && failures < MOST_FAILURES && !failure.gone {
                return Ok(());
            }
            failures
        };
        let host = host_of(&webhook.url);
        tracing::info!(user = %webhook.user_id, host, failures, "disables a webhook");
        let permit = Permit::of_platform(Action::DisableWebhook);
        let disabled = Change::new(&self.db, permit, None).commit(async |writes| {
            if !webhooks::disable(writes, webhook, now()).await? {
                return Ok(Done::nothing());
            }
            let notice = Notice {
                user: webhook.user_id,
                kind: NotificationType::WebhookDisabled,
                subject: webhook.user_id.to_text(),
                message: format!("Your webhook to {host} was disabled: {}.", failure.message),
            };
            notify(writes, vec![notice]).await?;
            Ok(Done::to(webhook.user_id, json!({ "host": host, "failures": failures, "error": failure.message })))
        });
        disabled.await.map_err(|errors: ApiErrors| ApiError::internal(errors.to_string()))
    }
}

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// The pause after so many failures in a row, or the one that the receiver asks for, if it is longer.
fn pause(failures: i32, asked: Option<Duration>) -> Duration {
    let doublings = failures.clamp(1, 16).unsigned_abs() - 1;
    (FIRST_PAUSE * 2_u32.pow(doublings)).max(asked.unwrap_or_default()).min(LONGEST_PAUSE)
}

/// What the response means.
fn judged(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let gone = status == StatusCode::GONE;
    let message = match status {
        _ if status.is_redirection() => {
            format!("the receiver answered {}, and redirects are not followed", status.as_u16())
        }
        _ => format!("the receiver answered {status}"),
    };
    let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    Err(Failure { message, pause: asked.and_then(|text| retry_after(text, now)), gone })
}

/// The header `Retry-After`: seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    (date.to_utc() - now).to_std().ok()
}

/// Why there is no response. The details of the network are for the log, not for the user.
fn unreached(error: &reqwest::Error, host: &str) -> Failure {
    tracing::info!(host, error = %error_chain(error), "a webhook cannot be reached");
    Failure::new(match outbound::refused_host(error) {
        Some(refused) => format!("{refused} has no address that webhooks may be sent to"),
        None if error.is_timeout() => format!("{host} did not respond within {} seconds", PATIENCE.as_secs()),
        None if error.is_connect() => format!("{host} cannot be connected to"),
        None => format!("the connection to {host} failed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after: Option<&str>) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
        }
        judged(StatusCode::from_u16(status).unwrap(), &headers, DateTime::from_timestamp(1_764_204_120, 0).unwrap())
    }

    #[test]
    fn only_a_status_from_200_to_299_confirms() {
        assert!((200..300).all(|status| answered(status, None).is_ok()));
        assert_eq!(
            answered(302, None).unwrap_err().message,
            "the receiver answered 302, and redirects are not followed"
        );
        assert_eq!(answered(500, None).unwrap_err().message, "the receiver answered 500 Internal Server Error");
        assert!(answered(410, None).unwrap_err().gone);
        assert!(!answered(404, None).unwrap_err().gone, "it may come back");
    }

    #[test]
    fn the_receiver_can_ask_for_a_longer_pause_but_not_for_one_without_end() {
        let asked = |text| answered(503, Some(text)).unwrap_err().pause;
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Thu, 27 Nov 2025 00:43:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Thu, 27 Nov 2025 00:41:00 GMT"), None, "it has passed");
        assert_eq!(asked("soon"), None);
        assert_eq!(pause(1, Some(Duration::from_secs(120))), Duration::from_secs(120));
        assert_eq!(pause(1, Some(Duration::MAX)), LONGEST_PAUSE);
        assert_eq!(pause(10, Some(Duration::from_secs(1))), Duration::from_secs(1024));
    }

    #[test]
    fn pauses_double_and_end_after_a_day() {
        let pauses: Vec<u64> = (1..=5).map(|failures| pause(failures, None).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32]);
        let all: Duration = (1..MOST_FAILURES).map(|failures| pause(failures, None)).sum();
        assert!((24..=28).contains(&(all.as_secs() / 3600)), "{all:?}");
    }
}
