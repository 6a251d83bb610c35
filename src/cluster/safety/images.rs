//! Images and GPUs of containers.

use serde_json::{Map, Value};

use super::{Walk, member, shown};
use crate::cluster::image::ImageReference;
use crate::quantity::Quantity;

/// The resource name of a GPU.
pub const GPU: &str = "nvidia.com/gpu";

/// An image must be a reference; in a workflow it may contain template tags.
pub fn image(walk: &mut Walk, image: &Value, path: &str) {
    let why = match image.as_str().map(|text| (walk.is_filled_in(text), text.parse::<ImageReference>())) {
        Some((true, _) | (false, Ok(_))) => return,
        Some((false, Err(error))) => {
            format!("was {}, which is not an image reference: {}", shown(image), error.problem)
        }
        None => format!("was {}; it must be an image reference such as \"python:3.12\"", shown(image)),
    };
    walk.note(path, why);
}

/// Kubernetes does not overcommit GPUs: request and limit must be equal. A limit alone is both.
pub fn gpus(walk: &mut Walk, fields: &Map<String, Value>, path: &str) {
    let amount = |list: &str| member(fields, list)?.get(GPU).filter(|amount| !amount.is_null());
    let Some(asked) = amount("requests") else { return };
    let allowed = amount("limits");
    let asked_amount = Quantity::of_json(asked);
    let equal = asked_amount.is_some() && asked_amount == allowed.and_then(Quantity::of_json);
    if !equal {
        let limit = allowed.map_or("no limit".to_owned(), |allowed| format!("a limit of {}", shown(allowed)));
        let why = format!("requests {} GPUs with {limit}; the limit must be equal to the request", shown(asked));
        walk.note(path, why);
    }
}
