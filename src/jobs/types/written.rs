//! How jobs and their events are written into an answer.

use std::sync::Arc;

use async_graphql::Context;
use futures::FutureExt as _;

use super::filter::span;
use super::{Happened, Job, JobEvent, JobRow, Row};
use crate::feeds::loader::EventsOf;
use crate::graphql::connection::{Connection, PageArgs, argument};
use crate::graphql::edges;
use crate::graphql::written::{Part, Written, each};
use crate::projects::types::Project;
use crate::users::types::User;

impl Job {
    /// All of the job, if it was read.
    fn held(&self) -> Option<&JobRow> {
        match &self.row {
            Row::Whole(job) => Some(job),
            Row::Brief(_) => None,
        }
    }
}

/// Values that are computed for a single job are resolved by the executor.
impl Written for Job {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|job, json| json.put(&job.row.id())),
            "name" => Part::column(|job, json| json.put(job.row.name())),
            "phase" => Part::column(|job, json| json.put_enum(job.row.phase())),
            "submittedAt" => Part::column(|job, json| json.put(&job.row.submitted_at())),
            "reason" => Part::held(|job, json| job.held().map(|job| json.put(&job.reason))),
            "message" => Part::held(|job, json| job.held().map(|job| json.put(&job.message))),
            "preemptions" => Part::held(|job, json| job.held().map(|job| json.put(&job.preemptions))),
            "attempts" => Part::held(|job, json| job.held().map(|job| json.put(&job.attempt))),
            "retriesLeft" => Part::held(|job, json| job.held().map(|job| json.put(&job.retries_left()))),
            "queue" => Part::held(|job, json| job.held().map(|job| json.put(&job.queue))),
            "priority" => Part::held(|job, json| job.held().map(|job| json.put(&job.priority))),
            "executor" => Part::held(|job, json| job.held().map(|job| json.put_enum(job.executor))),
            "startedAt" => Part::held(|job, json| job.held().map(|job| json.put(&job.started_at))),
            "finishedAt" => Part::held(|job, json| job.held().map(|job| json.put(&job.finished_at))),
            "cancelRequestedAt" => Part::held(|job, json| job.held().map(|job| json.put(&job.cancel_requested_at))),
            "cancelReason" => Part::held(|job, json| job.held().map(|job| json.put(&job.cancel_reason))),
            "viewerCanCancel" => Part::scalar(|ctx, jobs| each(jobs, |job| job.can_be_cancelled(ctx)).boxed()),
            "project" => Part::one(|ctx, jobs| projects(ctx, jobs).boxed()),
            "submittedBy" => Part::one(|ctx, jobs| submitters(ctx, jobs).boxed()),
            "events" => Part::one(|ctx, jobs| pages_of_events(ctx, jobs).boxed()),
            _ => return None,
        })
    }
}

impl Written for JobEvent {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|event, json| json.put(&event.0.seq.id())),
            "cursor" => Part::column(|event, json| json.put(&event.0.seq.cursor())),
            "at" => Part::column(|event, json| json.put(&event.0.at)),
            "kind" => Part::column(|event, json| json.put_enum(event.0.event.kind)),
            "phase" => Part::column(|event, json| json.put_enum(event.0.event.phase)),
            "previousPhase" => Part::column(|event, json| json.put_maybe_enum(event.0.event.previous_phase)),
            "reason" => Part::column(|event, json| json.put(&event.0.event.reason)),
            "message" => Part::column(|event, json| json.put(&event.0.event.message)),
            _ => return None,
        })
    }
}

/// The projects of the jobs: all of them were read with their jobs, or none.
async fn projects(ctx: &Context<'_>, jobs: &[&Job]) -> Option<Vec<Project>> {
    let held = jobs.iter().map(|job| job.belongs.as_ref().map(|(project, _)| Project(Arc::clone(project))));
    if let Some(held) = held.collect() {
        return Some(held);
    }
    let ids: Vec<_> = jobs.iter().map(|job| job.row.project_id()).collect();
    Project::load_all(ctx, &ids).await.ok()
}

/// The people who submitted the jobs, as [`projects`].
async fn submitters(ctx: &Context<'_>, jobs: &[&Job]) -> Option<Vec<User>> {
    let held = jobs.iter().map(|job| job.belongs.as_ref().map(|(_, submitter)| User(Arc::clone(submitter))));
    if let Some(held) = held.collect() {
        return Some(held);
    }
    let ids: Vec<_> = jobs.iter().map(|job| job.row.submitted_by()).collect();
    User::load_all(ctx, &ids).await.ok()
}

async fn pages_of_events(ctx: &Context<'_>, jobs: &[&Job]) -> Option<Vec<Connection<JobEvent>>> {
    let given = ctx.field().arguments().ok()?;
    let span = span(argument(&given, "filter")?, argument(&given, "orderBy")?).ok()?;
    let args = PageArgs::among(&given)?;
    each(jobs, |job| edges::list::<EventsOf<Happened>, _>(ctx, job.row.id(), span.clone(), args.clone())).await
}
