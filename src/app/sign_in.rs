//! A browser that signs in with a provider: sent there, and received back with a session or the code for one.

use std::time::Instant;

use chrono::Utc;
use http::HeaderValue;
use url::Url;

use super::App;
use crate::auth::attempts::ClientAddress;
use crate::auth::cookie;
use crate::auth::oidc::{Begun, Callback, Identity, Page, Returned};
use crate::db::error_chain;
use crate::error::{ApiError, ApiErrors, Code};
use crate::http::{Redirection, SignInRequest, SignInStep};
use crate::trail::Origin;
use crate::users::provided;

/// The query of `/auth/oidc/start`.
#[derive(Debug, Default, serde::Deserialize)]
struct Start {
    provider: Option<String>,
    return_to: Option<String>,
    session: Option<String>,
}

/// Takes one step of a sign-in.
pub(super) async fn step(app: &App, step: SignInStep, request: SignInRequest<'_>) -> Result<Redirection, ApiError> {
    app.authenticator.attempts().count_address(Some(ClientAddress(request.peer.address)), Instant::now())?;
    match step {
        SignInStep::Start => start(app, &request).await,
        SignInStep::Callback => callback(app, &request).await,
    }
}

/// The fields of a query string. Unknown ones are ignored, of repeated ones none is believed.
fn read<Q: serde::de::DeserializeOwned>(query: &str) -> Result<Q, ApiError> {
    let mut fields = serde_json::Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if fields.insert(name.to_string(), value.into_owned().into()).is_some() {
            return Err(ApiError::new(Code::BadUserInput, "a parameter of the URL is repeated"));
        }
    }
    serde_json::from_value(fields.into()).map_err(ApiError::internal)
}

async fn start(app: &App, request: &SignInRequest<'_>) -> Result<Redirection, ApiError> {
    let Start { provider, return_to, session } = read(request.query)?;
    let wants_code = match session.as_deref() {
        Some("code") => true,
        None | Some("cookie") => false,
        Some(_) => return Err(ApiError::bad_input("session", "session must be code or cookie")),
    };
    let page = Page { return_to: return_to.as_deref(), wants_code };
    let begun = app.sign_ins.begin(provider.as_deref(), page, cookie::sign_in(request.headers)).await?;
    let Begun { location, browser, seconds } = begun;
    Ok(Redirection {
        location: location.into(),
        cookies: cookie::store_sign_in(&browser, seconds).into_iter().collect(),
    })
}

async fn callback(app: &App, request: &SignInRequest<'_>) -> Result<Redirection, ApiError> {
    let callback: Callback = read(request.query)?;
    let Returned { return_to, may_have_cookie, outcome } =
        app.sign_ins.finish(&callback, cookie::sign_in(request.headers)).await?;
    let signed_in = match outcome {
        Ok(identity) => session(app, request, &identity, may_have_cookie).await,
        Err(error) => Err(error.into()),
    };
    Ok(match signed_in {
        Ok(SignedIn::WithCookie(cookie)) => Redirection { location: return_to.into(), cookies: vec![cookie] },
        Ok(SignedIn::WithCode(code)) => to(return_to, "signInCode", &code),
        Err(errors) => {
            tracing::info!(request_id = request.request_id.0, error = error_chain(&errors), "a user was not signed in");
            to(return_to, "signInError", &told(&errors))
        }
    })
}

/// How the page gets its session.
enum SignedIn {
    /// It has it already.
    WithCookie(HeaderValue),
    /// It exchanges this code.
    WithCode(String),
}

/// A session for a page. Those of other sites cannot use a cookie.
async fn session(
    app: &App,
    request: &SignInRequest<'_>,
    identity: &Identity,
    may_have_cookie: bool,
) -> Result<SignedIn, ApiErrors> {
    let origin = Origin {
        address: Some(request.peer.address),
        user_agent: request.peer.user_agent.clone(),
        request_id: Some(request.request_id.0.as_str().into()),
        credential: None,
        api_token: None,
    };
    let user = provided::user_of(&app.db, identity, origin.clone()).await?;
    if !(may_have_cookie && app.authenticator.sets_cookies()) {
        return Ok(SignedIn::WithCode(app.sign_ins.code(user).await?));
    }
    let session = app.authenticator.open(user, None, origin).await?;
    let left = session.refresh_expires_at - Utc::now();
    let cookie = session.cookie.and_then(|token| cookie::store(&token, left.num_seconds()));
    cookie.map(SignedIn::WithCookie).ok_or_else(|| ApiError::internal("the session has no cookie").into())
}

/// The page with something in the fragment of its URL, which browsers send to no server.
fn to(mut page: Url, name: &str, value: &str) -> Redirection {
    let fragment = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    page.set_fragment(Some(&fragment));
    Redirection { location: page.into(), cookies: Vec::new() }
}

fn told(ApiErrors(errors): &ApiErrors) -> String {
    let messages = errors.iter().map(|error| match error.code {
        Code::Internal => "something went wrong; try again, and tell an administrator if it happens again",
        _ => &error.message,
    });
    messages.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_is_told_is_in_the_fragment_of_its_url() {
        let page = Url::parse("https://app.example.com/jobs?x=1").unwrap();
        let Redirection { location, .. } = to(page, "signInError", "no & <such> user");
        assert_eq!(location, "https://app.example.com/jobs?x=1#signInError=no+%26+%3Csuch%3E+user");
    }

    #[test]
    fn a_repeated_parameter_is_not_believed() {
        assert!(read::<Callback>("code=a&state=b&session_state=c").is_ok());
        assert!(read::<Callback>("code=a&code=b&state=c").is_err());
    }
}
