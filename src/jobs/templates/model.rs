//! The rows of templates: triggers keep them in step with the versions of config files.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::dsl::{InnerJoin, InnerJoinQuerySource, IntoBoxed};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::db::prepared;
use crate::db::tables::{config_files, job_templates, projects};
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::keyset::{self, Condition, OrderDirection};
use crate::graphql::search::Search;
use crate::ids::{CommitId, ConfigId, GroupId, Id, ProjectId, TemplateId, UserId};
use crate::text_enum;

/// What a template is run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum JobTemplateKind {
    /// A job: the YAML contains a Pod, a Job or a FlashJob, and no Workflow.
    Job,
    /// A workflow: the YAML contains a Workflow.
    Workflow,
}

text_enum!(JobTemplateKind { Job => "JOB", Workflow => "WORKFLOW" });

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = job_templates, check_for_backend(Pg))]
pub struct Template {
    /// The ID: that of the version.
    pub id: TemplateId,
    /// The config file.
    pub config_file_id: ConfigId,
    /// The project of the config file.
    pub project_id: ProjectId,
    /// What it is run as.
    pub kind: JobTemplateKind,
    /// Whether there is no later version of the config file.
    pub is_latest: bool,
    /// When the version was created.
    pub created_at: DateTime<Utc>,
}

impl Template {
    /// The version of the config file.
    pub const fn commit(&self) -> CommitId {
        Id::from_uuid(self.id.uuid())
    }

    /// The position in a list.
    pub fn position(&self) -> Position {
        Position::at(self.created_at, self.id.uuid())
    }
}

/// Which templates, and in which order.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only of this project.
    pub project: Option<ProjectId>,
    /// Only of this config file.
    pub config_file: Option<ConfigId>,
    /// Only of this kind.
    pub kind: Option<JobTemplateKind>,
    /// Only those whose config file has a name that matches.
    pub search: Option<Search>,
    /// Only the latest version of each config file.
    pub only_latest: bool,
    /// Oldest or newest first.
    pub direction: OrderDirection,
}

type WithFile = InnerJoin<InnerJoin<job_templates::table, config_files::table>, projects::table>;
type Source = InnerJoinQuerySource<InnerJoinQuerySource<job_templates::table, config_files::table>, projects::table>;

fn selected<'a>(visible: &Visible, selection: &Selection) -> IntoBoxed<'a, WithFile, Pg> {
    let mut query = job_templates::table.inner_join(config_files::table).inner_join(projects::table).into_boxed();
    if let Visible::Groups { groups, project } = visible {
        query = query.filter(projects::group_id.eq_any(groups.clone()));
        if let Some(project) = *project {
            query = query.filter(job_templates::project_id.eq(project));
        }
    }
    if let Some(project) = selection.project {
        query = query.filter(job_templates::project_id.eq(project));
    }
    if let Some(file) = selection.config_file {
        query = query.filter(job_templates::config_file_id.eq(file));
    }
    if let Some(kind) = selection.kind {
        query = query.filter(job_templates::kind.eq(kind));
    }
    if selection.only_latest {
        query = query.filter(job_templates::is_latest);
    }
    if let Some(search) = &selection.search {
        let matches: Condition<Source> = search.matches("config_files.name");
        query = query.filter(matches);
    }
    query
}

/// A page of the templates that are visible and match the filter, in the page's own direction, each with the group of
/// its project.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<(Template, GroupId)>> {
    let mut query = selected(visible, selection);
    let bounds = page.bounds(selection.direction);
    for condition in keyset::between::<Source>(bounds, "job_templates.created_at", "job_templates.id") {
        query = query.filter(condition);
    }
    query = match page.ascending(selection.direction) {
        true => query.order((job_templates::created_at.asc(), job_templates::id.asc())),
        false => query.order((job_templates::created_at.desc(), job_templates::id.desc())),
    };
    query.limit(page.limit).select((Template::as_select(), projects::group_id)).load(conn).await
}

/// The number of templates that are visible and match the filter.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// When a user last submitted a version.
#[derive(Debug, QueryableByName)]
pub struct LastUse {
    /// The version.
    #[diesel(sql_type = SqlUuid)]
    pub commit: CommitId,
    /// The user.
    #[diesel(sql_type = SqlUuid)]
    pub user: UserId,
    /// When.
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Timestamptz>)]
    pub at: Option<DateTime<Utc>>,
}

/// When each of these users last submitted that version.
///
/// # Errors
/// The database's.
pub async fn last_uses(conn: &mut AsyncPgConnection, keys: &[(CommitId, UserId)]) -> QueryResult<Vec<LastUse>> {
    let (commits, users): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
    // The maximum of each key is the end of a range of an index; a GROUP BY would read all of its jobs.
    prepared(
        "SELECT key.commit, key.\"user\", (SELECT max(submitted_at) FROM jobs
                  WHERE config_commit_id = key.commit AND submitted_by = key.\"user\") AS at
           FROM unnest($1, $2) AS key (commit, \"user\")",
    )
    .bind::<Array<SqlUuid>, _>(commits)
    .bind::<Array<SqlUuid>, _>(users)
    .load(conn)
    .await
}
