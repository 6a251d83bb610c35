//! The scheduling decision: which jobs start where, which are preempted, and why the others wait. A pure function.
//!
//! Jobs are taken by the priority of their queue, then by age. A job starts when its queue is below its limit and at least
//! `minAvailable` of its tasks have room; the remaining tasks follow as room allows. A job that does not fit does not hold up
//! the ones behind it, except that room which preemption is making for it is kept.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::resources::Resources;
use super::snapshot::{Job, JobKey, NodeRoom, Queue, Reach, Snapshot, Task, TaskState};

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Pods to make.
    pub(crate) place: Vec<Placement>,
    /// Running jobs to stop, and for whom.
    pub(crate) preempt: BTreeMap<JobKey, JobKey>,
    /// Why jobs wait.
    pub(crate) waits: BTreeMap<JobKey, Wait>,
}

/// A pod to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) job: JobKey,
    /// The task's position in the job.
    pub(crate) task: usize,
    pub(crate) node: String,
}

/// Why a job waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Its queue does not exist.
    QueueMissing { queue: String },
    /// Its queue runs as many jobs as it may.
    QueueFull { queue: String, limit: usize, ahead: usize },
    /// Not enough GPUs for the gang; `ahead` jobs wait before it.
    NoGpu { short: usize, of: usize, ahead: usize },
    /// Not enough room of another kind for the gang.
    GangShort { short: usize, of: usize, ahead: usize },
    /// No node is one that this task may be on.
    NoNode { task: usize, why: String },
    /// Room is being made by preemption.
    Preempting,
}

type Rooms = BTreeMap<String, Resources>;

/// Decides what to do about a snapshot.
pub(crate) fn decide(snapshot: &Snapshot) -> Decision {
    let mut board = Board::new(snapshot);
    let mut order: Vec<(&Job, Option<&Queue>)> =
        snapshot.jobs.iter().map(|job| (job, snapshot.queues.get(&job.queue))).collect();
    order.sort_by_key(|(job, queue)| (Reverse(queue.map(|queue| queue.priority)), &job.created, &job.key));
    for (job, queue) in order {
        match queue {
            None => board.wait(job, Wait::QueueMissing { queue: job.queue.clone() }),
            Some(queue) => board.consider(job, queue),
        }
    }
    board.decision
}

struct Board<'a> {
    snapshot: &'a Snapshot,
    /// Room now.
    free: Rooms,
    /// Room once all that is leaving has left; less than `free` where it is kept for somebody.
    coming: Rooms,
    running: BTreeMap<&'a str, usize>,
    decision: Decision,
}

impl<'a> Board<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let rooms = |room: fn(&NodeRoom) -> Resources| {
            snapshot.nodes.iter().map(|(name, node)| (name.clone(), room(node))).collect()
        };
        let mut running = BTreeMap::new();
        for job in snapshot.jobs.iter().filter(|job| job.is_running()) {
            *running.entry(job.queue.as_str()).or_default() += 1;
        }
        Self {
            snapshot,
            free: rooms(|node| node.free),
            coming: rooms(|node| node.free + node.leaving),
            running,
            decision: Decision::default(),
        }
    }

    fn wait(&mut self, job: &Job, wait: Wait) {
        self.decision.waits.insert(job.key.clone(), wait);
    }

    fn consider(&mut self, job: &'a Job, queue: &Queue) {
        if job.refused || self.decision.preempt.contains_key(&job.key) {
            return;
        }
        let waiting = waiting_tasks(job);
        if waiting.is_empty() {
            return;
        }
        if job.is_started() {
            let placed = fit(&mut self.both(), &waiting);
            self.place(job, placed);
            return;
        }
        let ahead = self.decision.waits.len();
        let limit = queue.max_concurrent.unwrap_or(usize::MAX);
        let running = self.running.get(job.queue.as_str()).copied().unwrap_or(0);
        if running >= limit && !job.is_running() {
            return self.wait(job, Wait::QueueFull { queue: job.queue.clone(), limit, ahead });
        }
        // A gang that lost members counts those it still has.
        let held = job.tasks.len() - waiting.len() - leaving(job);
        let needed = job.min_available.saturating_sub(held).max(1);
        let placed = fit(&mut self.both(), &waiting);
        if placed.len() >= needed {
            if !job.is_running() {
                *self.running.entry(&job.queue).or_default() += 1;
            }
            return self.place(job, placed);
        }
        let nowhere = |(task, wanted): &(usize, Task)| match &wanted.reach {
            Reach::Nowhere(why) => Some(Wait::NoNode { task: *task, why: why.to_string() }),
            Reach::Everywhere | Reach::Only(_) => None,
        };
        let homeless = waiting.iter().filter(|(_, task)| matches!(task.reach, Reach::Nowhere(_))).count();
        if let Some(wait) = waiting.iter().find_map(nowhere)
            && waiting.len() - homeless < needed
        {
            return self.wait(job, wait);
        }
        let mut coming = self.coming.clone();
        if fit(&mut coming, &waiting).len() >= needed {
            self.coming = coming;
            return self.wait(job, Wait::Preempting);
        }
        if let Some((victims, coming)) = self.victims(queue, &waiting, needed) {
            for victim in victims {
                self.decision.preempt.insert(victim, job.key.clone());
            }
            self.coming = coming;
            return self.wait(job, Wait::Preempting);
        }
        let (short, of) = (needed - placed.len().min(needed), job.min_available);
        let mut without_gpu = waiting.clone();
        without_gpu.iter_mut().for_each(|(_, task)| task.needs.gpus = 0);
        let gpus_are_the_cause = fit(&mut self.both(), &without_gpu).len() >= needed;
        self.wait(
            job,
            if gpus_are_the_cause { Wait::NoGpu { short, of, ahead } } else { Wait::GangShort { short, of, ahead } },
        );
    }

    /// Room that is free now and not kept for somebody.
    fn both(&self) -> Rooms {
        let least = |a: &Resources, b: &Resources| Resources {
            cpu_milli: a.cpu_milli.min(b.cpu_milli),
            memory_bytes: a.memory_bytes.min(b.memory_bytes),
            gpus: a.gpus.min(b.gpus),
            pods: a.pods.min(b.pods),
        };
        self.free
            .iter()
            .map(|(name, free)| (name.clone(), self.coming.get(name).map_or(*free, |coming| least(free, coming))))
            .collect()
    }

    fn place(&mut self, job: &Job, placed: Vec<(usize, String)>) {
        for (task, node) in placed {
            let needs = job.tasks[task].needs;
            for rooms in [&mut self.free, &mut self.coming] {
                if let Some(room) = rooms.get_mut(&node) {
                    *room -= needs;
                }
            }
            self.decision.place.push(Placement { job: job.key.clone(), task, node });
        }
    }

    /// The fewest of the least important jobs that have to go, and the room there will be after `waiting` took its place.
    fn victims(&self, queue: &Queue, waiting: &[(usize, Task)], needed: usize) -> Option<(Vec<JobKey>, Rooms)> {
        let mut candidates: Vec<_> = (self.snapshot.jobs.iter())
            .filter(|job| job.is_running() && !self.decision.preempt.contains_key(&job.key))
            .filter_map(|job| Some((self.snapshot.queues.get(&job.queue)?, job)))
            .filter(|(theirs, _)| theirs.preemptible && theirs.priority < queue.priority)
            .collect();
        // The least important queue first, in it the youngest job: it has the least to lose.
        candidates.sort_by_key(|(theirs, job)| (theirs.priority, Reverse(&job.created)));
        let mut chosen: Vec<&Job> = Vec::new();
        let mut room = self.coming.clone();
        for (_, job) in candidates {
            give_back(&mut room, job);
            chosen.push(job);
            if fit(&mut room.clone(), waiting).len() >= needed {
                break;
            }
        }
        if fit(&mut room.clone(), waiting).len() < needed {
            return None;
        }
        // Some may have been taken in vain: let go of those that are not needed, the most important first.
        let mut spared = BTreeSet::new();
        for job in chosen.iter().rev() {
            let mut without = self.coming.clone();
            let others = chosen.iter().filter(|other| other.key != job.key && !spared.contains(&other.key));
            others.for_each(|other| give_back(&mut without, other));
            if fit(&mut without.clone(), waiting).len() >= needed {
                spared.insert(job.key.clone());
                room = without;
            }
        }
        fit(&mut room, waiting);
        let victims = chosen.into_iter().map(|job| job.key.clone()).filter(|key| !spared.contains(key)).collect();
        Some((victims, room))
    }
}

/// The tasks that are to be placed, those with the least choice among nodes first.
fn waiting_tasks(job: &Job) -> Vec<(usize, Task)> {
    let tasks = job.tasks.iter().enumerate();
    let waiting = tasks.filter(|(_, task)| task.state == TaskState::Waiting);
    let mut waiting: Vec<_> = waiting.map(|(index, task)| (index, task.clone())).collect();
    waiting.sort_by_key(|(_, task)| task.reach.size(usize::MAX));
    waiting
}

fn leaving(job: &Job) -> usize {
    job.tasks.iter().filter(|task| task.state == TaskState::Leaving).count()
}

fn give_back(rooms: &mut Rooms, job: &Job) {
    for task in &job.tasks {
        if let TaskState::Placed(node) = &task.state
            && let Some(room) = rooms.get_mut(node)
        {
            *room += task.needs;
        }
    }
}

/// Places as many tasks as there is room for, each on the node where it leaves the fewest GPUs idle.
fn fit(rooms: &mut Rooms, tasks: &[(usize, Task)]) -> Vec<(usize, String)> {
    let mut placed = Vec::new();
    for (index, Task { needs, reach, .. }) in tasks {
        let fitting = rooms.iter_mut().filter(|(name, room)| reach.holds(name) && room.holds(needs));
        if let Some((name, room)) = fitting.min_by_key(|(_, room)| (room.gpus - needs.gpus, room.cpu_milli)) {
            *room -= *needs;
            placed.push((*index, name.clone()));
        }
    }
    placed
}
