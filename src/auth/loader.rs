//! What every authenticated request reads: the state of the session and the roles of the user, in one shared statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::principal::{GroupRole, PlatformRole};
use crate::db::coalesce::{ByKey, Read};
use crate::db::{Lane, prepared};
use crate::error::ApiError;
use crate::ids::{GroupId, SessionId, UserId};

/// An active session of a user who may log in, with the roles of the user.
pub(super) enum LiveSession {}

/// The fields of a session that are read.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    pub user: UserId,
    pub platform_role: PlatformRole,
    pub groups: BTreeMap<GroupId, GroupRole>,
    /// When the session ends unless it is refreshed.
    pub ends_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    session: SessionId,
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
    #[diesel(sql_type = Text)]
    platform_role: PlatformRole,
    #[diesel(sql_type = Array<SqlUuid>)]
    groups: Vec<GroupId>,
    #[diesel(sql_type = Array<Text>)]
    roles: Vec<GroupRole>,
    #[diesel(sql_type = Bool)]
    live: bool,
    #[diesel(sql_type = Timestamptz)]
    ends_at: DateTime<Utc>,
}

const SQL: &str = "
    SELECT s.id AS session, s.user_id, s.expires_at AS ends_at, u.platform_role,
           s.ended_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL AND u.deleted_at IS NULL AS live,
           coalesce(array_agg(m.group_id ORDER BY m.group_id) FILTER (WHERE m.group_id IS NOT NULL), '{}') AS groups,
           coalesce(array_agg(m.role ORDER BY m.group_id) FILTER (WHERE m.group_id IS NOT NULL), '{}') AS roles
      FROM sessions s
      JOIN users u ON u.id = s.user_id
      LEFT JOIN group_members m ON m.user_id = u.id
     WHERE s.id = ANY($1)
     GROUP BY s.id, u.id";

impl Read for LiveSession {
    type Key = SessionId;
    type Value = Roles;

    async fn read(lane: &Lane, keys: Vec<SessionId>) -> Result<ByKey<SessionId, Roles>, ApiError> {
        let mut conn = lane.lookup().await?;
        let rows: Vec<Row> = prepared(SQL).bind::<Array<SqlUuid>, _>(keys).load(&mut conn).await?;
        let live = rows.into_iter().filter(|row| row.live);
        Ok(live
            .map(|row| {
                let groups = row.groups.into_iter().zip(row.roles).collect();
                let Row { user_id: user, platform_role, ends_at, .. } = row;
                (row.session, Roles { user, platform_role, groups, ends_at })
            })
            .collect())
    }
}
