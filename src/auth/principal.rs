//! Who is asking: the caller of a request, as every resolver finds them in the request's data.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::QueryPathSegment;
use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;

use super::scope::ScopeRecorder;
use super::tokens::Claims;
use crate::error::ApiError;
use crate::ids::{GroupId, SessionId, UserId};
use crate::text_enum;

/// What a person may do on the whole platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum PlatformRole {
    /// Sees and does what their groups allow.
    User,
    /// Sees every group and looks after the platform.
    Admin,
}

text_enum!(PlatformRole { User => "USER", Admin => "ADMIN" });

/// What a person may do in one group; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum GroupRole {
    /// Sees the group's projects and submits jobs in them.
    Member,
    /// Also creates projects and config files, and cancels anybody's jobs.
    Manager,
    /// Also manages who is in the group.
    Admin,
}

text_enum!(GroupRole { Member => "MEMBER", Manager => "MANAGER", Admin => "ADMIN" });

/// A person who has logged in, as of the start of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The person.
    pub user: UserId,
    /// The log-in that the access token belongs to.
    pub session: SessionId,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// Their role in each group they are in.
    pub groups: BTreeMap<GroupId, GroupRole>,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}

impl Principal {
    /// What their access token says.
    pub(super) fn claims(&self) -> Claims {
        Claims { user: self.user, session: self.session, expires_at: self.expires_at }
    }

    /// Whether they look after the whole platform.
    pub fn is_platform_admin(&self) -> bool {
        self.platform_role == PlatformRole::Admin
    }
}

/// The caller, as a resolver finds them in its request.
pub trait CallerExt {
    /// Whoever the field is executed for: the sender of the request, nobody where the request does not say, or whom
    /// the root field above it has [switched](Acting::switch) to. An answer that several are told then holds for this
    /// caller only; [`PolicyExt`](super::policy::PolicyExt) tells apart what was really read.
    fn caller(&self) -> Caller;

    /// Whom this root field and everything below it is executed for.
    fn acting(&self) -> Acting;
}

impl CallerExt for async_graphql::Context<'_> {
    fn caller(&self) -> Caller {
        let caller = caller_of(self);
        if let Some(recorder) = self.data_opt::<Arc<ScopeRecorder>>() {
            recorder.read_all(&caller);
        }
        caller
    }

    fn acting(&self) -> Acting {
        let switched = self.data_opt::<Arc<Switched>>().cloned().unwrap_or_default();
        Acting { switched, root: root_of(self).unwrap_or_default().into() }
    }
}

/// The caller, without a note in the scope of the execution: for whoever notes themselves what they read.
pub(super) fn caller_of(ctx: &async_graphql::Context<'_>) -> Caller {
    let switched = ctx.data_opt::<Arc<Switched>>().and_then(|switched| switched.below(root_of(ctx)?));
    switched.or_else(|| ctx.data_opt::<Caller>().cloned()).unwrap_or(Caller::Anonymous)
}

/// The name in the answer of the root field that `ctx` is at or below.
fn root_of<'a>(ctx: &'a async_graphql::Context<'_>) -> Option<&'a str> {
    let node = ctx.path_node.as_ref()?;
    match node.parents().last().unwrap_or(node).segment {
        QueryPathSegment::Name(name) => Some(name),
        QueryPathSegment::Index(_) => None,
    }
}

/// Root fields of one request that are not executed for its sender, or no longer with the rights that the sender had.
#[derive(Debug, Default)]
pub struct Switched(Mutex<BTreeMap<Box<str>, Caller>>);

impl Switched {
    fn below(&self, root: &str) -> Option<Caller> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(root).cloned()
    }
}

/// Whom one root field is executed for.
#[derive(Debug, Clone, Default)]
pub struct Acting {
    switched: Arc<Switched>,
    root: Box<str>,
}

impl Acting {
    /// From now on what hangs below the root field is executed for `caller`; other root fields are not concerned.
    pub fn switch(&self, caller: Caller) {
        self.switched.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.root.clone(), caller);
    }
}

/// Whoever sent the request.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Nobody who has logged in.
    Anonymous,
    /// Somebody with a valid access token.
    Known(Arc<Principal>),
}

impl Caller {
    /// The person.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if nobody has logged in.
    pub fn principal(&self) -> Result<&Principal, ApiError> {
        match self {
            Self::Known(principal) => Ok(principal),
            Self::Anonymous => Err(ApiError::unauthenticated(
                "this needs a log-in: send the accessToken of the login mutation as \"Authorization: Bearer <token>\"",
            )),
        }
    }
}
