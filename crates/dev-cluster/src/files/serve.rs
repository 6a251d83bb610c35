//! The file server in this process: WebDAV on a folder, and a page for browsers. It obeys the flags as `dufs` does.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use dav_server::DavHandler;
use dav_server::davpath::DavPath;
use http::{Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::tree::Tree;
use super::{Flags, IN_FLIGHT, page};

/// Where `dufs` says that it lives.
const HEALTH: &str = "__dufs__/health";

/// A server in this process.
#[derive(Debug)]
pub(super) struct Inside {
    router: Router,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Served {
    flags: Flags,
    tree: Tree,
    dav: DavHandler,
}

impl Inside {
    /// Opens the folder; connections end with `stop`.
    pub(super) fn open(flags: &Flags, folder: &Path, tasks: TaskTracker, stop: CancellationToken) -> io::Result<Self> {
        let tree = Tree::open(folder)?;
        let dav = DavHandler::builder().filesystem(Box::new(tree.clone())).strip_prefix(&flags.prefix).build_handler();
        let served = Served { flags: flags.clone(), tree, dav };
        Ok(Self { router: Router::new().fallback(answer).with_state(Arc::new(served)), tasks, stop })
    }

    pub(super) fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(IN_FLIGHT);
        let service = TowerToHyperService::new(self.router.clone());
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(ours), service);
            if let Some(Err(error)) = stop.run_until_cancelled(connection).await {
                tracing::trace!(%error, "file server: connection");
            }
        });
        theirs
    }
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let below = match path.strip_prefix(&served.flags.prefix) {
        Some("") if !served.flags.prefix.is_empty() => return Redirect::temporary(&format!("{path}/")).into_response(),
        Some(below) if below.starts_with('/') => below,
        _ => return (StatusCode::BAD_REQUEST, "Invalid Path").into_response(),
    };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && let Some(own) = own(below.trim_start_matches('/')) {
        return own;
    }
    // It resolves `..` and refuses to leave the root.
    let Ok(target) = DavPath::new(below) else { return (StatusCode::BAD_REQUEST, "Invalid Path").into_response() };
    if !served.allows(request.method(), &target).await {
        return (StatusCode::FORBIDDEN, "Forbidden").into_response();
    }
    if reads && served.tree.meta(&target).await.is_ok_and(|meta| meta.is_folder) {
        if !below.ends_with('/') {
            return Redirect::temporary(&format!("{path}/")).into_response();
        }
        return match served.tree.entries(&target).await {
            Ok(entries) => {
                let shown = percent_decode_str(below).decode_utf8_lossy();
                Html(page::render(&served.flags, &shown, entries)).into_response()
            }
            Err(_) => StatusCode::NOT_FOUND.into_response(),
        };
    }
    served.dav.handle(request).await.map(Body::new)
}

/// The page's own files, and the sign of life.
fn own(path: &str) -> Option<Response> {
    let text = |media_type: &'static str, text: &'static str| {
        Some(([(header::CONTENT_TYPE, media_type)], text).into_response())
    };
    match path.strip_prefix(page::ASSETS) {
        Some("/page.css") => text("text/css; charset=utf-8", page::STYLE),
        Some("/page.js") => text("text/javascript; charset=utf-8", page::SCRIPT),
        Some(_) | None if path == HEALTH => text("application/json", r#"{"status":"OK"}"#),
        Some(_) | None => None,
    }
}

impl Served {
    async fn allows(&self, method: &Method, target: &DavPath) -> bool {
        match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "PROPFIND" => true,
            "PUT" => {
                let overwrites = self.tree.meta(target).await.is_ok_and(|meta| meta.is_folder || meta.size > 0);
                self.flags.upload && (self.flags.delete || !overwrites)
            }
            "MKCOL" | "COPY" => self.flags.upload,
            "DELETE" => self.flags.delete,
            "MOVE" | "PATCH" => self.flags.upload && self.flags.delete,
            _ => false,
        }
    }
}
