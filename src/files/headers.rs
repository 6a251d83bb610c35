//! The headers between a client and a file server: only those that are known pass, in both directions, and what a file can
//! do in a browser is said here.
//!
//! Files are what users have uploaded: HTML or SVG of theirs must not run as a page of this site. The pages of the file server
//! itself must, to upload and delete. The two are told apart by what the server says: it gives every file, and nothing else, a
//! `Content-Disposition`, whatever the path looks like.

use http::request::Parts;
use http::response::Parts as Answer;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::path;
use super::refusal::Refusal;
use super::rewrite::Text;
use super::ticket::Ticket;

/// The headers of a request that a file server gets.
const TO_POD: [&str; 18] = [
    "accept",
    "content-type",
    "content-length",
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "user-agent",
    "depth",
    "overwrite",
    "lock-token",
    "if",
    "timeout",
    "x-update-range",
    "x-expected-entity-length",
    "content-range",
];

/// The headers of an answer that a client gets.
const FROM_POD: [&str; 12] = [
    "content-type",
    "content-length",
    "content-range",
    "content-disposition",
    "accept-ranges",
    "etag",
    "last-modified",
    "dav",
    "lock-token",
    "ms-author-via",
    "date",
    "location",
];

/// Files are shown without scripts, as if they came from nowhere.
const OF_FILES: &str = "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'";

/// The methods of somebody who may read.
const READS: &str = "GET, HEAD, OPTIONS, PROPFIND";
/// The methods of somebody who may write.
const WRITES: &str = "GET, HEAD, OPTIONS, PROPFIND, PUT, PATCH, DELETE, MKCOL, COPY, MOVE, PROPPATCH, LOCK, UNLOCK";

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Read access.
    Read,
    /// Write access.
    Write,
}

/// What a method needs; `None` for one that nobody may use.
pub fn need(method: &Method) -> Option<Need> {
    match method.as_str() {
        "GET" | "HEAD" | "OPTIONS" | "PROPFIND" => Some(Need::Read),
        "PUT" | "PATCH" | "DELETE" | "MKCOL" | "COPY" | "MOVE" | "PROPPATCH" | "LOCK" | "UNLOCK" => Some(Need::Write),
        _ => None,
    }
}

/// The methods of somebody who may write, or only read.
pub const fn methods(writes: bool) -> &'static str {
    if writes { WRITES } else { READS }
}

/// Whose files a request is for.
#[derive(Debug, Clone)]
pub struct Names {
    /// The ticket.
    pub ticket: Ticket,
    /// The 26 characters of the claim, which the file server knows.
    pub claim: String,
    /// The path after the ticket.
    pub rest: String,
    /// The query.
    pub query: Option<String>,
    /// The host that the client asked.
    pub host: Option<Authority>,
    /// Whether the user may write.
    pub writes: bool,
}

/// The host that a client asked.
pub fn host(request: &Parts) -> Option<Authority> {
    // HTTP/2 has it in the target and not in a header.
    let text = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    text.or_else(|| request.uri.authority().map(Authority::as_str))?.parse().ok()
}

impl Names {
    /// The request for the file server: its target and its headers.
    ///
    /// # Errors
    /// The destination of a copy is not in the same session.
    pub fn to_pod(&self, headers: &HeaderMap) -> Result<(Uri, HeaderMap), Refusal> {
        let refused = || Refusal::new(StatusCode::BAD_REQUEST, "the path is not valid");
        let query = self.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("/files/{}{}{query}", self.claim, self.rest).parse().map_err(|_| refused())?;
        let mut passed = HeaderMap::with_capacity(TO_POD.len() + 2);
        for name in TO_POD.map(HeaderName::from_static) {
            if let Some(value) = headers.get(&name) {
                passed.insert(name, value.clone());
            }
        }
        passed.insert(header::HOST, HeaderValue::from_static("files"));
        let destination = HeaderName::from_static("destination");
        if let Some(value) = headers.get(&destination) {
            passed.insert(destination, self.destination(value)?);
        }
        Ok((target, passed))
    }

    /// The destination of a copy or a move, which must be in the same session.
    fn destination(&self, value: &HeaderValue) -> Result<HeaderValue, Refusal> {
        let refused = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
        let elsewhere = || refused("the destination is not in this file session".to_owned());
        let uri: Uri = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(elsewhere)?;
        let (ticket, rest) = Ticket::of_path(uri.path()).ok_or_else(elsewhere)?;
        if ticket != self.ticket || uri.query().is_some() {
            return Err(elsewhere());
        }
        path::check(rest).map_err(|error| refused(error.to_string()))?;
        if path::is_root(rest) {
            return Err(elsewhere());
        }
        HeaderValue::from_str(&format!("/files/{}{rest}", self.claim)).map_err(|_| elsewhere())
    }

    /// What a file server answers with.
    pub fn kind(&self, method: &Method, answer: &Answer) -> Kind {
        let has = |name: HeaderName| answer.headers.contains_key(name);
        let files_have = [header::CONTENT_DISPOSITION, header::ACCEPT_RANGES, header::ETAG, header::LAST_MODIFIED];
        if files_have.into_iter().any(has) {
            return Kind::File;
        }
        let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let reads = method == Method::GET || method == Method::HEAD;
        match essence.as_deref() {
            Some("text/html") if reads && answer.status == StatusCode::OK => Kind::Page,
            Some("application/json") if reads => Kind::Text(Text::Json),
            Some("application/xml" | "text/xml") if !reads => Kind::Text(Text::Xml),
            _ if reads && answer.status == StatusCode::OK && is_asset(&self.rest) => Kind::Asset,
            _ => Kind::Plain,
        }
    }

    /// The headers of an answer for the client. `assets` are those of the page, if it is one.
    pub fn for_client(&self, answer: &Answer, kind: Kind, assets: Option<&Assets>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(FROM_POD.len() + 6);
        for name in FROM_POD.map(HeaderName::from_static) {
            if let Some(value) = answer.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        if let Some(location) = headers.remove(header::LOCATION)
            && let Some(location) = self.location(&location)
        {
            headers.insert(header::LOCATION, location);
        }
        let policy = match kind {
            Kind::Page => HeaderValue::from_str(&self.policy_of_page(assets)),
            Kind::Asset | Kind::File | Kind::Text(_) | Kind::Plain => Ok(HeaderValue::from_static(OF_FILES)),
        };
        // A host is ASCII, and so is the rest.
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.unwrap_or_else(|_| HeaderValue::from_static(OF_FILES)));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
        let caching = match kind {
            // The same for everybody who uses this version of the file server.
            Kind::Asset => "private, max-age=3600",
            Kind::Page | Kind::File | Kind::Text(_) | Kind::Plain => "private, no-store",
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        if answer.headers.contains_key("dav") || answer.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods(self.writes)));
        }
        headers
    }

    /// A redirection within the session.
    fn location(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let rest = value.to_str().ok()?.strip_prefix("/files/")?.strip_prefix(&self.claim)?;
        HeaderValue::from_str(&format!("/files/{}{rest}", self.ticket.as_str())).ok()
    }

    /// A page of the file server runs its own script, and speaks with its own session. Its buttons for a file are attributes
    /// (`onclick`), which its script writes with nothing but the number of the file in them.
    fn policy_of_page(&self, assets: Option<&Assets>) -> String {
        let Some(host) = &self.host else { return OF_FILES.to_owned() };
        let session = format!("{host}{}", self.ticket.path());
        let (script, style) = match assets {
            Some(Assets { folder, script, style }) => {
                (format!("{session}{folder}/{script}"), format!("{session}{folder}/{style}"))
            }
            None => ("'none'".to_owned(), "'none'".to_owned()),
        };
        format!(
            "sandbox allow-scripts allow-same-origin allow-forms allow-downloads allow-modals allow-popups; \
             default-src 'none'; script-src {script}; script-src-attr 'unsafe-inline'; style-src {style}; img-src {session} data:; media-src {session}; \
             connect-src {session}; frame-src {session}; form-action {session}; base-uri 'none'; frame-ancestors 'self'"
        )
    }
}

/// What a file server answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of a user.
    File,
    /// A page of the file server.
    Page,
    /// The script, the style or the icon of its pages.
    Asset,
    /// Another text that contains paths.
    Text(Text),
    /// Anything else.
    Plain,
}

/// What a page of the file server consists of. No file of a user is ever served from this folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    folder: String,
    script: String,
    style: String,
}

impl Assets {
    /// Those of a page of this claim that begins like this. It links to one of them at least; the others are where dufs has them.
    pub fn of(beginning: &[u8], claim: &str) -> Option<Self> {
        let text = String::from_utf8_lossy(beginning);
        let links = || text.split(&format!("=\"/files/{claim}/")).skip(1).collect::<Vec<_>>();
        let folder =
            links().into_iter().filter_map(|link| link.split('/').next()).find(|part| is_assets_folder(part))?;
        let folder = folder.to_owned();
        let named = |end: &str, default: &str| {
            let in_folder =
                |link: &str| Some(link.strip_prefix(&folder)?.strip_prefix('/')?.split('"').next()?.to_owned());
            let mut names = links().into_iter().filter_map(in_folder);
            names.find(|name| is_asset_name(name) && name.ends_with(end)).unwrap_or_else(|| default.to_owned())
        };
        Some(Self { script: named(".js", "index.js"), style: named(".css", "index.css"), folder })
    }
}

/// Whether a path is that of something that pages of the file server consist of.
fn is_asset(rest: &str) -> bool {
    let parts: Vec<&str> = rest.split('/').collect();
    matches!(parts[..], ["", folder, name] if is_assets_folder(folder) && is_asset_name(name))
}

fn is_asset_name(name: &str) -> bool {
    let is_known = |end: &str| name.strip_suffix(end).is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_lowercase()));
    [".js", ".css", ".ico"].into_iter().any(is_known)
}

fn is_assets_folder(name: &str) -> bool {
    let version = name.strip_prefix("__dufs_v").and_then(|rest| rest.strip_suffix("__"));
    version.is_some_and(|version| {
        (1..=32).contains(&version.len())
            && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
    })
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
