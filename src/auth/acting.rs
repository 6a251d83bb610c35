//! The caller that a field is executed for, as seen by a resolver. What the resolver reads of it is recorded where the
//! response is shared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::QueryPathSegment;

use super::policy::{self, Action, Permit, Scope, Visible};
use super::principal::Caller;
use super::scope::ScopeRecorder;
use crate::error::ApiError;
use crate::ids::ProjectId;

/// The caller, as a resolver finds it in its request.
pub trait CallerExt {
    /// The caller that the field is executed for: the sender of the request, nobody if the request has none, or the
    /// caller that the enclosing root field was [switched](Acting::switch) to. A shared response is then valid for this
    /// caller only; [`PolicyExt`] records more precisely what was read.
    fn caller(&self) -> Caller;

    /// The caller that this root field and everything below it is executed for.
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

/// Policy for the caller that a field is executed for, recorded where the response is shared with others.
pub trait PolicyExt {
    /// Whether the caller may do `action` to what `scope` says.
    ///
    /// # Errors
    /// As [`policy::check`].
    fn check(&self, action: Action, scope: Scope) -> Result<Permit, ApiError>;

    /// What the caller sees of lists and feeds.
    ///
    /// # Errors
    /// As [`policy::visible`].
    fn visible(&self) -> Result<Visible, ApiError>;

    /// The only project that the caller's API token is for, for a list that would show others. `None` if there is no
    /// such project.
    fn only_project(&self) -> Option<ProjectId>;
}

impl PolicyExt for async_graphql::Context<'_> {
    fn check(&self, action: Action, scope: Scope) -> Result<Permit, ApiError> {
        let caller = caller_of(self);
        let verdict = policy::check(&caller, action, scope);
        if let Some(recorder) = self.data_opt::<Arc<ScopeRecorder>>() {
            recorder.read_verdict(&caller, (action, scope), verdict.as_ref().err().map(|error| error.code));
        }
        verdict
    }

    fn visible(&self) -> Result<Visible, ApiError> {
        let visible = policy::visible(&caller_of(self));
        if let Some(recorder) = self.data_opt::<Arc<ScopeRecorder>>() {
            recorder.read_visible(&visible);
        }
        visible
    }

    fn only_project(&self) -> Option<ProjectId> {
        let only = policy::only_project(&caller_of(self));
        if let Some(recorder) = self.data_opt::<Arc<ScopeRecorder>>() {
            recorder.read_project(only);
        }
        only
    }
}

/// The caller, without recording it in the scope of the execution: for code that itself records what it reads.
fn caller_of(ctx: &async_graphql::Context<'_>) -> Caller {
    let switched = ctx.data_opt::<Arc<Switched>>().and_then(|switched| switched.below(root_of(ctx)?));
    switched.or_else(|| ctx.data_opt::<Caller>().cloned()).unwrap_or(Caller::Anonymous)
}

/// The response name of the root field that `ctx` is at or below.
fn root_of<'a>(ctx: &'a async_graphql::Context<'_>) -> Option<&'a str> {
    let node = ctx.path_node.as_ref()?;
    match node.parents().last().unwrap_or(node).segment {
        QueryPathSegment::Name(name) => Some(name),
        QueryPathSegment::Index(_) => None,
    }
}

/// Root fields of a request that are not executed for its sender, or no longer with the permissions that the sender
/// had.
#[derive(Debug, Default)]
pub struct Switched(Mutex<BTreeMap<Box<str>, Caller>>);

impl Switched {
    fn below(&self, root: &str) -> Option<Caller> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(root).cloned()
    }
}

/// The caller that a root field is executed for.
#[derive(Debug, Clone, Default)]
pub struct Acting {
    switched: Arc<Switched>,
    root: Box<str>,
}

impl Acting {
    /// From now on, everything below the root field is executed for `caller`; other root fields are not affected.
    pub fn switch(&self, caller: Caller) {
        self.switched.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.root.clone(), caller);
    }
}
