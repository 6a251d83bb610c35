//! The order in which the containers of a task are read: init containers one after the other, then the others in
//! parallel.

use super::cursor::{Place, Strand};
use crate::cluster::logs::{After, Glance};

/// The containers of a task in the order in which they are read. Those of one stage are read in parallel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stages {
    all: Vec<Vec<String>>,
    /// The containers that run before the task's own.
    early: Vec<String>,
}

impl Stages {
    /// Init containers run one after the other. `main` are the others, and `sidecars` those that start earlier and keep
    /// running beside them.
    pub fn new(init: Vec<String>, sidecars: Vec<String>, mut main: Vec<String>) -> Self {
        let early = [init.clone(), sidecars.clone()].concat();
        main.extend(sidecars);
        let stages = init.into_iter().map(|name| vec![name]).chain([main]);
        Self { all: stages.filter(|stage| !stage.is_empty()).collect(), early }
    }

    /// Only this container, one of the task's own.
    pub fn of_one(container: &str) -> Self {
        Self { all: vec![vec![container.to_owned()]], early: Vec::new() }
    }

    /// Only the container with this name, if the task has it.
    pub fn only(&self, container: &str) -> Option<Self> {
        let early = self.early.iter().filter(|name| *name == container).cloned().collect();
        self.names().any(|name| name == container).then(|| Self { early, ..Self::of_one(container) })
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().flatten().map(String::as_str)
    }

    /// Whether the first stage runs before the task's own containers. If sidecars are read together with those, all
    /// wait for the task: a log that cannot be opened yet is tried less and less often.
    pub(super) fn begins_early(&self) -> bool {
        self.all.first().is_some_and(|stage| stage.iter().all(|name| self.early.contains(name)))
    }

    /// The initial strands of a stage.
    fn strands(&self, stage: usize) -> Vec<Strand> {
        self.all.get(stage).into_iter().flatten().map(|name| Strand::of(name)).collect()
    }

    /// The stage of a position.
    fn stage_of(&self, place: &Place) -> usize {
        let first =
            place.strands.iter().find_map(|strand| self.all.iter().position(|stage| stage.contains(&strand.container)));
        first.unwrap_or(0)
    }

    /// Makes a position fit: it gets a strand for each container of its stage, and no other. A position without a
    /// container comes from an older cursor: it is in the first container of the last stage, the only one that could be
    /// read then.
    pub(super) fn enter(&self, place: &mut Place) {
        if let [only] = place.strands.as_mut_slice()
            && only.container.is_empty()
        {
            only.container = self.all.last().and_then(|stage| stage.first()).cloned().unwrap_or_default();
        }
        let stage = self.stage_of(place);
        let known = std::mem::take(&mut place.strands);
        place.strands = self.strands(stage);
        for strand in &mut place.strands {
            if let Some(known) = known.iter().find(|known| known.container == strand.container) {
                strand.clone_from(known);
            }
        }
    }

    /// Whether a position is in the last stage.
    pub(super) fn is_last(&self, place: &Place) -> bool {
        self.stage_of(place) + 1 >= self.all.len()
    }

    /// Moves to the next stage; false if this was the last.
    pub(super) fn go_on(&self, place: &mut Place) -> bool {
        let next = self.strands(self.stage_of(place) + 1);
        if next.is_empty() {
            return false;
        }
        place.strands = next;
        true
    }

    /// Moves to the last stage that has started.
    pub(super) fn go_to_last_begun(&self, place: &mut Place, has_begun: impl Fn(&str) -> bool) {
        let stage = self.all.iter().rposition(|stage| stage.iter().any(|name| has_begun(name))).unwrap_or(0);
        place.strands = self.strands(stage);
    }
}

/// The run of a container to read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// The run.
    pub(super) run: i32,
    /// The position to start at.
    pub(super) after: After,
    /// Whether it is the run before the current one, so that its log is complete.
    pub(super) is_over: bool,
    /// Whether lines are lost: Kubernetes keeps only the last two runs.
    pub(super) lost: bool,
}

impl Plan {
    pub(super) fn of(strand: &Strand, glance: Glance) -> Self {
        let present = glance.restarts;
        let begin = |run: i32, lost: bool| Self { run, after: After::Start, is_over: run < present, lost };
        match strand.run {
            None if strand.after == After::Start => begin((present - 1).max(0), present > 1),
            None => Self { run: present, after: strand.after, is_over: false, lost: false },
            Some(run) if run < present - 1 => begin(present - 1, true),
            Some(run) => Self { run, after: strand.after, is_over: run < present, lost: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::logs::Mark;
    use crate::ids::JobId;

    fn glance(restarts: i32) -> Glance {
        Glance { restarts, has_begun: true, is_final: false }
    }

    #[test]
    fn earlier_runs_are_read_first_as_far_as_they_are_kept() {
        let mark = After::Mark(Mark { since: None, count: 3, last: 9 });
        let plan = |run, after, restarts| {
            let plan = Plan::of(&Strand { run, after, ..Strand::of("a") }, glance(restarts));
            (plan.run, plan.after, plan.is_over, plan.lost)
        };
        assert_eq!(plan(None, After::Start, 0), (0, After::Start, false, false));
        assert_eq!(plan(None, After::Start, 1), (0, After::Start, true, false));
        assert_eq!(plan(None, After::Start, 5), (4, After::Start, true, true), "runs 0 to 3 are lost");
        assert_eq!(plan(Some(2), mark, 2), (2, mark, false, false));
        assert_eq!(plan(Some(2), mark, 3), (2, mark, true, false));
        assert_eq!(plan(Some(2), mark, 4), (3, After::Start, true, true), "the rest of run 2 is lost");
    }

    #[test]
    fn init_containers_are_read_one_after_the_other_and_the_others_together() {
        let stages = Stages::new(vec!["setup".into(), "fetch".into()], Vec::new(), vec!["a".into(), "b".into()]);
        let mut place = Place::start(JobId::from_uuid(uuid::Uuid::nil()), 0);
        let names = |place: &Place| place.strands.iter().map(|strand| strand.container.clone()).collect::<Vec<_>>();
        stages.enter(&mut place);
        assert_eq!(names(&place), ["setup"]);
        assert!(stages.go_on(&mut place));
        assert_eq!(names(&place), ["fetch"]);
        assert!(stages.go_on(&mut place));
        assert_eq!(names(&place), ["a", "b"]);
        assert!(!stages.go_on(&mut place));
        // A cursor of one of them alone: the other is read from its beginning.
        place.strands.remove(0);
        stages.enter(&mut place);
        assert_eq!(names(&place), ["a", "b"]);
        assert_eq!(stages.only("b").map(|one| one.names().count()), Some(1));
        assert_eq!(stages.only("c"), None);
        stages.go_to_last_begun(&mut place, |name| name == "setup" || name == "fetch");
        assert_eq!(names(&place), ["fetch"]);
    }

    #[test]
    fn what_runs_before_the_task_is_read_before() {
        let all = |init: &[&str], sidecars: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Stages::new(owned(init), owned(sidecars), owned(&["a"]))
        };
        let stages = all(&["setup"], &["proxy"]);
        assert_eq!(stages.names().collect::<Vec<_>>(), ["setup", "a", "proxy"]);
        let early = ["setup", "proxy", "a"].map(|name| stages.only(name).map(|only| only.begins_early()));
        assert_eq!(early, [Some(true), Some(true), Some(false)]);
        assert!(stages.begins_early() && !all(&[], &["proxy"]).begins_early() && !all(&[], &[]).begins_early());
    }
}
