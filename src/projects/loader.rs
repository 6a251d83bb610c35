//! Projects by ID, and the pages of the projects of groups.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::{FutureExt, TryFutureExt};

use super::model::{self, Project, Selection};
use crate::auth::policy::Visible;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::projects;
use crate::db::{Lane, prepared, when};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::keyset::{OrderDirection, by_page, text};
use crate::ids::{GroupId, ProjectId};

/// The project with an id.
pub enum ProjectsById {}

impl Read for ProjectsById {
    type Key = ProjectId;
    type Value = Arc<Project>;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, Arc<Project>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<Project> =
            projects::table.filter(projects::id.eq_any(keys)).select(Project::as_select()).load(&mut conn).await?;
        Ok(found.into_iter().map(|project| (project.id, Arc::new(project))).collect())
    }
}

/// A page of a group's projects, by name.
pub enum ProjectsOfGroup {}

impl Read for ProjectsOfGroup {
    type Key = (GroupId, Page);
    type Value = Arc<Vec<Project>>;
    const CONNECTIONS: usize = 2;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut found = ByKey::default();
        for (page, parents) in by_page(keys) {
            let mut pages: ByKey<GroupId, Vec<Project>> = ByKey::default();
            for project in projects_of_groups(&mut conn, &parents, &page).await? {
                pages.entry(project.group_id).or_default().push(project);
            }
            found.extend(pages.into_iter().map(|(group, rows)| ((group, page.clone()), Arc::new(rows))));
        }
        Ok(found)
    }
}

async fn projects_of_groups(
    conn: &mut AsyncPgConnection,
    parents: &[GroupId],
    page: &Page,
) -> QueryResult<Vec<Project>> {
    let order = if page.ascending(OrderDirection::Asc) { "ASC" } else { "DESC" };
    let (after, before) = page.bounds(OrderDirection::Asc);
    let ((after, after_id), (before, before_id)) = (text(after), text(before));
    let above = when(after.is_some(), "(name, id) > ($2, $3)");
    let below = when(before.is_some(), "(name, id) < ($4, $5)");
    // Only the shape is part of the text; everything that a client sends is bound.
    prepared(format!(
        "SELECT project.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (
            SELECT * FROM projects
             WHERE group_id = parent.id
               AND {above}
               AND {below}
             ORDER BY name {order}, id {order} LIMIT $6
         ) AS project"
    ))
    .bind::<Array<SqlUuid>, _>(parents)
    .bind::<Nullable<Text>, _>(after)
    .bind::<Nullable<SqlUuid>, _>(after_id)
    .bind::<Nullable<Text>, _>(before)
    .bind::<Nullable<SqlUuid>, _>(before_id)
    .bind::<BigInt, _>(page.limit)
    .load(conn)
    .await
}

/// The number of projects of a group.
pub enum ProjectCounts {}

impl Read for ProjectCounts {
    type Key = GroupId;
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<GroupId>) -> Result<ByKey<GroupId, i64>, ApiError> {
        let mut conn = lane.lookup().await?;
        let rows: Vec<(GroupId, i64)> = projects::table
            .filter(projects::group_id.eq_any(keys))
            .group_by(projects::group_id)
            .select((projects::group_id, diesel::dsl::count_star()))
            .load(&mut conn)
            .await?;
        Ok(rows.into_iter().collect())
    }
}

/// A page of the projects that a viewer can see. Viewers with the same groups and arguments share the statement.
pub enum ProjectPages {}

impl Read for ProjectPages {
    type Key = (Visible, Selection, Page);
    type Value = Arc<Vec<Project>>;
    const CONNECTIONS: usize = 4;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, selection, page)| {
            model::page(conn, visible, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}
