//! The sources of jobs: a spec, or a version of a config file with values for its parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel_async::AsyncPgConnection;

use super::admission::{AdmissionRule, Findings};
use super::draft::{Draft, Filled, from_template};
use super::input::{JobParameterInput, JobSourceInput, JobSpecInput};
use super::model::{self, earlier::Earlier};
use super::service::Submitter;
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::Caller;
use crate::configs::model::submittable;
use crate::error::{ApiError, Problems};
use crate::ids::{CommitId, CommitKind, ConfigId, Id, Kind, ProjectId, TemplateKind};

/// What was found at the source of a submit.
#[derive(Debug, Default)]
pub(super) struct Sourced {
    /// The version of a config file.
    pub commit: Option<CommitId>,
    /// Its config file.
    pub config_file: Option<ConfigId>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// The draft; `None` if there is none, which is recorded as a problem.
    pub draft: Option<Draft>,
}

impl Sourced {
    /// What an earlier job was made from.
    ///
    /// # Errors
    /// `INTERNAL` if its object cannot be read; the database's.
    pub(super) async fn of_earlier(conn: &mut AsyncPgConnection, earlier: &Earlier) -> Result<Self, ApiError> {
        let commit = earlier.job.config_commit_id;
        Ok(Self {
            commit,
            config_file: model::config_file(conn, commit).await?,
            parameters: earlier.parameters(),
            draft: Some(Draft::of_earlier(earlier).map_err(ApiError::internal)?),
        })
    }
}

impl Submitter {
    /// Reads the source. Problems with it are recorded at the input field that it was given in.
    ///
    /// # Errors
    /// `NOT_FOUND` for what the caller may not see; the database's.
    pub(super) async fn sourced(
        &self,
        conn: &mut AsyncPgConnection,
        (caller, project): (&Caller, ProjectId),
        (source, parameters): (JobSourceInput, Vec<JobParameterInput>),
        findings: &mut Findings,
    ) -> Result<Sourced, ApiError> {
        let field = source.field();
        let (commit, noun) = match source {
            JobSourceInput::Spec(spec) => {
                if !parameters.is_empty() {
                    let problem = ApiError::bad_input("input.parameters", "a spec has no parameters");
                    findings.note(AdmissionRule::Source, problem);
                }
                return Ok(Sourced { draft: Some(of_spec(*spec, findings)), ..Sourced::default() });
            }
            JobSourceInput::CommitId(id) => (id.at(field), CommitKind::NOUN),
            // A template is a version of a config file under another name.
            JobSourceInput::TemplateId(id) => (id.at(field).map(|id| Id::from_uuid(id.uuid())), TemplateKind::NOUN),
        };
        let Some(commit) = findings.take(AdmissionRule::Source, commit) else { return Ok(Sourced::default()) };
        let not_found = || match noun {
            TemplateKind::NOUN => ApiError::not_found(noun, Id::<TemplateKind>::from_uuid(commit.uuid())).at(field),
            _ => ApiError::not_found(noun, commit).at(field),
        };
        let source = submittable(conn, commit).await?.ok_or_else(not_found)?;
        let scope = Scope::within(source.group, commit).in_project(source.project);
        policy::check(caller, Action::ViewCommit, scope).map_err(|_| not_found())?;
        let (commit, config_file) = (Some(commit), Some(source.file));
        if source.project != project {
            let problem = ApiError::bad_input(field, format!("the {noun} belongs to another project"));
            findings.note(AdmissionRule::Source, problem);
            return Ok(Sourced { commit, config_file, ..Sourced::default() });
        }
        let gpus = Arc::clone(&self.gpus);
        // Parsing a megabyte of YAML takes a while.
        let filled = move || from_template(&source.yaml, field, &parameters, &gpus);
        let filled = tokio::task::spawn_blocking(filled).await.map_err(ApiError::internal)?;
        let (parameters, draft) = match findings.take_fields(filled) {
            Some(Filled { parameters, draft }) => (parameters, Some(draft)),
            None => (BTreeMap::new(), None),
        };
        Ok(Sourced { commit, config_file, parameters, draft })
    }
}

/// The draft of a spec; problems with its own fields are recorded.
pub(super) fn of_spec(spec: JobSpecInput, findings: &mut Findings) -> Draft {
    let mut problems = Problems::default();
    let draft = Draft::of_spec(spec, &mut problems);
    findings.take_fields(problems.finish());
    draft
}
