//! Everything that speaks Kubernetes: the client, the custom resources, names, namespaces, pods, their safety and logs.

pub mod client;
pub mod error;
pub mod image;
pub mod logs;
pub mod names;
pub mod namespaces;
pub mod object_rules;
pub mod objects;
pub mod pod_resources;
pub mod pod_rules;
pub mod pods;
pub mod queues;
pub mod safety;
pub mod text;
pub mod yaml;

pub use client::Cluster;
pub use cluster_resources::crd;
pub use error::ClusterError;
