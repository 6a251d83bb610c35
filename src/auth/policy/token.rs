//! What an API token adds to a decision: it can be too little for an action, or for another project.

use super::{Action, Denial, Scope};
use crate::auth::principal::{OnlyProject, Person, TokenLimits};
use crate::ids::{GroupKind, MembershipKind, UserKind};

/// The message for callers who need a session.
pub const NEEDS_SESSION: &str = "this cannot be done with an API token; log in instead";

/// Where an object is, seen from the only project of a token.
enum Place {
    /// In the project; or what every user of the API sees, such as themselves.
    Within,
    /// The token shows it, because the project is in it or its users are, but is not for it.
    Around,
    /// Anywhere else.
    Elsewhere,
}

impl TokenLimits {
    /// Whether the token is for the object at all. Asked before the user is: an object outside of the project does not
    /// exist for the token, whatever its user may do with it.
    pub(super) fn reaches(&self, person: Person<'_>, action: Action, scope: &Scope) -> Result<(), Denial> {
        let Some(only) = self.project else { return Ok(()) };
        match place(only, person, action, scope) {
            Place::Within => Ok(()),
            Place::Around => Err(Denial::OtherProject(only.project)),
            Place::Elsewhere => Err(Denial::Hidden),
        }
    }

    /// Whether the token is enough for the action, which its user may do.
    pub(super) fn suffices(&self, action: Action) -> Result<(), Denial> {
        match action.token_scope() {
            None => Err(Denial::NoSession),
            Some(needed) if needed > self.scope => Err(Denial::Scope { has: self.scope, needed }),
            Some(_) => Ok(()),
        }
    }
}

fn place(only: OnlyProject, person: Person<'_>, action: Action, scope: &Scope) -> Place {
    if scope.project == Some(only.project) {
        return Place::Within;
    }
    let shown = |by: Action| if action == by { Place::Within } else { Place::Around };
    if scope.subject_parts().is_none() {
        // The platform, which everybody knows.
        return match action {
            Action::ViewSelf | Action::ViewQueues | Action::ViewStorageClasses => Place::Within,
            _ => Place::Around,
        };
    }
    if scope.subject_as::<UserKind>().is_some() {
        // Those whose names are on the jobs of the project: its user, and the members of its group.
        let is_known = scope.owner == Some(person.user) || scope.shares_group;
        return if is_known { shown(Action::ViewUser) } else { Place::Elsewhere };
    }
    let is_group = scope.subject_as::<GroupKind>().is_some() || scope.subject_as::<MembershipKind>().is_some();
    if is_group && scope.group == Some(only.group) { shown(Action::ViewGroup) } else { Place::Elsewhere }
}
