//! What a request with an API token reads: which token it is, its limits, and the roles of its user.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::TokenHash;
use crate::auth::policy::TokenScope;
use crate::auth::principal::{GroupRole, OnlyProject, PlatformRole, TokenLimits};
use crate::db::coalesce::{ByKey, Read};
use crate::db::tables::api_tokens;
use crate::db::{Lane, prepared};
use crate::error::ApiError;
use crate::ids::{ApiTokenId, GroupId, ProjectId, UserId};

/// The API token with a hash, whether it is still valid or not: this never changes.
pub(in crate::auth) enum TokenByHash {}

impl Read for TokenByHash {
    type Key = TokenHash;
    type Value = ApiTokenId;

    async fn read(lane: &Lane, keys: Vec<TokenHash>) -> Result<ByKey<TokenHash, ApiTokenId>, ApiError> {
        let hashes: Vec<Vec<u8>> = keys.into_iter().map(Vec::from).collect();
        let found = api_tokens::table
            .filter(api_tokens::token_hash.eq_any(hashes))
            .select((api_tokens::token_hash, api_tokens::id));
        let found: Vec<(Vec<u8>, ApiTokenId)> = found.load(&mut lane.lookup().await?).await?;
        Ok(found.into_iter().filter_map(|(hash, id)| Some((hash.try_into().ok()?, id))).collect())
    }
}

/// An API token with the roles of its user, who may log in unless it is not `live`.
pub(in crate::auth) enum TokenById {}

/// The fields of an API token that are read.
#[derive(Debug, Clone)]
pub(in crate::auth) struct Token {
    /// The user.
    pub user: UserId,
    /// What it can be used for.
    pub limits: TokenLimits,
    /// The role of the user on the platform.
    pub platform_role: PlatformRole,
    /// The roles of the user in their groups, or only in that of the token's project.
    pub groups: BTreeMap<GroupId, GroupRole>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// Whether it was not revoked and its user may log in.
    pub live: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    token: ApiTokenId,
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
    #[diesel(sql_type = Text)]
    scope: TokenScope,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    project: Option<ProjectId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    project_group: Option<GroupId>,
    #[diesel(sql_type = Text)]
    platform_role: PlatformRole,
    #[diesel(sql_type = Array<SqlUuid>)]
    groups: Vec<GroupId>,
    #[diesel(sql_type = Array<Text>)]
    roles: Vec<GroupRole>,
    #[diesel(sql_type = Bool)]
    live: bool,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
}

const SQL: &str = "
    SELECT t.id AS token, t.user_id, t.scope, p.id AS project, p.group_id AS project_group, t.expires_at, u.platform_role,
           t.revoked_at IS NULL AND u.disabled_at IS NULL AND u.deleted_at IS NULL AS live,
           coalesce(array_agg(m.group_id ORDER BY m.group_id) FILTER (WHERE m.group_id IS NOT NULL), '{}') AS groups,
           coalesce(array_agg(m.role ORDER BY m.group_id) FILTER (WHERE m.group_id IS NOT NULL), '{}') AS roles
      FROM api_tokens t
      JOIN users u ON u.id = t.user_id
      LEFT JOIN projects p ON p.id = t.project_id
      LEFT JOIN group_members m ON m.user_id = u.id AND (p.id IS NULL OR m.group_id = p.group_id)
     WHERE t.id = ANY($1)
     GROUP BY t.id, u.id, p.id";

impl Read for TokenById {
    type Key = ApiTokenId;
    type Value = Token;

    async fn read(lane: &Lane, keys: Vec<ApiTokenId>) -> Result<ByKey<ApiTokenId, Token>, ApiError> {
        let mut conn = lane.lookup().await?;
        let rows: Vec<Row> = prepared(SQL).bind::<Array<SqlUuid>, _>(keys).load(&mut conn).await?;
        let token = |row: Row| {
            let project = row.project.zip(row.project_group).map(|(project, group)| OnlyProject { project, group });
            let token = Token {
                user: row.user_id,
                limits: TokenLimits { scope: row.scope, project },
                platform_role: row.platform_role,
                groups: row.groups.into_iter().zip(row.roles).collect(),
                expires_at: row.expires_at,
                live: row.live,
            };
            (row.token, token)
        };
        Ok(rows.into_iter().map(token).collect())
    }
}
