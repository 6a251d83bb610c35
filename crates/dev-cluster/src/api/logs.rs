//! Pod logs: proxied from the kubelet of the pod's node, as the real API server does.

use super::catalog::{CollectionId, ResourceKind};
use super::cluster::Cluster;
use super::request::ResourcePath;
use super::status::{ApiError, ApiResult};
use super::store::Key;
use axum::body::Body as HttpBody;
use axum::http::{Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http_body_util::BodyExt;
use kube::client::Body as KubeBody;
use serde_json::Value;

/// The port of a kubelet whose node does not name one.
const KUBELET_PORT: i64 = 10250;

/// Streams the log of a container.
pub async fn stream(cluster: &Cluster, kind: &ResourceKind, target: &ResourcePath, query: &str) -> ApiResult<Response> {
    let name = target.name.as_deref().unwrap_or_default();
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let pod = cluster.store.get(&kind.collection(), &Key::new(namespace, name));
    let pod = pod.ok_or_else(|| ApiError::not_found(kind, name))?;
    let (container, query) = split_container(query);
    let container = chosen_container(&pod, name, container)?;
    let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    if node.is_empty() {
        // A pod without a node has no log yet.
        return Ok(([(header::CONTENT_TYPE, "text/plain")], "").into_response());
    }
    let kubelet = kubelet(cluster, kind, node)?;
    let uri = format!("https://{kubelet}/containerLogs/{namespace}/{name}/{container}?{query}");
    let uri: Uri = uri.parse().map_err(ApiError::internal)?;
    let dial = format!("Get \"{uri}\": dial tcp {kubelet}");
    let request = Request::get(uri).body(KubeBody::empty()).map_err(ApiError::internal)?;
    let response =
        client(&kubelet)?.send(request).await.map_err(|error| ApiError::internal(format!("{dial}: {error}")))?;
    let status = response.status();
    if status != StatusCode::OK {
        let text = response.into_body().collect_bytes().await.map_err(ApiError::internal)?;
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        return Err(match status {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => ApiError::bad_request(text),
            _ => ApiError::internal(text),
        });
    }
    let stop = cluster.stop.clone();
    let body = response.into_body().into_data_stream().take_until(stop.cancelled_owned());
    Ok(([(header::CONTENT_TYPE, "text/plain")], HttpBody::from_stream(body)).into_response())
}

/// Takes `container` out of the query; the rest goes to the kubelet as it is.
fn split_container(query: &str) -> (Option<&str>, String) {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let (mut container, mut rest) = (None, Vec::new());
    for part in parts {
        match part.split_once('=') {
            Some(("container", name)) if !name.is_empty() => container = Some(name),
            Some(("container", _)) => {}
            _ => rest.push(part),
        }
    }
    (container, rest.join("&"))
}

fn chosen_container<'a>(pod: &'a Value, name: &str, wanted: Option<&'a str>) -> ApiResult<&'a str> {
    let names = |list: &str| -> Vec<&'a str> {
        let containers = pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array).into_iter().flatten();
        containers.filter_map(|container| container.get("name")?.as_str()).collect()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    match (wanted, main.as_slice()) {
        (Some(wanted), _) if main.contains(&wanted) || init.contains(&wanted) => Ok(wanted),
        (Some(wanted), _) => Err(ApiError::bad_request(format!("container {wanted} is not valid for pod {name}"))),
        (None, [only]) if init.is_empty() => Ok(only),
        (None, [first, ..])
            if pod.pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container").is_some() =>
        {
            Ok(first)
        }
        (None, _) => {
            let list = |names: &[&str]| format!("[{}]", names.join(" "));
            let init = if init.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: {}", list(&init))
            };
            Err(ApiError::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: {}{init}",
                list(&main)
            )))
        }
    }
}

/// A client of a kubelet.
pub fn client(kubelet: &str) -> ApiResult<kube::Client> {
    let mut config = kube::Config::new(format!("https://{kubelet}").parse().map_err(ApiError::internal)?);
    // Kubelets sign their own certificates, and the pretend ones are on this machine.
    config.accept_invalid_certs = true;
    config.read_timeout = None;
    kube::Client::try_from(config).map_err(ApiError::internal)
}

/// The address of a node's kubelet.
pub fn kubelet(cluster: &Cluster, pods: &ResourceKind, node_name: &str) -> ApiResult<String> {
    let node = cluster.store.get(&CollectionId::new("", "nodes"), &Key::new("", node_name));
    let node = node.ok_or_else(|| ApiError::not_found(pods, node_name))?;
    let port = node.pointer("/status/daemonEndpoints/kubeletEndpoint/Port").and_then(Value::as_i64);
    let addresses = node.pointer("/status/addresses").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of_type = |wanted: &str| addresses.iter().find(|address| address["type"] == wanted)?["address"].as_str();
    let address = ["InternalIP", "Hostname", "InternalDNS", "ExternalIP"].iter().find_map(|kind| of_type(kind));
    let address = address.ok_or_else(|| {
        ApiError::internal(format!("no preferred addresses found; known addresses: []; node {node_name}"))
    })?;
    Ok(format!("{address}:{}", port.unwrap_or(KUBELET_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_container_must_be_named_where_there_are_several() {
        let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}});
        let error = chosen_container(&pod, "p", None).expect_err("several");
        insta::assert_snapshot!(error.message, @"a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]");
        assert_eq!(chosen_container(&pod, "p", Some("b")).expect("named"), "b");
    }

    #[test]
    fn the_container_is_a_part_of_the_path_not_of_the_query() {
        assert_eq!(
            split_container("follow=true&container=a&tailLines=3"),
            (Some("a"), "follow=true&tailLines=3".to_owned())
        );
    }
}
