//! What an action requires of the credential that a user calls with, besides what it requires of the user.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;

use super::Action;
use crate::text_enum;

/// What an API token can be used for. Each scope includes the scopes above it: SUBMIT includes READ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[graphql(name = "ApiTokenScope")]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum TokenScope {
    /// See what the user can see.
    Read,
    /// Also submit and cancel jobs, and open requests.
    Submit,
    /// Also manage groups, members, projects and config files, as far as the user's roles allow it.
    Manage,
    /// Also do what only platform admins can do, if the user is one.
    Admin,
}

text_enum!(TokenScope { Read => "READ", Submit => "SUBMIT", Manage => "MANAGE", Admin => "ADMIN" });

/// The credential that an action requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// A session, or any API token.
    Read,
    /// A session, or an API token that may submit.
    Submit,
    /// A session, or an API token that may manage.
    Manage,
    /// A session, or an API token that may administer the platform.
    Admin,
    /// A session: no API token can do it, because it is about the ways into an account.
    Session,
}

impl Action {
    /// The least scope of an API token that can do this; `None` if no API token can.
    pub const fn token_scope(self) -> Option<TokenScope> {
        match self.row().needs {
            Needs::Read => Some(TokenScope::Read),
            Needs::Submit => Some(TokenScope::Submit),
            Needs::Manage => Some(TokenScope::Manage),
            Needs::Admin => Some(TokenScope::Admin),
            Needs::Session => None,
        }
    }
}
