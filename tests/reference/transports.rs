//! The stock transports: that they work, so that the benchmark is meaningful, and why the server does not use them.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::stage::Stage;
use super::stock::router;

async fn serve(stage: &Stage) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(stage.stock.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("{address}/graphql")
}

/// A socket that has offered these protocols and was acknowledged, and the protocol that the handshake named.
async fn socket(
    address: &str,
    token: &str,
    offered: &str,
) -> (tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>, String) {
    let mut request = format!("ws://{address}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", offered.parse().unwrap());
    let (mut socket, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    socket.send(Message::text(init.to_string())).await.unwrap();
    let heard = socket.next().await.unwrap().unwrap();
    assert!(heard.to_text().unwrap().contains("connection_ack"), "{heard:?}");
    (socket, answer.headers()["sec-websocket-protocol"].to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_over_http_loads_what_its_rows_belong_to() {
    let stage = Stage::new().await;
    let (address, token) = (serve(&stage).await, stage.log_in("ada", "vision-member").await);
    let query = "{ jobs(first: 5) { nodes { name submittedBy { username } project { name group { name } } } } }";
    let request = reqwest::Client::new().post(format!("http://{address}")).bearer_auth(token);
    let answer: Value = request.json(&json!({ "query": query })).send().await.unwrap().json().await.unwrap();
    let jobs = answer["data"]["jobs"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert!(!jobs.is_empty(), "{answer}");
    assert!(jobs.iter().all(|job| job["project"]["group"]["name"] == "vision"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_tells_what_has_happened() {
    let stage = Stage::new().await;
    let (address, token) = (serve(&stage).await, stage.log_in("ada", "vision-member").await);
    let (mut socket, _) = socket(&address, &token, "graphql-transport-ws").await;
    let payload = json!({ "query": r#"subscription { jobEvents(after: "ZTA") { phase job { name } } }"# });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    let heard = socket.next().await.unwrap().unwrap();
    let heard: Value = serde_json::from_str(heard.to_text().unwrap()).unwrap();
    assert!(heard["payload"]["data"]["jobEvents"]["job"]["name"].is_string(), "{heard}");
}

/// The handshake names the first protocol of the server's list, and the socket speaks the first of the client's.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_offers_both_protocols_is_told_one_and_spoken_to_in_the_other() {
    let stage = Stage::new().await;
    let (address, token) = (serve(&stage).await, stage.log_in("ada", "vision-member").await);
    let (mut socket, named) = socket(&address, &token, "graphql-ws, graphql-transport-ws").await;
    assert_eq!(named, "graphql-transport-ws");
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": "{ viewer { username } }" } });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    let heard = socket.next().await.unwrap().unwrap();
    assert!(heard.to_text().unwrap().contains(r#""type":"data""#), "{heard:?}");
}
