//! The conditions by which jobs are listed and their events are followed: in the database for a list, in memory for a feed.

use super::super::event::Particulars;
use crate::events::About;
use crate::graphql::search::Search;
use crate::graphql::time::TimeRange;
use crate::ids::{ConfigId, GroupId, ProjectId, UserId};

/// Conditions on a job that do not depend on its phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// Only jobs of this project.
    pub project: Option<ProjectId>,
    /// Only jobs of this group's projects.
    pub group: Option<GroupId>,
    /// Only jobs submitted by this user.
    pub submitted_by: Option<UserId>,
    /// Only with one of these names.
    pub names: Option<Vec<String>>,
    /// Only with a name that matches.
    pub search: Option<Search>,
    /// Only in one of these queues.
    pub queues: Option<Vec<String>>,
    /// Only those made from a commit of this config file.
    pub config_file: Option<ConfigId>,
    /// Only those submitted within this time.
    pub submitted: TimeRange,
    /// Only those that finished within this time.
    pub finished: TimeRange,
}

/// The conditions of [`Criteria`] except that of the group, for whatever tables they are used with.
macro_rules! conditions {
    ($criteria:expr) => {{
        let mut conditions: Vec<Condition<_>> = Vec::new();
        if let Some(project) = $criteria.project {
            conditions.push(Box::new(jobs::project_id.eq(project)));
        }
        if let Some(user) = $criteria.submitted_by {
            conditions.push(Box::new(jobs::submitted_by.eq(user)));
        }
        if let Some(names) = &$criteria.names {
            conditions.push(Box::new(jobs::name.eq_any(names.clone())));
        }
        if let Some(search) = &$criteria.search {
            conditions.push(search.matches("jobs.name"));
        }
        if let Some(queues) = &$criteria.queues {
            conditions.push(Box::new(jobs::queue.eq_any(queues.clone())));
        }
        if let Some(file) = $criteria.config_file {
            let commits = config_commits::table.filter(config_commits::config_file_id.eq(file));
            conditions.push(Box::new(
                jobs::config_commit_id.eq_any(commits.select(config_commits::id.nullable())).assume_not_null(),
            ));
        }
        if let Some(from) = $criteria.submitted.from {
            conditions.push(Box::new(jobs::submitted_at.ge(from)));
        }
        if let Some(to) = $criteria.submitted.to {
            conditions.push(Box::new(jobs::submitted_at.lt(to)));
        }
        if let Some(from) = $criteria.finished.from {
            conditions.push(Box::new(jobs::finished_at.ge(from).assume_not_null()));
        }
        if let Some(to) = $criteria.finished.to {
            conditions.push(Box::new(jobs::finished_at.lt(to).assume_not_null()));
        }
        conditions
    }};
}
pub(super) use conditions;

impl Criteria {
    /// Whether an event with these owners, of this job, matches: as the conditions in the database do for the job. An event
    /// that does not say what job it is about only matches conditions on the owners.
    pub fn include(&self, about: &About, job: Option<&Particulars>) -> bool {
        let Self { project, group, submitted_by, names, search, queues, config_file, submitted, finished } = self;
        let of_owners = project.is_none_or(|project| about.project == Some(project))
            && group.is_none_or(|group| about.group == Some(group))
            && submitted_by.is_none_or(|user| about.person == Some(user));
        let of_job = match job {
            Some(job) => {
                names.as_ref().is_none_or(|names| names.contains(&job.name))
                    && search.as_ref().is_none_or(|search| search.matches_label(&job.name))
                    && queues.as_ref().is_none_or(|queues| queues.contains(&job.queue))
                    && config_file.is_none_or(|file| job.config_file == Some(file.uuid()))
                    && submitted.contains(job.submitted_at)
                    && (finished.is_everything() || job.finished_at.is_some_and(|at| finished.contains(at)))
            }
            None => {
                (names.is_none() && search.is_none() && queues.is_none() && config_file.is_none())
                    && (submitted.is_everything() && finished.is_everything())
            }
        };
        of_owners && of_job
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    use crate::ids::{ConfigId, JobId};
    use crate::jobs::event::about;

    #[test]
    fn each_condition_restricts_and_one_on_what_is_unknown_is_not_met() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let (project, group, user) = (ProjectId::generate(), GroupId::generate(), UserId::generate());
        let (about, file) = (about(JobId::generate(), project, group, user), ConfigId::generate());
        let job = Particulars::of("train-resnet", "night", Some(file), at(10));
        let job = Particulars { finished_at: Some(at(20)), ..job };
        let range = |from, to| TimeRange { from: Some(at(from)), to: Some(at(to)) };
        let search = |text| Search::parse(Some(text), "filter.search").unwrap();
        let some = |text: &str| Some(vec![text.to_owned(), "other".to_owned()]);
        let none = Criteria::default;
        let of_owners = [
            (
                Criteria { project: Some(project), ..none() },
                Criteria { project: Some(ProjectId::generate()), ..none() },
            ),
            (Criteria { group: Some(group), ..none() }, Criteria { group: Some(GroupId::generate()), ..none() }),
            (
                Criteria { submitted_by: Some(user), ..none() },
                Criteria { submitted_by: Some(UserId::generate()), ..none() },
            ),
        ];
        let of_job = [
            (Criteria { names: some("train-resnet"), ..none() }, Criteria { names: some("train"), ..none() }),
            (Criteria { search: search("res"), ..none() }, Criteria { search: search("net"), ..none() }),
            (Criteria { queues: some("night"), ..none() }, Criteria { queues: some("day"), ..none() }),
            (
                Criteria { config_file: Some(file), ..none() },
                Criteria { config_file: Some(ConfigId::generate()), ..none() },
            ),
            (Criteria { submitted: range(10, 11), ..none() }, Criteria { submitted: range(11, 12), ..none() }),
            (Criteria { finished: range(20, 21), ..none() }, Criteria { finished: range(10, 20), ..none() }),
        ];
        assert!(none().include(&about, None) && none().include(&about, Some(&job)));
        for (met, unmet) in &of_owners {
            assert!(met.include(&about, None) && met.include(&about, Some(&job)), "{met:?}");
            assert!(!unmet.include(&about, None) && !unmet.include(&about, Some(&job)), "{unmet:?}");
        }
        for (met, unmet) in &of_job {
            assert!(met.include(&about, Some(&job)) && !met.include(&about, None), "{met:?}");
            assert!(!unmet.include(&about, Some(&job)), "{unmet:?}");
        }
        let unfinished = Particulars { finished_at: None, ..job };
        assert!(!Criteria { finished: range(20, 21), ..none() }.include(&about, Some(&unfinished)));
    }
}
