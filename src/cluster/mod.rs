//! Everything that speaks Kubernetes: the client, the custom resources, names, namespaces, pods, their safety and logs.

pub mod claims;
pub(crate) mod client;
pub(crate) mod error;
pub(crate) mod file_pods;
pub mod image;
pub mod jobs;
pub(crate) mod logs;
pub mod names;
pub(crate) mod namespaces;
pub(crate) mod object_rules;
pub(crate) mod objects;
pub(crate) mod orphans;
pub mod parameters;
pub(crate) mod pod_resources;
pub mod pod_rules;
pub(crate) mod pods;
pub(crate) mod port_forward;
pub mod queues;
pub mod safety;
pub(crate) mod shares;
pub mod storage_classes;
pub(crate) mod text;
pub mod yaml;

pub use client::Cluster;
pub use cluster_resources::crd;
pub use error::ClusterError;
