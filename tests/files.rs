//! The files of claims: who gets past the proxy, the pods behind it, and what is left when the server is killed or the cluster
//! is away.

mod transfers;

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{Api, ResourceExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::serve::{Serve, eventually};
use crate::support::session::{Session, http_client};

const OPEN: &str = "mutation($id: ID!) { openFiles(input: { claimId: $id }) { fileSession { id url } } }";
const CLOSE: &str = "mutation($id: ID!) { closeFiles(input: { id: $id }) { fileSessionId } }";
const SESSION: &str = "query($id: ID!) { node(id: $id) { ... on FileSession { phase message access } } }";

/// Files that somebody has opened in a browser.
pub struct Files {
    /// The server.
    pub server: String,
    /// The path of the session.
    pub path: String,
    pub cookie: String,
    pub id: Value,
}

impl Files {
    pub async fn open(graphql_url: &str, token: &str, claim: &Value) -> Self {
        let body = json!({ "query": OPEN, "variables": { "id": claim } });
        let answer = http_client().post(graphql_url).bearer_auth(token).json(&body).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.ends_with("; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
        let mut answer: Value = answer.json().await.unwrap();
        let session = answer["data"]["openFiles"]["fileSession"].take();
        let path = session["url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        assert!(cookie.contains(&format!("; Path={path}; ")), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { server: graphql_url.trim_end_matches("/graphql").to_owned(), path, cookie, id: session["id"].clone() }
    }

    /// A request of a page in the browser. It does not wait for the pod.
    pub fn ask(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.bare(method, path).header("cookie", &self.cookie).header("origin", &self.server)
    }

    /// The same, and it waits for the pod.
    pub fn wait(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.plain(method, path).header("cookie", &self.cookie).header("origin", &self.server)
    }

    /// A request without anything that proves who sent it.
    pub fn bare(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.plain(method, path).header("prefer", "wait=0")
    }

    fn plain(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        http_client().request(method, format!("{}{}{path}", self.server, self.path))
    }

    /// The status of a path that no client library would send like this.
    pub async fn status_of(&self, path: &str) -> u16 {
        let host = self.server.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!(
            "GET {}{path} HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\nprefer: wait=0\r\nconnection: close\r\n\r\n",
            self.path, self.cookie
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// The status and the text of an answer.
pub async fn told(request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    format!("{status} {}", answer.text().await.unwrap().trim_end())
}

/// A claim of the project `detection` that members may read; its ID.
async fn claim(maya: &Session) -> Value {
    let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id } } }";
    let input = json!({ "projectId": maya.project().await, "name": "data", "size": "1Gi", "storageClass": "fast", "defaultAccess": "READ" });
    maya.ask(create, json!({ "i": input })).await["createPvc"]["pvc"]["id"].clone()
}

async fn serve() -> Serve {
    let serve = Serve::prepare().await;
    let class = json!({ "metadata": { "name": "fast" }, "provisioner": "test" });
    let classes = Api::<k8s_openapi::api::storage::v1::StorageClass>::all(serve.client());
    classes.create(&kube::api::PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    serve
}

async fn open(who: &Session, claim: &Value) -> Files {
    Files::open(&who.graphql_url, &who.token, claim).await
}

async fn grant(maya: &Session, claim: &Value, username: &str, access: &str) {
    let permit = "mutation($i: SetStoragePermissionsInput!) { setStoragePermissions(input: $i) { results { error } } }";
    let input = json!({ "pvcId": claim, "permissions": [{ "username": username, "access": access }] });
    let answer = maya.ask(permit, json!({ "i": input })).await;
    assert!(answer["setStoragePermissions"]["results"][0]["error"].is_null(), "{answer}");
}

/// The session, once it is as expected.
async fn session_until(who: &Session, id: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let asked = async {
        loop {
            let session = who.ask(SESSION, json!({ "id": id })).await["node"].take();
            if is_so(&session) {
                return session;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect("the session is as expected in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_alone_opens_nothing_and_a_session_of_somebody_else_is_like_none() {
    let mut serve = serve().await;
    serve.run().await;
    let (maya, ada) = (serve.log_in("maya").await, serve.log_in("ada").await);
    let claim = claim(&maya).await;
    let (files, others) = (open(&ada, &claim).await, open(&maya, &claim).await);

    // A script is asked for a password, and somebody who follows a link is not.
    let answer = files.bare("GET", "").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    insta::assert_snapshot!(answer.headers()["www-authenticate"].to_str().unwrap(), @r#"Basic realm="platform files", charset="UTF-8""#);
    let answer = files.bare("GET", "").header("sec-fetch-mode", "navigate").send().await.unwrap();
    assert!(answer.status() == 401 && !answer.headers().contains_key("www-authenticate"));

    // A session of somebody else, with any proof, and one that does not exist.
    let unknown = Files {
        path: "/files/01h455vb4pex5vsknk084sn02q/".to_owned(),
        cookie: files.cookie.clone(),
        id: Value::Null,
        server: files.server.clone(),
    };
    let gone = "404 There is no such file session, or it has ended; open the files again.";
    for request in [
        others.bare("GET", "").header("cookie", &files.cookie),
        others.bare("GET", "").bearer_auth(&ada.token),
        others.bare("GET", "").basic_auth("maya", Some(&ada.token)),
        unknown.ask("GET", ""),
        unknown.bare("GET", "").bearer_auth(&ada.token),
    ] {
        assert_eq!(told(request).await, gone);
    }
    let another = serve.log_in("ada").await;
    assert_eq!(told(files.bare("GET", "").bearer_auth(&another.token)).await, gone, "another session of the same user");
    let told_of_token = told(files.bare("GET", "").bearer_auth("nonsense")).await;
    assert!(told_of_token.starts_with("401 "), "{told_of_token}");

    // The browser that opened it, the session's own token, and that as a password: they wait for the pod.
    for request in [
        files.ask("GET", ""),
        files.bare("GET", "").bearer_auth(&ada.token),
        files.bare("PROPFIND", "").basic_auth("ada", Some(&ada.token)),
    ] {
        let answer = request.send().await.unwrap();
        assert!(answer.status() == 503 && answer.headers().contains_key("retry-after"), "{answer:?}");
    }

    // The folder of the session.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(format!("{}{}", files.server, files.path.trim_end_matches('/'))).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (308, &*files.path));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_methods_and_pages_that_have_no_business_here_are_refused_before_the_pod() {
    let mut serve = serve().await;
    serve.run().await;
    let (maya, ada) = (serve.log_in("maya").await, serve.log_in("ada").await);
    let claim = claim(&maya).await;
    grant(&maya, &claim, "maya", "WRITE").await;
    let (reader, writer) = (open(&ada, &claim).await, open(&maya, &claim).await);

    for path in [
        "..",
        "../x",
        "a/../../x",
        "%2e%2e/x",
        "%252e%252e/x",
        "a%2f..%2fx",
        "..%5cx",
        "a%00b",
        "%c0%ae%c0%ae/x",
        "%zz",
    ] {
        assert_eq!(writer.status_of(path).await, 400, "{path}");
    }
    assert_eq!(writer.status_of("a/b%20c..").await, 503, "an ordinary path waits for the pod");

    let answer = writer.ask("TRACE", "").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    insta::assert_snapshot!(answer.headers()["allow"].to_str().unwrap(), @"GET, HEAD, OPTIONS, PROPFIND, PUT, PATCH, DELETE, MKCOL, COPY, MOVE, PROPPATCH, LOCK, UNLOCK");
    for method in ["PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PATCH", "PROPPATCH", "LOCK"] {
        let answer = reader.ask(method, "a").send().await.unwrap();
        assert_eq!(answer.status(), 403, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS, PROPFIND");
    }
    assert_eq!(told(reader.ask("PUT", "a").body("x")).await, "403 You can only read this storage claim.");
    assert_eq!(told(writer.ask("DELETE", "")).await, "403 This is the volume itself; delete or move what is in it.");

    // A cookie counts for changes only if the browser says that a page of this server sent them.
    let put = || writer.bare("PUT", "a").header("cookie", &writer.cookie).body("x");
    for (name, value) in
        [("x-none", ""), ("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "same-site")]
    {
        let answer = told(put().header(name, value)).await;
        assert!(answer.starts_with("403 A page of another site sent this"), "{name} {value}: {answer}");
    }
    assert_eq!(put().header("sec-fetch-site", "same-origin").send().await.unwrap().status(), 503);
    let elsewhere = writer.ask("MOVE", "a").header("destination", &reader.path);
    assert_eq!(elsewhere.send().await.unwrap().status(), 503, "it is not looked at before the pod is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_when_it_is_closed_not_used_expired_or_its_credential_ends() {
    let mut serve = serve().await;
    serve.run().await;
    let (maya, ada) = (serve.log_in("maya").await, serve.log_in("ada").await);
    let claim = claim(&maya).await;
    let status = async |files: &Files| files.ask("GET", "").send().await.unwrap().status().as_u16();

    let closed = open(&ada, &claim).await;
    assert_eq!(status(&closed).await, 503);
    ada.ask(CLOSE, json!({ "id": closed.id })).await;
    assert_eq!(status(&closed).await, 404);

    let idle = open(&ada, &claim).await;
    serve.execute("UPDATE file_sessions SET last_used_at = now() - interval '1 hour'").await;
    eventually("the idle session has ended", async || status(&idle).await == 404).await;

    let expired = open(&ada, &claim).await;
    serve.execute("UPDATE file_sessions SET expires_at = now()").await;
    eventually("the expired session has ended", async || status(&expired).await == 404).await;

    let lost = open(&ada, &claim).await;
    assert_eq!(status(&lost).await, 503);
    grant(&maya, &claim, "ada", "NONE").await;
    assert_eq!(told(lost.ask("GET", "")).await, "403 You no longer have access to this storage claim.");
    grant(&maya, &claim, "ada", "READ").await;
    assert_eq!(status(&lost).await, 503);
    ada.ask("mutation { logout { __typename } }", json!({})).await;
    assert_eq!(status(&lost).await, 404);

    // An API token that is revoked.
    let create = "mutation { createApiToken(input: { name: \"files\", scope: SUBMIT, expiresInDays: 1 }) { secret apiToken { id } } }";
    let created = maya.ask(create, json!({})).await["createApiToken"].take();
    let secret = created["secret"].as_str().unwrap();
    let files = Files::open(&maya.graphql_url, secret, &claim).await;
    assert_eq!(files.bare("GET", "").basic_auth("any", Some(secret)).send().await.unwrap().status(), 503);
    assert_eq!(files.bare("GET", "").bearer_auth(&maya.token).send().await.unwrap().status(), 404);
    let revoke = "mutation($id: ID!) { revokeApiToken(input: { id: $id }) { __typename } }";
    maya.ask(revoke, json!({ "id": created["apiToken"]["id"] })).await;
    assert_eq!(status(&files).await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pod_comes_with_the_first_session_and_goes_with_the_last_although_the_server_is_killed() {
    let mut serve = serve().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let claim = claim(&maya).await;
    let namespace = maya.project().await.replace("project_", "proj-");
    let name = claim.as_str().unwrap().replace("pvc_", "files-");
    let pods = Api::<Pod>::namespaced(serve.client(), &namespace);
    let is_there = async || pods.get_opt(&name).await.unwrap().is_some();

    let first = open(&maya, &claim).await;
    serve.kill().await;
    serve.run().await;
    eventually("the pod is there", is_there).await;
    let maya = serve.log_in("maya").await;
    let pod = pods.get(&name).await.unwrap();
    assert_eq!(pod.labels().get("platform.pvc-id"), Some(&claim.as_str().unwrap().to_owned()));
    let policies = Api::<NetworkPolicy>::namespaced(serve.client(), &namespace);
    let spec = async |name: &str| serde_json::to_value(policies.get(name).await.unwrap().spec).unwrap();
    insta::assert_snapshot!(spec("files").await, @r#"{"podSelector":{"matchExpressions":[{"key":"platform.files","operator":"Exists"}]},"policyTypes":["Ingress","Egress"]}"#);
    insta::assert_snapshot!(spec("default-deny-ingress").await["podSelector"], @r#"{"matchExpressions":[{"key":"platform.files","operator":"DoesNotExist"}]}"#);

    // A pod that somebody deletes comes back, as long as there is a session.
    let uid = pod.uid();
    pods.delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    serve.execute("UPDATE file_pods SET next_attempt_at = now()").await;
    eventually("another pod is there", async || pods.get_opt(&name).await.unwrap().is_some_and(|pod| pod.uid() != uid))
        .await;

    let second = open(&maya, &claim).await;
    maya.ask(CLOSE, json!({ "id": first.id })).await;
    assert!(is_there().await);
    maya.ask(CLOSE, json!({ "id": second.id })).await;
    serve.kill().await;
    serve.run().await;
    eventually("the pod is gone", async || !is_there().await).await;

    // Sessions that nobody uses, and a claim that is deleted.
    let maya = serve.log_in("maya").await;
    open(&maya, &claim).await;
    eventually("the pod is there again", is_there).await;
    serve.execute("UPDATE file_sessions SET last_used_at = now() - interval '1 hour'").await;
    eventually("the idle pod is gone", async || !is_there().await).await;
    open(&maya, &claim).await;
    eventually("the pod is there once more", is_there).await;
    let delete = "mutation($id: ID!) { deletePvc(input: { id: $id, confirmName: \"data\" }) { pvcId } }";
    maya.ask(delete, json!({ "id": claim })).await;
    eventually("the pod of the deleted claim is gone", async || !is_there().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_cluster_away_at_each_step_the_pod_comes_later_and_goes_later() {
    let mut serve = serve().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let claim = claim(&maya).await;
    let namespace = maya.project().await.replace("project_", "proj-");
    let name = claim.as_str().unwrap().replace("pvc_", "files-");
    let pods = Api::<Pod>::namespaced(serve.client(), &namespace);
    let is_there = async || pods.get_opt(&name).await.unwrap().is_some();

    serve.cluster_proxy.cut();
    let files = open(&maya, &claim).await;
    let away = session_until(&maya, &files.id, |session| !session["message"].is_null()).await;
    insta::assert_snapshot!(away, @r#"{"phase":"STARTING","message":"The cluster does not answer; the platform tries again.","access":"READ"}"#);
    assert_eq!(told(files.ask("GET", "")).await, "503 The cluster does not answer; the platform tries again.");
    serve.cluster_proxy.restore();
    eventually("the pod is there", is_there).await;

    // It runs, and the way to it does not work: there is no kubelet.
    let container = |name: &str| json!({ "name": name, "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": { "running": {} } });
    let containers = ["read", "write"].map(container);
    let running = json!({ "status": { "phase": "Running", "containerStatuses": containers } });
    let patch = kube::api::Patch::Merge(running);
    pods.patch_status(&name, &kube::api::PatchParams::default(), &patch).await.unwrap();
    let unreached = |session: &Value| {
        session["message"].as_str().unwrap_or_default().starts_with("The file server does not answer")
    };
    session_until(&maya, &files.id, unreached).await;

    // It is ready, as far as the platform knows, and the cluster is away.
    serve.execute("UPDATE file_pods SET phase = 'READY', next_attempt_at = now() + interval '1 hour'").await;
    serve.cluster_proxy.cut();
    assert_eq!(told(files.ask("GET", "")).await, "503 The cluster does not answer; try again in a moment.");
    maya.ask(CLOSE, json!({ "id": files.id })).await;
    serve.cluster_proxy.restore();
    eventually("the pod is gone", async || !is_there().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cluster_says_against_the_pod_is_told() {
    let mut serve = serve().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let claim = claim(&maya).await;
    let namespace = maya.project().await.replace("project_", "proj-");
    eventually("the namespace is there", async || {
        Api::<k8s_openapi::api::core::v1::Namespace>::all(serve.client()).get_opt(&namespace).await.unwrap().is_some()
    })
    .await;
    let name = claim.as_str().unwrap().replace("pvc_", "files-");
    let pods = Api::<Pod>::namespaced(serve.client(), &namespace);
    let other =
        json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "main", "image": "busybox" }] } });
    pods.create(&kube::api::PostParams::default(), &serde_json::from_value(other).unwrap()).await.unwrap();
    let files = open(&maya, &claim).await;
    let failed = session_until(&maya, &files.id, |session| session["phase"] == "FAILED").await;
    let message = failed["message"].as_str().unwrap().replace(&name, "NAME");
    insta::assert_snapshot!(message, @"The cluster rejects the pod: a pod named NAME exists that is not the platform's.");
    assert!(told(files.ask("GET", "")).await.starts_with("502 The cluster rejects the pod"));
    // It is not the platform's, so it stays.
    maya.ask(CLOSE, json!({ "id": files.id })).await;
    eventually("the row is gone", async || {
        let session = maya.ask(SESSION, json!({ "id": files.id })).await;
        session["node"].is_null()
    })
    .await;
    assert!(pods.get_opt(&name).await.unwrap().is_some());
}
