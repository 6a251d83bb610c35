//! Pods whose Job is gone or is theirs no longer: nobody counts them any more, so nothing holds them.

use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use super::super::control::Trigger;
use super::super::informer::{Change, Informer};
use super::super::to_trigger;
use super::pods::TRACKING;
use super::{Controller, let_go, owner};

/// Every pod that changed, and all when a Job has gone.
pub(super) fn triggers(
    jobs: &Informer<Job>,
    pods: &Informer<Pod>,
) -> impl Stream<Item = Trigger<Pod>> + Send + 'static {
    let store = jobs.store();
    let by_job = jobs.changes().filter_map(move |change| {
        std::future::ready(match change {
            Change::One(job) => store.get(&ObjectRef::from_obj(job.as_ref())).is_none().then_some(Trigger::All),
            Change::All => Some(Trigger::All),
        })
    });
    stream::select(pods.changes().map(to_trigger), by_job)
}

/// Lets one pod go if it is an orphan.
pub(super) async fn reconcile(pod: Arc<Pod>, controller: Arc<Controller>) -> Result<Action, kube::Error> {
    if !pod.finalizers().iter().any(|name| name == TRACKING) {
        return Ok(Action::await_change());
    }
    if let Some((name, uid)) = owner(&pod) {
        let known = |job: &Arc<Job>| job.metadata.uid.as_ref() == Some(&uid);
        if controller.jobs.all().iter().any(known) {
            return Ok(Action::await_change());
        }
        // The cache may be behind: a pod can be seen before its Job.
        let jobs = Api::<Job>::namespaced(controller.client.clone(), &pod.namespace().unwrap_or_default());
        if jobs.get_opt(&name).await?.is_some_and(|job| job.metadata.uid == Some(uid)) {
            return Ok(Action::await_change());
        }
    }
    let_go(&pod, &controller).await?;
    Ok(Action::await_change())
}
