//! What the rules of storage claims read: whose a claim is, and what it grants.

use async_graphql::Enum;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;

use crate::auth::principal::GroupRole;
use crate::text_enum;

/// What a user may do with the files of a storage claim. WRITE includes READ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum StorageAccess {
    /// Nothing. They can see that the claim exists.
    #[default]
    None,
    /// Mount it read-only.
    Read,
    /// Mount it, and change what is in it.
    Write,
}

text_enum!(StorageAccess { None => "NONE", Read => "READ", Write => "WRITE" });

/// Whose a storage claim is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ClaimOwner {
    /// A project's.
    Project,
    /// A group's.
    #[default]
    Group,
    /// A user's.
    User,
    /// A project's, which shows the drive of a user: the files stay that user's.
    SharedDrive,
}

impl ClaimOwner {
    /// The least role in the group of those who are responsible for such a claim.
    pub(super) const fn keeper(self) -> GroupRole {
        match self {
            Self::Project | Self::SharedDrive => GroupRole::Manager,
            Self::Group | Self::User => GroupRole::Admin,
        }
    }
}

/// A storage claim, as one user sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct ClaimTraits {
    /// Whose it is.
    pub owner: ClaimOwner,
    /// What it grants to the user.
    pub access: StorageAccess,
}
