//! The stock server's transports.

use async_graphql::http::ALL_WEBSOCKET_PROTOCOLS;
use async_graphql::{Data, Executor as _};
use async_graphql_axum::{GraphQLProtocol, GraphQLRequest, GraphQLResponse, GraphQLWebSocket};
use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, header};
use serde_json::Value;

use super::Stock;
use super::executor::refused;

/// The GraphQL endpoint at `/graphql`.
pub fn router(stock: Stock) -> Router {
    Router::new().route("/graphql", post(query).get(socket)).with_state(stock)
}

async fn query(State(stock): State<Stock>, headers: HeaderMap, request: GraphQLRequest) -> GraphQLResponse {
    let credentials = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match stock.authenticate(credentials).await {
        Ok(caller) => stock.executor(Some(caller)).execute(request.into_inner()).await.into(),
        Err(error) => refused(error).into(),
    }
}

async fn socket(State(stock): State<Stock>, protocol: GraphQLProtocol, upgrade: WebSocketUpgrade) -> Response {
    let served = move |stream| {
        let executor = stock.executor(None);
        let on_init = move |payload: Value| async move {
            let caller = stock.authenticate(payload["authorization"].as_str()).await?;
            let mut data = Data::default();
            data.insert(caller);
            Ok(data)
        };
        GraphQLWebSocket::new(stream, executor, protocol).on_connection_init(on_init).serve()
    };
    upgrade.protocols(ALL_WEBSOCKET_PROTOCOLS).on_upgrade(served)
}
