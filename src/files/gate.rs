//! Who may pass: whether a request proves to come from whoever opened the session, and what they may do right now.
//!
//! What was looked up less than a second ago is not looked up again, unless this replica has heard since of a changed right,
//! an ended session or another grant of a claim, which the database tells every replica at the commit. Transfers that go on
//! hear of the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use super::headers::{Need, host, methods, need};
use super::model::{self, FileSession};
use super::refusal::Refusal;
use super::ticket::{CookieSecret, SecretHash, Ticket};
use super::types::access;
use crate::auth::Authenticator;
use crate::auth::policy::{self, StorageAccess};
use crate::auth::principal::{Caller, Principal};
use crate::auth::revocations::{Notices, of_claim, of_file_session};
use crate::db::Db;
use crate::error::{ApiError, Code};
use crate::events::Revision;
use crate::storage::model::permissions;
use crate::storage::model::{self as storage, Claim};

/// How long a lookup is valid. Notifications arrive within milliseconds, so this only limits what can happen while they do not.
const LIFE: Duration = Duration::from_secs(1);
/// The number of sessions that are remembered.
const MOST: usize = 10_000;
/// The number of transfers that a session can have at a time.
const TRANSFERS: usize = 32;
/// How often the use of a session is noted.
const TOUCH: Duration = Duration::from_secs(30);

/// The gate of a server. Clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    db: Db,
    authenticator: Authenticator,
    idle: Duration,
    known: Cache<SecretHash, Arc<Known>>,
}

/// What this replica knows of a session.
#[derive(Debug)]
pub struct Known {
    ticket: SecretHash,
    look: Mutex<Option<Look>>,
    touched: Mutex<Option<Instant>>,
    transfers: Arc<Semaphore>,
    /// Whether its pod was ready when it was used last.
    ready: AtomicBool,
}

/// A session as it was looked up.
#[derive(Debug, Clone)]
pub struct Look {
    /// The session.
    pub session: Arc<FileSession>,
    /// Its claim.
    pub claim: Arc<Claim>,
    /// What the user may do.
    pub access: StorageAccess,
    principal: Arc<Principal>,
    began: Instant,
    /// The revision that this replica had been notified of when the lookup started.
    revision: Revision,
}

/// A request that may pass.
#[derive(Debug)]
pub struct Admitted {
    /// What this replica knows of its session.
    pub known: Arc<Known>,
    /// The session.
    pub look: Look,
    /// What its method needs.
    pub need: Need,
}

/// What a request proves itself with.
enum Proof {
    Cookie(SecretHash),
    Authorization(String),
}

impl Known {
    fn new(ticket: SecretHash) -> Self {
        let transfers = Arc::new(Semaphore::new(TRANSFERS));
        Self { ticket, look: Mutex::default(), touched: Mutex::default(), transfers, ready: AtomicBool::new(false) }
    }

    /// A place among the transfers of the session.
    ///
    /// # Errors
    /// There are too many.
    pub fn begin_transfer(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.transfers).try_acquire_owned().map_err(|_| {
            let message = format!("the file session has {TRANSFERS} transfers at a time, which is the maximum");
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, message).again_in(1)
        })
    }

    /// Whether the pod was ready.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Notes whether the pod is ready.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}

impl Gate {
    /// The gate to the sessions in `db`, which end when they are not used for as long as `idle`.
    pub fn new(db: Db, authenticator: Authenticator, idle: Duration) -> Self {
        Self(Arc::new(Inner { db, authenticator, idle, known: Cache::new(MOST) }))
    }

    /// Whether a request may pass.
    ///
    /// # Errors
    /// Why not. Sessions of others are the same as none.
    pub async fn admit(&self, ticket: &Ticket, request: &Parts) -> Result<Admitted, Refusal> {
        let proof = proof(&request.headers)?;
        let hash = ticket.hash();
        let known = self.0.known.get(&hash).unwrap_or_else(|| Arc::new(Known::new(hash)));
        // Asked before the session is, so that what is wrong with a token tells nothing of the session.
        let caller = match &proof {
            Proof::Cookie(_) => None,
            Proof::Authorization(text) => Some(self.0.authenticator.authenticate(Some(text)).await?),
        };
        let look = self.look(&known).await?.ok_or_else(Refusal::unknown)?;
        let is_theirs = match (&proof, &caller) {
            (Proof::Cookie(secret), _) => look.session.cookie_hash == secret[..],
            (_, Some(Caller::Known(principal))) => Some(principal.credential.id()) == look.session.credential(),
            (_, _) => false,
        };
        if !is_theirs {
            return Err(Refusal::unknown());
        }
        self.0.known.insert(hash, Arc::clone(&known));
        let writes = look.access == StorageAccess::Write;
        let Some(need) = need(&request.method) else {
            let message = format!("the method {} is not supported here", request.method);
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).allowing(methods(writes)));
        };
        if need == Need::Write && matches!(proof, Proof::Cookie(_)) && !is_own_page(request) {
            let message = "a page of another site sent this; changes need the header Origin or Sec-Fetch-Site of a page \
                           of this server, or an access token";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        match (need, look.access) {
            (_, StorageAccess::None) => {
                Err(Refusal::new(StatusCode::FORBIDDEN, "you no longer have access to this storage claim"))
            }
            (Need::Write, StorageAccess::Read) => {
                let message = "you can only read this storage claim";
                Err(Refusal::new(StatusCode::FORBIDDEN, message).allowing(methods(false)))
            }
            (Need::Read, StorageAccess::Read) | (_, StorageAccess::Write) => {
                self.touch(&known, &look).await;
                Ok(Admitted { known, look, need })
            }
        }
    }

    /// Resolves with the reason when what a request needs is no longer given.
    pub async fn ended(self, known: Arc<Known>, need: Need) -> &'static str {
        let mut notices = Notices::subscribe(self.0.authenticator.bus());
        loop {
            // Looked up after subscribing, so nothing that happens in between is missed.
            let look = match self.look(&known).await {
                Ok(Some(look)) => look,
                Ok(None) => return "the file session has ended",
                // An unavailable database ends nothing.
                Err(_) => {
                    tokio::time::sleep(LIFE).await;
                    continue;
                }
            };
            match (need, look.access) {
                (_, StorageAccess::None) => return "you no longer have access to this storage claim",
                (Need::Write, StorageAccess::Read) => return "you no longer have write access to this storage claim",
                (Need::Read, StorageAccess::Read) | (_, StorageAccess::Write) => {}
            }
            self.touch(&known, &look).await;
            let also = [of_claim(look.claim.id), of_file_session(look.session.id)];
            let left = (look.session.expires_at - chrono::Utc::now()).to_std().unwrap_or_default();
            tokio::select! {
                notice = notices.about_also(&look.principal, &also) => if notice.is_none() {
                    // The server stops, and so does the transfer.
                    return std::future::pending().await;
                },
                () = tokio::time::sleep(left.clamp(LIFE, TOUCH)) => {}
            }
        }
    }

    /// The session, with what its user may do; `None` if it has ended.
    async fn look(&self, known: &Known) -> Result<Option<Look>, ApiError> {
        let Inner { db, authenticator, idle, .. } = &*self.0;
        let (revision, began) = (authenticator.bus().revision(), Instant::now());
        let is_fresh = |look: &Look| look.revision == revision && began.duration_since(look.began) < LIFE;
        let last = known.look.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(look) = last.filter(is_fresh) {
            return Ok(Some(look));
        }
        let (session, claim, granted) = {
            let mut conn = db.connection().await?;
            let Some(session) = model::by_ticket(&mut conn, &known.ticket, *idle).await? else { return Ok(None) };
            let Some(claim) = storage::find(&mut conn, &[session.claim_id]).await?.pop() else { return Ok(None) };
            let granted = match claim.user_id {
                // A drive grants nothing to others.
                Some(_) => Vec::new(),
                None => permissions::accesses(&mut conn, &[(claim.id, session.user_id)]).await?,
            };
            (session, claim, granted.first().map(|(_, access)| *access).unwrap_or_default())
        };
        let Some(credential) = session.credential() else { return Ok(None) };
        let caller = match authenticator.holder(session.user_id, credential).await {
            Ok(caller) => caller,
            Err(error) if error.code == Code::Unauthenticated => return Ok(None),
            Err(error) => return Err(error),
        };
        let Caller::Known(principal) = &caller else { return Ok(None) };
        let scope = claim.scope(granted);
        let access = access(&claim, |action| policy::check(&caller, action, scope).is_ok());
        let principal = Arc::clone(principal);
        let (session, claim) = (Arc::new(session), Arc::new(claim));
        let look = Look { session, claim, access, principal, began, revision };
        *known.look.lock().unwrap_or_else(PoisonError::into_inner) = Some(look.clone());
        Ok(Some(look))
    }

    /// Notes the use of a session, unless that was done a moment ago.
    async fn touch(&self, known: &Known, look: &Look) {
        {
            let mut touched = known.touched.lock().unwrap_or_else(PoisonError::into_inner);
            // A short idle time needs shorter notes.
            if touched.is_some_and(|touched| touched.elapsed() < TOUCH.min(self.0.idle / 4)) {
                return;
            }
            *touched = Some(Instant::now());
        }
        let noted =
            async { Ok::<_, ApiError>(model::touch(&mut *self.0.db.connection().await?, look.session.id).await?) };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the use of a file session could not be noted");
        }
    }
}

/// What a request proves itself with. WebDAV clients only know user names and passwords: the password is the token.
fn proof(headers: &HeaderMap) -> Result<Proof, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let authorization = match (values.next(), values.next()) {
        (Some(_), Some(_)) => {
            let message = "there is more than one Authorization header";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        }
        (value, _) => value,
    };
    let Some(authorization) = authorization else {
        let cookie = CookieSecret::of(headers).map(|secret| Proof::Cookie(secret.hash()));
        return cookie.ok_or_else(|| {
            Refusal::unproven(
                "open the files in this browser, or send the access token or the API token that they were opened with: \
                 as a bearer token, or as the password",
            )
        });
    };
    let text = authorization.to_str().unwrap_or_default();
    let basic = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let Some((_, encoded)) = basic else { return Ok(Proof::Authorization(text.to_owned())) };
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        Some((_, password)) => Ok(Proof::Authorization(format!("Bearer {password}"))),
        None => Err(Refusal::unproven("the Authorization header is not valid")),
    }
}

/// Whether the browser says that a page of this server sent the request. One that says nothing is no browser, and has a token
/// to send.
fn is_own_page(request: &Parts) -> bool {
    let text = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text("origin").and_then(|origin| origin.split_once("://"));
    match (origin, host(request)) {
        (Some((_, authority)), Some(host)) => authority.eq_ignore_ascii_case(host.as_str()),
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::put("/x"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_change_by_cookie_comes_from_a_page_of_this_server() {
        let own = |headers: &[(&str, &str)]| is_own_page(&parts(headers));
        let host = ("host", "files.example.com");
        assert!(own(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(own(&[host, ("origin", "https://files.example.com")]));
        assert!(!own(&[host, ("sec-fetch-site", "same-site"), ("origin", "https://files.example.com")]));
        assert!(!own(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!own(&[host, ("sec-fetch-site", "none")]));
        assert!(!own(&[host, ("origin", "https://evil.example.com")]));
        assert!(!own(&[host, ("origin", "null")]));
        assert!(!own(&[host]));
    }

    #[test]
    fn the_password_of_a_webdav_client_is_its_token() {
        let proof = |value: &str| match proof(&parts(&[("authorization", value)]).headers) {
            Ok(Proof::Authorization(text)) => text,
            Ok(Proof::Cookie(_)) => "cookie".to_owned(),
            Err(_) => "refused".to_owned(),
        };
        let encoded = STANDARD.encode("ada:plat_secret");
        assert_eq!(proof(&format!("Basic {encoded}")), "Bearer plat_secret");
        assert_eq!(proof(&format!("basic {encoded}")), "Bearer plat_secret");
        assert_eq!(proof("Bearer x"), "Bearer x");
        assert_eq!(proof("Basic !"), "refused");
    }
}
