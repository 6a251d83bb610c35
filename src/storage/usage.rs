//! How full the volumes of claims are, as the kubelets tell Prometheus. Every server reads it for itself, in the background, so
//! that nobody who asks waits for Prometheus.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use crate::config::PrometheusAddress;
use crate::outbound::{self, BodyError};
use crate::tasks::{Duty, Tasks};

/// The interval at which Prometheus is asked. Kubelets measure volumes once a minute.
const REFRESH: Duration = Duration::from_secs(60);
/// The interval at which a Prometheus that does not answer is asked again.
const RETRY: Duration = Duration::from_secs(10);
/// The time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The age at which a measurement is no longer shown: Prometheus itself forgets a series after the same time.
const STALE_AFTER: Duration = Duration::from_secs(300);
/// The largest answer in bytes: about 40,000 volumes.
const LARGEST_ANSWER: usize = 64 << 20;
/// The metrics of the kubelet, all in one answer
/// (<https://kubernetes.io/docs/reference/instrumentation/metrics/>, `kubelet_volume_stats_*`).
const QUERY: &str =
    r#"{__name__=~"kubelet_volume_stats_(used_bytes|available_bytes|capacity_bytes|inodes_used|inodes)"}"#;

/// How full a volume is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The bytes in use.
    pub used_bytes: Option<i64>,
    /// The bytes that are free for those who are not root.
    pub available_bytes: Option<i64>,
    /// The bytes of the file system.
    pub capacity_bytes: Option<i64>,
    /// The files, folders and links.
    pub inodes_used: Option<i64>,
    /// The number of them that the file system can have.
    pub inodes: Option<i64>,
}

/// The claims of a namespace, by name.
type Volumes = HashMap<String, Usage>;

#[derive(Debug)]
struct Measured {
    at: DateTime<Utc>,
    namespaces: HashMap<String, Volumes>,
}

/// How full volumes are, as last read. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Usages(Arc<ArcSwapOption<Measured>>);

/// Why Prometheus did not say how full volumes are.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error("Prometheus does not answer")]
    Away(#[from] reqwest::Error),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("Prometheus answered with status {0}")]
    Status(reqwest::StatusCode),
    #[error("the answer of Prometheus is not a vector of samples")]
    Answer(#[from] serde_json::Error),
    #[error("the answer of Prometheus could not be read to the end")]
    Reading(#[from] tokio::task::JoinError),
}

impl Usages {
    /// How full the volume of the claim with this name is, and when that was read. `None` if it is not known: nothing mounts it,
    /// its driver does not tell, or Prometheus does not answer.
    pub fn of(&self, namespace: &str, claim: &str) -> Option<(Usage, DateTime<Utc>)> {
        let measured = self.0.load();
        let measured = measured.as_ref().filter(|measured| is_fresh(measured.at))?;
        let usage = measured.namespaces.get(namespace)?.get(claim)?;
        Some((*usage, measured.at))
    }

    /// Starts reading how full volumes are, for as long as the server runs.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn watch(&self, tasks: &Tasks, prometheus: PrometheusAddress) -> anyhow::Result<()> {
        let client = outbound::to_configured(PATIENCE)?;
        let kept = self.clone();
        let keep = move || kept.clone().keep(client.clone(), prometheus.clone());
        tasks.supervise("volume usage", Duty::Housekeeping, keep);
        Ok(())
    }

    async fn keep(self, client: reqwest::Client, prometheus: PrometheusAddress) {
        let url = prometheus.query();
        let mut known = true;
        loop {
            let read = read(&client, &url, prometheus.account()).await;
            metrics::gauge!("platform_prometheus_up").set(if read.is_ok() { 1.0 } else { 0.0 });
            if let Err(error) = read.as_ref().map_err(|error| error as &dyn std::error::Error)
                && known
            {
                tracing::warn!(error, "it is not known how full volumes are");
            }
            known = read.is_ok();
            if let Ok(namespaces) = read {
                self.0.store(Some(Arc::new(Measured { at: Utc::now(), namespaces })));
            }
            tokio::time::sleep(if known { REFRESH } else { RETRY }).await;
        }
    }
}

fn is_fresh(at: DateTime<Utc>) -> bool {
    Utc::now().signed_duration_since(at).to_std().is_ok_and(|age| age < STALE_AFTER)
}

async fn read(
    client: &reqwest::Client,
    url: &Url,
    account: Option<(&str, &str)>,
) -> Result<HashMap<String, Volumes>, Unknown> {
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("query", QUERY).finish();
    let request =
        client.post(url.clone()).header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
    let request =
        account.into_iter().fold(request, |request, (name, password)| request.basic_auth(name, Some(password)));
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    if !response.status().is_success() {
        return Err(Unknown::Status(response.status()));
    }
    let body = outbound::body(&mut response, LARGEST_ANSWER).await?;
    // Large answers take a while to parse.
    Ok(tokio::task::spawn_blocking(move || parse(&body)).await??)
}

/// The answer to an instant query (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
#[derive(Deserialize)]
struct Answer {
    data: Vector,
}

#[derive(Deserialize)]
struct Vector {
    result: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    metric: Labels,
    /// The time, and the value as text.
    value: (f64, String),
}

#[derive(Deserialize)]
struct Labels {
    #[serde(rename = "__name__")]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    persistentvolumeclaim: String,
}

fn parse(body: &[u8]) -> Result<HashMap<String, Volumes>, serde_json::Error> {
    let answer: Answer = serde_json::from_slice(body)?;
    let mut namespaces: HashMap<String, Volumes> = HashMap::new();
    for Sample { metric, value: (_, text) } in answer.data.result {
        let Some(value) = amount(&text) else { continue };
        let usage = namespaces.entry(metric.namespace).or_default().entry(metric.persistentvolumeclaim).or_default();
        let of_metric = match metric.name.strip_prefix("kubelet_volume_stats_") {
            Some("used_bytes") => &mut usage.used_bytes,
            Some("available_bytes") => &mut usage.available_bytes,
            Some("capacity_bytes") => &mut usage.capacity_bytes,
            Some("inodes_used") => &mut usage.inodes_used,
            Some("inodes") => &mut usage.inodes,
            Some(_) | None => continue,
        };
        // Each node that has the volume mounted has a series. They differ by the time at which they were measured.
        *of_metric = (*of_metric).max(Some(value));
    }
    Ok(namespaces)
}

/// A sample as a whole number; `None` for NaN, infinity and negative numbers.
fn amount(text: &str) -> Option<i64> {
    let value: f64 = text.parse().ok()?;
    // A cast saturates.
    (value.is_finite() && value >= 0.0).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;

    use super::*;

    const SAMPLES: &str = r#"{"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"__name__": "kubelet_volume_stats_used_bytes", "namespace": "proj-a", "persistentvolumeclaim": "data", "instance": "one"}, "value": [1764201600.1, "1.073741824e+09"]},
        {"metric": {"__name__": "kubelet_volume_stats_used_bytes", "namespace": "proj-a", "persistentvolumeclaim": "data", "instance": "two"}, "value": [1764201600.1, "1073745920"]},
        {"metric": {"__name__": "kubelet_volume_stats_available_bytes", "namespace": "proj-a", "persistentvolumeclaim": "data"}, "value": [1764201600.1, "9663676416"]},
        {"metric": {"__name__": "kubelet_volume_stats_capacity_bytes", "namespace": "proj-a", "persistentvolumeclaim": "data"}, "value": [1764201600.1, "10737418240"]},
        {"metric": {"__name__": "kubelet_volume_stats_inodes_used", "namespace": "proj-a", "persistentvolumeclaim": "data"}, "value": [1764201600.1, "11"]},
        {"metric": {"__name__": "kubelet_volume_stats_inodes", "namespace": "proj-a", "persistentvolumeclaim": "data"}, "value": [1764201600.1, "NaN"]},
        {"metric": {"__name__": "kubelet_volume_stats_used_bytes", "namespace": "proj-b", "persistentvolumeclaim": "data"}, "value": [1764201600.1, "+Inf"]}]}}"#;

    #[test]
    fn the_fullest_series_of_a_claim_counts_and_what_is_no_number_is_unknown() {
        let namespaces = parse(SAMPLES.as_bytes()).unwrap();
        insta::assert_debug_snapshot!(namespaces["proj-a"], @r#"
        {
            "data": Usage {
                used_bytes: Some(
                    1073745920,
                ),
                available_bytes: Some(
                    9663676416,
                ),
                capacity_bytes: Some(
                    10737418240,
                ),
                inodes_used: Some(
                    11,
                ),
                inodes: None,
            },
        }
        "#);
        assert!(!namespaces.contains_key("proj-b"));
        assert!(parse(br#"{"status": "error", "error": "too many samples"}"#).is_err());
    }

    /// A server that answers as Prometheus does; it keeps the requests.
    async fn prometheus(status: StatusCode, body: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        let answer = move |headers: http::HeaderMap, form: String| {
            let account = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
            kept.lock().unwrap().push(format!("{account} {form}"));
            async move { (status, body) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/prefix/api/v1/query", post(answer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (format!("http://reader:secret@{address}/prefix/"), asked)
    }

    #[tokio::test]
    async fn prometheus_is_asked_under_its_path_with_its_account() {
        let (address, asked) = prometheus(StatusCode::OK, SAMPLES).await;
        let usages = Usages::default();
        let tasks = Tasks::default();
        usages.watch(&tasks, address.parse().unwrap()).unwrap();
        let (usage, _) = loop {
            match usages.of("proj-a", "data") {
                Some(found) => break found,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        assert_eq!(usage.used_bytes, Some(1_073_745_920));
        assert_eq!(usages.of("proj-a", "other"), None);
        assert_eq!(usages.of("proj-c", "data"), None);
        let asked = asked.lock().unwrap().join("\n");
        assert!(asked.starts_with("Basic cmVhZGVyOnNlY3JldA== query=%7B__name__"), "{asked}");
        tasks.shutdown(PATIENCE).await;
    }

    #[tokio::test]
    async fn what_prometheus_says_no_more_is_forgotten() {
        let usages = Usages::default();
        let namespaces = parse(SAMPLES.as_bytes()).unwrap();
        let long_ago = Utc::now() - STALE_AFTER;
        usages.0.store(Some(Arc::new(Measured { at: long_ago, namespaces })));
        assert_eq!(usages.of("proj-a", "data"), None);
    }

    #[tokio::test]
    async fn an_answer_that_is_none_says_what_it_was() {
        let refused = |status, body| async move {
            let (address, _) = prometheus(status, body).await;
            let address: PrometheusAddress = address.parse().unwrap();
            let client = outbound::to_configured(PATIENCE).unwrap();
            read(&client, &address.query(), address.account()).await.unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(StatusCode::UNAUTHORIZED, "").await, @"Prometheus answered with status 401 Unauthorized");
        insta::assert_snapshot!(refused(StatusCode::OK, "<html>").await, @"the answer of Prometheus is not a vector of samples");
        insta::assert_snapshot!(refused(StatusCode::FOUND, "").await, @"Prometheus answered with status 302 Found");
    }
}
