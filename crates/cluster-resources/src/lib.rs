//! What the platform and its development cluster both have to know of Kubernetes: the Flash scheduler's custom resources,
//! and amounts of resources as Kubernetes writes them.

pub mod crd;
pub mod quantity;

pub use quantity::Quantity;
