//! Jobs by id, each with its project and the user who submitted it.
//!
//! The project decides who may see the job, so it is read in any case, and most queries for a job request both: one
//! statement saves a round trip, and is shared by more requests.

use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Brief, Job};
use crate::db::tables::{jobs, projects, users};
use crate::ids::{GroupId, JobId};
use crate::projects::model::Project;
use crate::users::model::User;

/// A job, with the columns in `T`, its project and its submitter.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// The job.
    pub job: Arc<T>,
    /// Its project.
    pub project: Arc<Project>,
    /// The user who submitted it.
    pub submitter: Arc<User>,
}

impl<T> Found<T> {
    fn each(rows: Vec<(T, Project, User)>) -> Vec<Self> {
        let found = |(job, project, submitter)| Self {
            job: Arc::new(job),
            project: Arc::new(project),
            submitter: Arc::new(submitter),
        };
        rows.into_iter().map(found).collect()
    }

    /// The group of the project, which decides who may see the job.
    pub fn group(&self) -> GroupId {
        self.project.group_id
    }
}

/// The full jobs with these ids.
///
/// # Errors
/// The database's.
pub async fn whole(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<Found<Job>>> {
    let joined = jobs::table.inner_join(projects::table).inner_join(users::table);
    let columns = (Job::as_select(), Project::as_select(), User::as_select());
    joined.filter(jobs::id.eq_any(ids)).select(columns).load(conn).await.map(Found::each)
}

/// The most requested columns of the jobs with these ids.
///
/// # Errors
/// The database's.
pub async fn brief(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<Found<Brief>>> {
    let joined = jobs::table.inner_join(projects::table).inner_join(users::table);
    let columns = (Brief::as_select(), Project::as_select(), User::as_select());
    joined.filter(jobs::id.eq_any(ids)).select(columns).load(conn).await.map(Found::each)
}
