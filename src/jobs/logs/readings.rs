//! The logs of the containers that a reader reads in parallel, each opened in time.

use backon::{BackoffBuilder, ExponentialBackoff};
use futures::FutureExt;
use futures::future::select_all;
use tokio::time::Instant;

use super::cursor::Place;
use super::follow::{LOOK, Request, SOON};
use super::stages::Plan;
use super::tails::{Passage, Reading, Told};
use crate::cluster::ClusterError;
use crate::cluster::logs::{self, After, Glance, Source};
use crate::tasks::pauses;

/// What was read, and the index of its strand.
pub(super) enum Heard {
    Passage(usize, Passage),
    Ended(usize),
    Broken(usize, ClusterError),
}

/// One container's log.
struct Log {
    state: State,
    /// How long it stays closed when it has nothing to tell.
    pauses: ExponentialBackoff,
}

impl Log {
    /// To be opened now.
    fn new() -> Self {
        Self { state: State::Closed { at: Instant::now(), ended: false }, pauses: looks() }
    }

    /// Closes it until the next look. `ended`: it was read as far as it was there.
    fn close_for_a_while(&mut self, ended: bool) {
        let pause = self.pauses.next().unwrap_or(LOOK);
        self.state = State::Closed { at: Instant::now() + pause, ended };
    }
}

enum State {
    /// To be opened then. `ended`: it was read as far as it was there.
    Closed { at: Instant, ended: bool },
    Open {
        /// Boxed, because it is much larger than the other variant.
        reading: Box<Reading>,
        run: i32,
        /// The log of an earlier run: the next one follows.
        is_over: bool,
        /// Everything that the container will ever write has been read.
        is_final: bool,
    },
}

/// What is expected soon is looked for soon, and ever less often.
fn looks() -> ExponentialBackoff {
    pauses(SOON, LOOK).build()
}

/// The logs of one pod that are read at present, one for each strand of the place.
pub(super) struct Readings {
    pod: String,
    /// Whether the pod has ended.
    pod_ended: bool,
    logs: Vec<Log>,
}

impl Readings {
    /// For the pod with this name at the request's position.
    pub(super) fn of(request: &Request, pod: String, pod_ended: bool) -> Self {
        let mut readings = Self { pod, pod_ended, logs: Vec::new() };
        readings.begin(request);
        readings
    }

    /// The strands of the position have changed.
    pub(super) fn begin(&mut self, request: &Request) {
        self.logs = request.place.strands.iter().map(|_| Log::new()).collect();
    }

    /// When the next log is due to be opened.
    pub(super) fn next_opening(&self) -> Option<Instant> {
        let closed = self.logs.iter().filter_map(|log| match log.state {
            State::Closed { at, .. } => Some(at),
            State::Open { .. } => None,
        });
        closed.min()
    }

    /// Opens the logs that are due.
    ///
    /// # Errors
    /// The cluster's; [`ClusterError::NotFound`] if the pod no longer exists.
    pub(super) async fn open_due(&mut self, request: &mut Request) -> Result<(), ClusterError> {
        let now = Instant::now();
        let is_due = |place: &Place, index: usize, log: &Log| {
            let whole = place.strands.get(index).is_none_or(|strand| strand.whole);
            !whole && matches!(log.state, State::Closed { at, .. } if at <= now)
        };
        if !self.logs.iter().enumerate().any(|(index, log)| is_due(&request.place, index, log)) {
            return Ok(());
        }
        let uid = request.place.pod.clone().unwrap_or_default();
        let glances = logs::glance(&request.cluster, &request.namespace, &self.pod, &uid).await?;
        // If there is none, a kubelet has not reported it yet.
        let nothing = Glance { restarts: 0, has_begun: false, is_final: false };
        let of = |container: &str| glances.get(container).copied().unwrap_or(nothing);
        if let Some(count) = request.tail.take() {
            let Request { place, stages, .. } = request;
            stages.go_to_last_begun(place, |container| of(container).has_begun);
            for strand in place.strands.iter_mut().filter(|strand| of(&strand.container).has_begun) {
                let run = of(&strand.container).restarts;
                let source = Source {
                    namespace: request.namespace.clone(),
                    pod: self.pod.clone(),
                    uid: uid.clone(),
                    container: strand.container.clone(),
                    run,
                };
                strand.after = logs::before_last(&request.cluster, &source, count).await?;
                strand.run = Some(run);
            }
            self.begin(request);
        }
        let Request { place, tails, namespace, .. } = request;
        for (index, strand) in place.strands.iter_mut().enumerate() {
            let Some(log) = self.logs.get_mut(index) else { continue };
            let State::Closed { at, .. } = log.state else { continue };
            if strand.whole || at > now {
                continue;
            }
            let glance = of(&strand.container);
            let plan = Plan::of(strand, glance);
            place.missing |= plan.lost;
            strand.run = Some(plan.run);
            strand.after = plan.after;
            let source = Source {
                namespace: namespace.clone(),
                pod: self.pod.clone(),
                uid: uid.clone(),
                container: strand.container.clone(),
                run: plan.run,
            };
            let is_final = glance.is_final || self.pod_ended;
            let goes_on = !is_final && !plan.is_over;
            let reading = Box::new(tails.read(source, plan.after, goes_on));
            log.state = State::Open { reading, run: plan.run, is_over: plan.is_over, is_final };
        }
        Ok(())
    }

    /// The next item of any log; never ready while none is open. Cancel-safe: nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Heard {
        let open = self.logs.iter_mut().enumerate().filter_map(|(index, log)| match &mut log.state {
            State::Open { reading, .. } => Some(async move { (index, reading.next().await) }.boxed()),
            State::Closed { .. } => None,
        });
        let open: Vec<_> = open.collect();
        if open.is_empty() {
            return std::future::pending().await;
        }
        let ((index, told), ..) = select_all(open).await;
        match told {
            Told::Passage(passage) => {
                if let Some(log) = self.logs.get_mut(index) {
                    log.pauses = looks();
                }
                Heard::Passage(index, passage)
            }
            Told::Ended => Heard::Ended(index),
            Told::Broken(error) => Heard::Broken(index, error),
        }
    }

    /// A log has ended: its container continues with the next run, is complete, or is checked again.
    pub(super) fn ended(&mut self, place: &mut Place, index: usize) {
        let (Some(log), Some(strand)) = (self.logs.get_mut(index), place.strands.get_mut(index)) else { return };
        let State::Open { run, is_over, is_final, .. } = log.state else { return };
        if is_over {
            (strand.run, strand.after) = (Some(run + 1), After::Start);
            *log = Log::new();
            return;
        }
        strand.whole = is_final;
        log.close_for_a_while(true);
    }

    /// A log could not be opened, or broke off.
    ///
    /// # Errors
    /// An error that ends reading the pod.
    pub(super) fn broken(&mut self, place: &mut Place, index: usize, error: ClusterError) -> Result<(), ClusterError> {
        let (Some(log), Some(strand)) = (self.logs.get_mut(index), place.strands.get_mut(index)) else {
            return Err(error);
        };
        let State::Open { run, is_over, is_final, .. } = log.state else { return Err(error) };
        let now = Instant::now();
        match error {
            // The log of the earlier run no longer exists.
            ClusterError::Invalid(_) if is_over => {
                place.missing = true;
                (strand.run, strand.after) = (Some(run + 1), After::Start);
                log.state = State::Closed { at: now, ended: false };
            }
            // It has not started; if the pod has ended, it never did.
            ClusterError::Invalid(_) => {
                strand.whole = is_final;
                log.close_for_a_while(is_final);
            }
            // Started again while it was opened.
            ClusterError::Conflict(_) => log.state = State::Closed { at: now + SOON, ended: false },
            error => return Err(error),
        }
        Ok(())
    }

    /// Whether each log was read as far as it exists.
    pub(super) fn all_ended(&self) -> bool {
        self.logs.iter().all(|log| matches!(log.state, State::Closed { ended: true, .. }))
    }
}
