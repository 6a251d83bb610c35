//! The logs of the containers that a reader reads in parallel, each opened in time.

use std::time::Duration;

use futures::FutureExt;
use futures::future::select_all;
use tokio::time::Instant;

use super::cursor::Place;
use super::follow::{LOOK, Request, SOON};
use super::stages::Plan;
use super::tails::{Passage, Reading, Told};
use crate::cluster::ClusterError;
use crate::cluster::logs::{self, After, Glance, Source};

/// What was read, and the index of its strand.
pub(super) enum Heard {
    Passage(usize, Passage),
    Ended(usize),
    Broken(usize, ClusterError),
}

/// One container's log.
enum Log {
    /// To be opened then. `ended`: it was read as far as it was there.
    Closed { at: Instant, pause: Duration, ended: bool },
    Open {
        /// Boxed, because it is much larger than the other variant.
        reading: Box<Reading>,
        run: i32,
        /// The log of an earlier run: the next one follows.
        is_over: bool,
        /// Everything that the container will ever write has been read.
        is_final: bool,
        pause: Duration,
    },
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
        let closed = |_| Log::Closed { at: Instant::now(), pause: SOON, ended: false };
        self.logs = request.place.strands.iter().map(closed).collect();
    }

    /// When the next log is due to be opened.
    pub(super) fn next_opening(&self) -> Option<Instant> {
        let closed = self.logs.iter().filter_map(|log| match log {
            Log::Closed { at, .. } => Some(*at),
            Log::Open { .. } => None,
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
            !whole && matches!(log, Log::Closed { at, .. } if *at <= now)
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
            let Log::Closed { at, pause, .. } = *log else { continue };
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
            *log = Log::Open { reading, run: plan.run, is_over: plan.is_over, is_final, pause };
        }
        Ok(())
    }

    /// The next item of any log; never ready while none is open. Cancel-safe: nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Heard {
        let open = self.logs.iter_mut().enumerate().filter_map(|(index, log)| match log {
            Log::Open { reading, .. } => Some(async move { (index, reading.next().await) }.boxed()),
            Log::Closed { .. } => None,
        });
        let open: Vec<_> = open.collect();
        if open.is_empty() {
            return std::future::pending().await;
        }
        let ((index, told), ..) = select_all(open).await;
        match told {
            Told::Passage(passage) => {
                if let Some(Log::Open { pause, .. }) = self.logs.get_mut(index) {
                    *pause = SOON;
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
        let Log::Open { run, is_over, is_final, pause, .. } = *log else { return };
        let now = Instant::now();
        if is_over {
            (strand.run, strand.after) = (Some(run + 1), After::Start);
            *log = Log::Closed { at: now, pause: SOON, ended: false };
            return;
        }
        strand.whole = is_final;
        *log = Log::Closed { at: now + pause, pause: (pause * 2).min(LOOK), ended: true };
    }

    /// A log could not be opened, or broke off.
    ///
    /// # Errors
    /// An error that ends reading the pod.
    pub(super) fn broken(&mut self, place: &mut Place, index: usize, error: ClusterError) -> Result<(), ClusterError> {
        let (Some(log), Some(strand)) = (self.logs.get_mut(index), place.strands.get_mut(index)) else {
            return Err(error);
        };
        let Log::Open { run, is_over, is_final, pause, .. } = *log else { return Err(error) };
        let now = Instant::now();
        match error {
            // The log of the earlier run no longer exists.
            ClusterError::Invalid(_) if is_over => {
                place.missing = true;
                (strand.run, strand.after) = (Some(run + 1), After::Start);
                *log = Log::Closed { at: now, pause, ended: false };
            }
            // It has not started; if the pod has ended, it never did.
            ClusterError::Invalid(_) => {
                strand.whole = is_final;
                *log = Log::Closed { at: now + pause, pause: (pause * 2).min(LOOK), ended: is_final };
            }
            // Started again while it was opened.
            ClusterError::Conflict(_) => *log = Log::Closed { at: now + SOON, pause, ended: false },
            error => return Err(error),
        }
        Ok(())
    }

    /// Whether each log was read as far as it exists.
    pub(super) fn all_ended(&self) -> bool {
        self.logs.iter().all(|log| matches!(log, Log::Closed { ended: true, .. }))
    }
}
