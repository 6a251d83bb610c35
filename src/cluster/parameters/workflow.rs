//! The parameters that an Argo Workflow declares itself.

use super::{Parameter, ParameterType};
use crate::cluster::yaml::{Content, Node};

/// The parameters in `spec.arguments` of a Workflow. Argo's values are texts; numbers and booleans are read as they are
/// written.
pub fn of_workflow(workflow: &Node) -> Vec<Parameter> {
    let declared = workflow.at("spec.arguments.parameters").map(Node::items).unwrap_or_default();
    declared.iter().filter_map(of_argument).collect()
}

fn of_argument(argument: &Node) -> Option<Parameter> {
    let text = |key: &str| argument.get(key).and_then(scalar);
    let choices = argument.get("enum").map(Node::items).filter(|choices| !choices.is_empty());
    let default = text("value").or_else(|| text("default"));
    Some(Parameter {
        name: text("name")?,
        of_type: match choices {
            Some(choices) => ParameterType::Enum(choices.iter().filter_map(scalar).collect()),
            None => ParameterType::String,
        },
        // What Argo reads from somewhere else need not be given.
        default: default.or_else(|| argument.get("valueFrom").map(|_| String::new())),
        description: text("description").unwrap_or_default(),
        place: argument.place,
    })
}

fn scalar(node: &Node) -> Option<String> {
    match &node.content {
        Content::Text(text) | Content::Plain(_, text) if !node.is_null() => Some(text.to_string()),
        Content::Text(_) | Content::Plain(..) | Content::List(_) | Content::Map(_) => None,
    }
}
