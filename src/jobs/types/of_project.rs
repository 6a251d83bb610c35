//! The jobs under a project: a list that a project is read together with.

use async_graphql::{Context, Name, SelectionField, Value};

use super::filter::{JobFilter, JobOrder, selection};
use super::{Job, JobPhase, columns};
use crate::auth::acting::CallerExt;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, argument};
use crate::graphql::edges;
use crate::graphql::edges::loader::PageOf;
use crate::graphql::loaders::ReadExt;
use crate::ids::{ProjectId, UserId};
use crate::jobs::loader::JobsOfProject;
use crate::jobs::model::list::Selection;
use crate::jobs::model::{Brief, Columns, Job as JobRow};
use crate::projects::loader::GroupOfProject;
use crate::projects::model::Project as ProjectRow;

/// Which of a project's jobs a client requests, and in which order.
#[derive(Debug, Clone, Default)]
pub struct JobsAsked {
    /// The filter.
    pub filter: Option<JobFilter>,
    /// The order.
    pub order: Option<JobOrder>,
    /// Phases, as they were given before there was a filter.
    pub phases: Option<Vec<JobPhase>>,
}

impl JobsAsked {
    /// What a field asks for that has not been resolved yet; `None` if it will be rejected because of it.
    pub fn among(given: &[(Name, Value)]) -> Option<Self> {
        let phases = argument(given, "phases")?;
        Some(Self { filter: argument(given, "filter")?, order: argument(given, "orderBy")?, phases })
    }

    fn selection(self, me: UserId) -> Result<Selection, ApiErrors> {
        let mut selection = selection(self.filter, self.order, me)?;
        match (self.phases, &selection.phases) {
            (Some(_), Some(_)) => {
                let problem =
                    ApiError::bad_input("phases", "phases and filter.phases cannot both be given; use the filter");
                return Err(problem.into());
            }
            (Some(phases), None) => selection.phases = Some(phases),
            (None, _) => {}
        }
        Ok(selection)
    }
}

/// The page of a project's jobs, for a viewer who sees the project.
///
/// # Errors
/// `BAD_USER_INPUT` for arguments that are not acceptable, or the read's.
pub async fn jobs_of_project(
    ctx: &Context<'_>,
    project: &ProjectRow,
    args: PageArgs,
    asked: JobsAsked,
) -> Result<Connection<Job>, ApiErrors> {
    ctx.know::<GroupOfProject>(project.id, project.group_id)?;
    let (project, selection) = (project.id, asked.selection(ctx.caller().principal()?.user)?);
    let page = edges::page::<JobsOfProject<Brief>>(args, &selection)?;
    match columns(&ctx.field()) {
        Columns::Brief => {
            edges::list_page::<JobsOfProject<Brief>, JobsOfProject<Brief>, _>(ctx, project, selection, page).await
        }
        Columns::Whole => {
            edges::list_page::<JobsOfProject<JobRow>, JobsOfProject<Brief>, _>(ctx, project, selection, page).await
        }
    }
}

/// Preloads the pages of the project's jobs that are selected below it, together with the project, which is the field
/// being resolved. Invalid arguments are reported when the pages are resolved.
///
/// # Errors
/// The request carries no loaders, or nobody has sent it.
pub fn foresee_jobs_of_project(ctx: &Context<'_>, project: ProjectId) -> Result<(), ApiError> {
    let me = ctx.caller().principal()?.user;
    for jobs in ctx.field().selection_set().filter(|field| field.name() == "jobs") {
        let Some((selection, page)) = foreseen(&jobs, me) else { continue };
        let key = (project, selection, page);
        match columns(&jobs) {
            Columns::Brief => ctx.foresee::<PageOf<JobsOfProject<Brief>>>(key)?,
            Columns::Whole => ctx.foresee::<PageOf<JobsOfProject<JobRow>>>(key)?,
        }
    }
    Ok(())
}

/// The page that a field asks for which is still to be resolved, if it is sure to be and acceptable.
fn foreseen(jobs: &SelectionField<'_>, me: UserId) -> Option<(Selection, Page)> {
    let is_sure = jobs.directives().is_ok_and(|directives| directives.is_empty());
    let given = jobs.arguments().ok().filter(|_| is_sure)?;
    let selection = JobsAsked::among(&given)?.selection(me).ok()?;
    let page = edges::page::<JobsOfProject<Brief>>(PageArgs::among(&given)?, &selection).ok()?;
    Some((selection, page))
}
