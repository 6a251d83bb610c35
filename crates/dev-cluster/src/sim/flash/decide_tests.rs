//! Tables and properties of the scheduling decision.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::resources::Resources;
use super::decide::{Decision, Wait, decide};
use super::snapshot::{Job, JobKey, NodeRoom, Queue, Reach, Snapshot, Task, TaskState};

fn gpus(count: i64) -> Resources {
    Resources { cpu_milli: 100, memory_bytes: 1, gpus: count, pods: 1 }
}

fn room(gpus: i64) -> Resources {
    Resources { cpu_milli: 10_000, memory_bytes: 100, gpus, pods: 20 }
}

fn key(name: &str) -> JobKey {
    JobKey { namespace: "ns".to_owned(), name: name.to_owned() }
}

fn job(name: &str, age: i64, queue: &str, min_available: usize, tasks: Vec<Task>) -> Job {
    Job {
        key: key(name),
        created: (age, name.to_owned()),
        queue: queue.to_owned(),
        min_available,
        tasks,
        refused: false,
    }
}

fn waiting(count: usize, each: i64) -> Vec<Task> {
    vec![Task { needs: gpus(each), reach: Reach::Everywhere, state: TaskState::Waiting }; count]
}

fn running(count: usize, each: i64, node: &str) -> Vec<Task> {
    vec![Task { needs: gpus(each), reach: Reach::Everywhere, state: TaskState::Placed(node.to_owned()) }; count]
}

/// Two nodes with this many free GPUs, a high queue that stays and a low one that may be preempted.
fn cluster(free: [i64; 2], jobs: Vec<Job>) -> Snapshot {
    let queue = |priority, preemptible| Queue { priority, preemptible, max_concurrent: None };
    let node = |free| NodeRoom { free: room(free), leaving: Resources::default() };
    Snapshot {
        nodes: [("n1".to_owned(), node(free[0])), ("n2".to_owned(), node(free[1]))].into(),
        queues: [("high".to_owned(), queue(100, false)), ("low".to_owned(), queue(1, true))].into(),
        jobs,
    }
}

fn started(decision: &Decision) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for placement in &decision.place {
        *counts.entry(placement.job.name.clone()).or_default() += 1;
    }
    counts
}

#[test]
fn a_gang_is_placed_whole_or_not_at_all() {
    let decision = decide(&cluster([2, 1], vec![job("a", 1, "high", 4, waiting(4, 1))]));
    assert_eq!(decision.place, []);
    assert_eq!(decision.waits[&key("a")], Wait::NoGpu { short: 1, of: 4, ahead: 0 });
    assert_eq!(started(&decide(&cluster([2, 2], vec![job("a", 1, "high", 4, waiting(4, 1))])))["a"], 4);
}

#[test]
fn tasks_beyond_the_gang_take_what_room_there_is() {
    let decision = decide(&cluster([2, 1], vec![job("a", 1, "high", 2, waiting(5, 1))]));
    assert_eq!(started(&decision)["a"], 3);
}

#[test]
fn the_higher_queue_goes_first_and_within_a_queue_the_older_job() {
    let jobs = vec![
        job("low", 1, "low", 1, waiting(1, 2)),
        job("young", 3, "high", 1, waiting(1, 2)),
        job("old", 2, "high", 1, waiting(1, 2)),
    ];
    let decision = decide(&cluster([2, 2], jobs));
    assert_eq!(started(&decision).into_keys().collect::<Vec<_>>(), ["old", "young"]);
    assert_eq!(decision.waits[&key("low")], Wait::NoGpu { short: 1, of: 1, ahead: 0 });
}

#[test]
fn a_full_queue_makes_its_jobs_wait() {
    let jobs = vec![job("a", 1, "high", 1, running(1, 1, "n1")), job("b", 2, "high", 1, waiting(1, 1))];
    let mut snapshot = cluster([5, 5], jobs);
    snapshot.queues.get_mut("high").unwrap().max_concurrent = Some(1);
    let decision = decide(&snapshot);
    assert_eq!(decision.place, []);
    assert_eq!(decision.waits[&key("b")], Wait::QueueFull { queue: "high".to_owned(), limit: 1, ahead: 0 });
}

#[test]
fn the_youngest_job_of_a_preemptible_queue_makes_room() {
    let jobs = vec![
        job("older", 1, "low", 1, running(1, 4, "n1")),
        job("younger", 2, "low", 1, running(1, 4, "n2")),
        job("urgent", 3, "high", 1, waiting(1, 4)),
    ];
    let decision = decide(&cluster([0, 0], jobs));
    assert_eq!(decision.preempt, [(key("younger"), key("urgent"))].into());
    assert_eq!(decision.waits[&key("urgent")], Wait::Preempting);
    assert_eq!(decision.place, []);
}

#[test]
fn nobody_is_preempted_in_vain() {
    let jobs = vec![
        job("small", 2, "low", 1, running(1, 1, "n1")),
        job("stays", 1, "high", 1, running(1, 7, "n1")),
        job("huge", 3, "high", 1, waiting(1, 8)),
    ];
    assert_eq!(decide(&cluster([0, 0], jobs)).preempt, BTreeMap::new());
}

#[test]
fn room_that_is_being_made_is_kept_and_not_made_twice() {
    let leaving = vec![Task { needs: gpus(4), reach: Reach::Everywhere, state: TaskState::Leaving }];
    let jobs = vec![
        job("victim", 1, "low", 1, leaving),
        job("other", 2, "low", 1, running(1, 4, "n2")),
        job("urgent", 3, "high", 1, waiting(1, 4)),
        job("late", 4, "low", 1, waiting(1, 2)),
    ];
    let mut snapshot = cluster([0, 0], jobs);
    snapshot.nodes.get_mut("n1").unwrap().leaving = gpus(4);
    let decision = decide(&snapshot);
    assert_eq!(decision.preempt, BTreeMap::new());
    assert_eq!(decision.waits[&key("urgent")], Wait::Preempting);
    assert!(matches!(decision.waits[&key("late")], Wait::NoGpu { .. }));
}

#[test]
fn a_job_of_no_queue_waits_for_it() {
    let decision = decide(&cluster([8, 8], vec![job("a", 1, "nowhere", 1, waiting(1, 1))]));
    assert_eq!(decision.waits[&key("a")], Wait::QueueMissing { queue: "nowhere".to_owned() });
}

#[test]
fn a_job_whose_pods_are_refused_takes_no_room_and_holds_no_place() {
    let refused = Job { refused: true, ..job("refused", 1, "high", 1, waiting(1, 8)) };
    let decision = decide(&cluster([8, 0], vec![refused, job("good", 2, "high", 1, waiting(1, 8))]));
    assert_eq!(started(&decision).into_keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(decision.waits, BTreeMap::new(), "what the API server says of it is not the decision's to tell");
}

fn only(node: &str, each: i64) -> Task {
    let reach = Reach::Only(std::sync::Arc::new([node.to_owned()].into()));
    Task { needs: gpus(each), reach, state: TaskState::Waiting }
}

#[test]
fn a_task_goes_only_where_it_may() {
    let decision = decide(&cluster([8, 8], vec![job("a", 1, "high", 1, vec![only("n2", 1)])]));
    assert_eq!(decision.place[0].node, "n2");
    let decision = decide(&cluster([8, 0], vec![job("a", 1, "high", 1, vec![only("n2", 1)])]));
    assert_eq!(decision.waits[&key("a")], Wait::NoGpu { short: 1, of: 1, ahead: 0 });
}

#[test]
fn tasks_that_may_go_anywhere_leave_room_for_those_that_may_not() {
    let tasks = [waiting(1, 8), vec![only("n1", 8)]].concat();
    let decision = decide(&cluster([8, 8], vec![job("a", 1, "high", 2, tasks)]));
    let nodes: BTreeMap<_, _> = decision.place.iter().map(|place| (place.task, place.node.as_str())).collect();
    assert_eq!(nodes, [(0, "n2"), (1, "n1")].into());
}

#[test]
fn a_gang_with_a_task_that_may_go_nowhere_says_so_and_preempts_nobody() {
    let why = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
    let nowhere = Task { needs: gpus(1), reach: Reach::Nowhere(why.into()), state: TaskState::Waiting };
    let tasks = [waiting(1, 1), vec![nowhere]].concat();
    let running = job("low", 1, "low", 1, running(1, 8, "n1"));
    let decision = decide(&cluster([0, 0], vec![running, job("a", 2, "high", 2, tasks)]));
    assert_eq!(decision.waits[&key("a")], Wait::NoNode { task: 1, why: why.to_owned() });
    assert_eq!((decision.place, decision.preempt), (vec![], BTreeMap::new()));
}

prop_compose! {
    fn any_job(index: usize)(
        queue in 0..3_usize,
        min in 1..4_usize,
        extra in 0..3_usize,
        each in 0..5_i64,
        placed_on in prop::option::of(0..2_usize),
    ) -> Job {
        let state = match placed_on {
            Some(node) => TaskState::Placed(["n1", "n2"][node].to_owned()),
            None => TaskState::Waiting,
        };
        let tasks = vec![Task { needs: gpus(each), reach: Reach::Everywhere, state }; min + extra];
        let age = i64::try_from(index).unwrap_or(0);
        job(&format!("j{index}"), age, ["high", "low", "batch"][queue], min, tasks)
    }
}

prop_compose! {
    fn any_snapshot()(
        free in [0..9_i64, 0..9_i64],
        limit in prop::option::of(1..3_usize),
        jobs in (0..7_usize).prop_flat_map(|count| (0..count).map(any_job).collect::<Vec<_>>()),
    ) -> Snapshot {
        let mut snapshot = cluster(free, jobs);
        snapshot.queues.insert("batch".to_owned(), Queue { priority: 10, preemptible: true, max_concurrent: limit });
        snapshot
    }
}

proptest! {
    #[test]
    fn no_node_is_overcommitted(snapshot in any_snapshot()) {
        let mut free: BTreeMap<_, _> =
            snapshot.nodes.iter().map(|(name, node)| (name.clone(), node.free)).collect();
        for placement in decide(&snapshot).place {
            let job = snapshot.jobs.iter().find(|job| job.key == placement.job).unwrap();
            let (room, needs) = (free.get_mut(&placement.node).unwrap(), job.tasks[placement.task].needs);
            prop_assert!(room.holds(&needs), "{placement:?} has no room");
            *room -= needs;
        }
    }

    #[test]
    fn no_part_of_a_gang_starts(snapshot in any_snapshot()) {
        let started = started(&decide(&snapshot));
        for job in &snapshot.jobs {
            let held = job.tasks.iter().filter(|task| task.state != TaskState::Waiting).count();
            let now = started.get(&job.key.name).copied().unwrap_or(0);
            prop_assert!(now == 0 || held + now >= job.min_available, "{:?} got {now}", job.key);
        }
    }

    #[test]
    fn only_lower_preemptible_queues_are_preempted(snapshot in any_snapshot()) {
        for (victim, winner) in decide(&snapshot).preempt {
            let queue = |key: &JobKey| {
                let job = snapshot.jobs.iter().find(|job| &job.key == key).unwrap();
                snapshot.queues[&job.queue]
            };
            prop_assert!(queue(&victim).preemptible);
            prop_assert!(queue(&victim).priority < queue(&winner).priority);
        }
    }

    #[test]
    fn no_queue_starts_more_jobs_than_it_may(snapshot in any_snapshot()) {
        let started = started(&decide(&snapshot));
        for (name, queue) in &snapshot.queues {
            let Some(limit) = queue.max_concurrent else { continue };
            let of_queue: Vec<_> = snapshot.jobs.iter().filter(|job| &job.queue == name).collect();
            let before = of_queue.iter().filter(|job| job.is_running()).count();
            let fresh = of_queue.iter().filter(|job| !job.is_running() && started.contains_key(&job.key.name)).count();
            prop_assert!(fresh == 0 || before + fresh <= limit);
        }
    }
}
