//! Notifications that are sent to webhooks: that each arrives, signed, whatever the receiver and the server do; and that nothing is
//! sent where it must not go. The receiver is a real one, which does what the test has planned for each request.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, header};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::support::serve::Serve;
use crate::support::session::Session;

const PATIENCE: Duration = Duration::from_secs(60);

/// What the receiver does with a request.
#[derive(Debug, Clone)]
enum Plan {
    Answer(u16),
    Redirect(&'static str),
    /// It confirms with a body without end.
    Flood,
    /// It never answers.
    Silence,
}

/// A request that has arrived.
#[derive(Debug, Clone)]
struct Call {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it is signed with this secret, as Standard Webhooks says.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", self.id, self.timestamp, self.body).as_bytes());
        self.signature == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[derive(Debug, Default)]
struct Desk {
    calls: Mutex<Vec<Call>>,
    plans: Mutex<VecDeque<Plan>>,
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: String) -> Response<Body> {
    let value = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, timestamp, signature) = (value("webhook-id"), value("webhook-timestamp"), value("webhook-signature"));
    desk.calls.lock().unwrap().push(Call { id, timestamp, signature, body });
    let plan = desk.plans.lock().unwrap().pop_front().unwrap_or(Plan::Answer(204));
    match plan {
        Plan::Answer(status) => Response::builder().status(status).body(Body::empty()).unwrap(),
        Plan::Redirect(to) => Response::builder().status(302).header(header::LOCATION, to).body(Body::empty()).unwrap(),
        Plan::Flood => {
            let chunk = || Ok::<_, std::io::Error>(vec![b'x'; 1 << 20]);
            Response::new(Body::from_stream(futures::stream::repeat_with(chunk)))
        }
        Plan::Silence => std::future::pending().await,
    }
}

struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
    serving: Mutex<AbortHandle>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.go();
    }
}

impl Receiver {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, desk) = (listener.local_addr().unwrap(), Arc::<Desk>::default());
        let serving = Mutex::new(Self::serve(listener, &desk));
        Self { address, desk, serving }
    }

    fn serve(listener: TcpListener, desk: &Arc<Desk>) -> AbortHandle {
        let routes = Router::new().route("/hook", post(receive)).with_state(Arc::clone(desk));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() }).abort_handle()
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/hook", self.address.port())
    }

    /// It goes away: connections are refused.
    fn go(&self) {
        self.serving.lock().unwrap().abort();
    }

    async fn come_back(&self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        *self.serving.lock().unwrap() = Self::serve(listener, &self.desk);
    }

    fn plan(&self, plans: &[Plan]) {
        self.desk.plans.lock().unwrap().extend(plans.iter().cloned());
    }

    /// The first so many requests, when they have arrived.
    async fn calls(&self, count: usize) -> Vec<Call> {
        let calls = || self.desk.calls.lock().unwrap().clone();
        let arrived = async {
            while calls().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, arrived).await.is_ok(), "{:?}", calls());
        calls()
    }
}

/// A server that may send to the receiver under these names.
async fn serve(receiver: &Receiver, networks: &str) -> Serve {
    let port = receiver.address.port();
    let mut serve = Serve::prepare()
        .await
        .with("WEBHOOK_ALLOWED_HOSTS", &format!("http://127.0.0.1:{port}, http://localhost:{port}"))
        .with("WEBHOOK_ALLOWED_NETWORKS", networks)
        .with("WEBHOOK_LINK", "https://portal.example/open/{id}");
    serve.run().await;
    serve
}

/// Has the notifications of somebody sent there; the secret.
async fn set(who: &Session, url: &str) -> String {
    let set = "mutation($u: String!) { setWebhook(input: { url: $u }) { secret } }";
    who.ask(set, json!({ "u": url })).await["setWebhook"]["secret"].as_str().unwrap().to_owned()
}

async fn test(who: &Session) {
    who.ask("mutation { testWebhook(input: {}) { webhook { host } } }", json!({})).await;
}

/// What is said of the webhook, once `holds` is true of it.
async fn state(who: &Session, holds: impl Fn(&Value) -> bool) -> Value {
    let query = "{ viewer { settings { webhook { failures lastError lastDeliveredAt disabledAt } } } }";
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let webhook = who.ask(query, json!({})).await["viewer"]["settings"]["webhook"].clone();
        if holds(&webhook) {
            return webhook;
        }
        assert!(tokio::time::Instant::now() < end, "{webhook}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn error_after(who: &Session, failures: i64) -> String {
    state(who, |webhook| webhook["failures"] == failures).await["lastError"].as_str().unwrap().to_owned()
}

/// Ben becomes a member of vision, and has these roles after each other.
async fn tell_ben(admin: &Session, roles: &[&str]) {
    let group = admin.ask("{ groups(filter: { names: [\"vision\"] }) { nodes { id } } }", json!({})).await;
    let add = "mutation($g: ID!) { addGroupMembers(input: { groupId: $g, usernames: [\"ben\"] }) { results { membership { id } } } }";
    let added = admin.ask(add, json!({ "g": group["groups"]["nodes"][0]["id"] })).await;
    let membership = &added["addGroupMembers"]["results"][0]["membership"]["id"];
    let set = "mutation($m: ID!, $r: GroupRole!) { setGroupRole(input: { membershipId: $m, role: $r }) { membership { id } } }";
    for role in roles {
        admin.ask(set, json!({ "m": membership, "r": role })).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_is_sent_once_and_signed() {
    let receiver = Receiver::open().await;
    let serve = serve(&receiver, "127.0.0.1").await;
    let (admin, ben) = (serve.log_in("admin").await, serve.log_in("ben").await);
    let secret = set(&ben, &receiver.url("localhost")).await;
    tell_ben(&admin, &[]).await;
    let call = receiver.calls(1).await.remove(0);
    assert!(call.is_signed_with(&secret), "{call:?}");
    let sent_at: i64 = call.timestamp.parse().unwrap();
    assert!((chrono::Utc::now().timestamp() - sent_at).abs() < 60, "{call:?}");
    let notification = ben.ask("{ notifications { nodes { id kind createdAt message subjectId } } }", json!({})).await;
    let notification = &notification["notifications"]["nodes"][0];
    let mut body = call.json();
    assert_eq!((&body["id"], &body["id"]), (&notification["id"], &json!(call.id)));
    assert_eq!(body["subjectId"], notification["subjectId"]);
    assert_eq!(body["link"], format!("https://portal.example/open/{}", body["subjectId"].as_str().unwrap()));
    assert_eq!(body["at"].as_str().unwrap()[..19], notification["createdAt"].as_str().unwrap()[..19]);
    for field in ["id", "at", "subjectId", "link"] {
        body[field] = field.into();
    }
    insta::assert_snapshot!(body, @r#"{"id":"id","kind":"ROLE_CHANGED","at":"at","title":"Your role in the group vision is MEMBER now.","subjectId":"subjectId","link":"link"}"#);
    state(&ben, |webhook| webhook["lastDeliveredAt"].is_string()).await;
    // A test comes after it, and nothing in between.
    test(&ben).await;
    let calls = receiver.calls(2).await;
    assert_eq!(calls[1].json()["kind"], "TEST");
    assert!(calls[1].is_signed_with(&secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_the_receiver_is_away_arrives_when_it_is_back_in_order_and_once() {
    let receiver = Receiver::open().await;
    let serve = serve(&receiver, "127.0.0.1").await;
    let (admin, ben) = (serve.log_in("admin").await, serve.log_in("ben").await);
    set(&ben, &receiver.url("127.0.0.1")).await;
    receiver.go();
    tell_ben(&admin, &["MANAGER", "MEMBER"]).await;
    assert_eq!(error_after(&ben, 1).await, "127.0.0.1 cannot be connected to");
    receiver.plan(&[Plan::Answer(503)]);
    receiver.come_back().await;
    let calls = receiver.calls(4).await;
    let ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids[0], ids[1], "the one that was not confirmed is repeated");
    let titles: Vec<String> = calls[1..].iter().map(|call| call.json()["title"].to_string()).collect();
    insta::assert_snapshot!(titles.join("\n"), @r#"
    "Your role in the group vision is MEMBER now."
    "Your role in the group vision is MANAGER now."
    "Your role in the group vision is MEMBER now."
    "#);
    let webhook = state(&ben, |webhook| webhook["failures"] == 0).await;
    assert_eq!(webhook["lastError"], Value::Null);
    // Whatever came twice would come before the test.
    test(&ben).await;
    assert_eq!(receiver.calls(5).await[4].json()["kind"], "TEST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_before_it_notes_a_delivery_repeats_it_with_the_same_id() {
    let receiver = Receiver::open().await;
    let mut serve = serve(&receiver, "127.0.0.1").await;
    let (admin, ben) = (serve.log_in("admin").await, serve.log_in("ben").await);
    let secret = set(&ben, &receiver.url("127.0.0.1")).await;
    receiver.plan(&[Plan::Silence]);
    tell_ben(&admin, &[]).await;
    receiver.calls(1).await;
    serve.kill().await;
    serve.run().await;
    // As if the claim of the dead worker had expired.
    serve.execute("UPDATE webhooks SET claimed_until = now()").await;
    let calls = receiver.calls(2).await;
    assert_eq!((&calls[0].id, &calls[0].body), (&calls[1].id, &calls[1].body));
    assert!(calls.iter().all(|call| call.is_signed_with(&secret)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_receiver_gets_nothing_else_and_keeps_nobody_waiting() {
    let receiver = Receiver::open().await;
    let serve = serve(&receiver, "127.0.0.1").await;
    let ben = serve.log_in("ben").await;
    set(&ben, &receiver.url("127.0.0.1")).await;
    receiver.plan(&[Plan::Redirect("http://169.254.169.254/latest/meta-data/"), Plan::Silence]);
    test(&ben).await;
    assert_eq!(error_after(&ben, 1).await, "the receiver answered 302, and redirects are not followed");
    test(&ben).await;
    assert_eq!(error_after(&ben, 2).await, "127.0.0.1 did not respond within 10 seconds");
    receiver.plan(&[Plan::Flood, Plan::Flood]);
    test(&ben).await;
    let webhook = state(&ben, |webhook| webhook["failures"] == 0).await;
    assert!(webhook["lastDeliveredAt"].is_string(), "a status confirms, whatever follows it");
    // Another one is served while a receiver is silent.
    receiver.plan(&[Plan::Silence]);
    test(&ben).await;
    receiver.calls(6).await;
    let ada = serve.log_in("ada").await;
    set(&ada, &receiver.url("127.0.0.1")).await;
    test(&ada).await;
    state(&ada, |webhook| webhook["lastDeliveredAt"].is_string()).await;
    assert_eq!(state(&ben, |_| true).await["failures"], 0, "Ben's is still waited for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_gone_is_disabled_and_its_user_is_notified() {
    let receiver = Receiver::open().await;
    let serve = serve(&receiver, "127.0.0.1").await;
    let (admin, ben) = (serve.log_in("admin").await, serve.log_in("ben").await);
    set(&ben, &receiver.url("127.0.0.1")).await;
    receiver.plan(&[Plan::Answer(410)]);
    tell_ben(&admin, &["MANAGER"]).await;
    state(&ben, |webhook| webhook["disabledAt"].is_string()).await;
    let notifications = "{ notifications(filter: { kinds: [WEBHOOK_DISABLED] }) { nodes { message } } }";
    let told = ben.ask(notifications, json!({})).await;
    insta::assert_snapshot!(told["notifications"]["nodes"], @r#"[{"message":"Your webhook to 127.0.0.1 was disabled: the receiver answered 410 Gone."}]"#);
    let log = "{ auditLog(filter: { actions: [\"disableWebhook\"] }) { nodes { actor { id } detail } } }";
    let log = admin.ask(log, json!({})).await;
    insta::assert_snapshot!(log["auditLog"]["nodes"], @r#"[{"actor":null,"detail":{"host":"127.0.0.1","error":"the receiver answered 410 Gone","failures":1}}]"#);
    // The same URL again enables it; what waited has been forgotten.
    set(&ben, &receiver.url("127.0.0.1")).await;
    test(&ben).await;
    assert_eq!(receiver.calls(2).await[1].json()["kind"], "TEST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_fails_for_a_day_is_disabled() {
    let receiver = Receiver::open().await;
    let serve = serve(&receiver, "127.0.0.1").await;
    let ben = serve.log_in("ben").await;
    set(&ben, &receiver.url("127.0.0.1")).await;
    receiver.plan(&[Plan::Answer(500)]);
    serve.execute("UPDATE webhooks SET failures = 18, last_error = 'as before'").await;
    test(&ben).await;
    let webhook = state(&ben, |webhook| webhook["disabledAt"].is_string()).await;
    assert_eq!(
        (&webhook["failures"], &webhook["lastError"]),
        (&json!(19), &json!("the receiver answered 500 Internal Server Error"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_host_that_leads_into_a_private_network_is_not_connected_to() {
    let receiver = Receiver::open().await;
    let serve = serve(&receiver, "").await;
    let ben = serve.log_in("ben").await;
    set(&ben, &receiver.url("localhost")).await;
    test(&ben).await;
    assert_eq!(error_after(&ben, 1).await, "localhost has no address that webhooks may be sent to");
    // One that was permitted when it was set.
    serve.execute(&format!("UPDATE webhooks SET url = '{}'", receiver.url("127.0.0.1"))).await;
    test(&ben).await;
    let told = error_after(&ben, 2).await;
    assert!(told.starts_with("the operator of this platform does not allow webhooks to http://127.0.0.1:"), "{told}");
    assert!(receiver.desk.calls.lock().unwrap().is_empty());
}
