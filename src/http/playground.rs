//! The playground: the built page in the binary, served at `/` with everything it needs from this server alone.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use rust_embed::RustEmbed;

use crate::http::endpoint::Endpoint;
use crate::http::service::GraphqlService;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/playground/dist"]
#[allow_missing = true]
struct Dist;

/// Nothing is loaded from elsewhere. Monaco and GraphiQL set inline styles and include small fonts and images in style
/// sheets.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Platform API</title>\
     <h1>The playground is not built into this binary</h1>\
     <p>Run <code>npm ci &amp;&amp; npm run build</code> in <code>playground/</code> and compile again. \
     The API itself is at <code>/graphql</code>.";

/// `/`: the page.
pub(super) async fn index<S: GraphqlService>(State(endpoint): State<Endpoint<S>>, headers: HeaderMap) -> Response {
    if endpoint.service().playground().is_none() {
        return (StatusCode::NOT_FOUND, "the playground is disabled; the API is at /graphql\n").into_response();
    }
    match Dist::get("index.html") {
        Some(file) => asset("index.html", file, &headers),
        None => (StatusCode::OK, Html(NOT_BUILT)).into_response(),
    }
}

/// The page's own files.
pub(super) async fn file<S: GraphqlService>(
    State(endpoint): State<Endpoint<S>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = endpoint.service().playground().and_then(|_| Dist::get(&path));
    match found {
        Some(file) => asset(&path, file, &headers),
        None => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    }
}

/// `/playground/config.json`: the configuration of the page.
pub(super) async fn config<S: GraphqlService>(State(endpoint): State<Endpoint<S>>) -> Response {
    match endpoint.service().playground() {
        Some(config) => ([(header::CACHE_CONTROL, "no-store")], Json(config)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Files in `assets/` have a content hash in their name and never change; the others are revalidated.
fn asset(path: &str, file: rust_embed::EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)) {
        return (StatusCode::NOT_MODIFIED, common, [(header::ETAG, etag)]).into_response();
    }
    let content_type = [(header::ETAG, etag), (header::CONTENT_TYPE, content_type(path).to_owned())];
    (common, content_type, file.data.into_owned()).into_response()
}

/// The media types of the built files.
fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        Some("woff") => "font/woff",
        _ => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
