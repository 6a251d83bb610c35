//! The parameters of a template: declared in comments of its YAML, and used in its strings.
//!
//! ```yaml
//! # platform: param epochs int 10 How often the data is seen.
//! # platform: param image string - The image to run.
//! spec:
//!   containers:
//!   - {name: main, image: "${{ params.image }}", args: ["--epochs=${{ params.epochs }}"]}
//! ```
//!
//! A value is put into the parsed document, never into the text, so it cannot change the structure of the document. A
//! string in quotes stays a string; a scalar without quotes that is nothing but a placeholder gets the type of the
//! parameter.

mod declaration;
mod insertion;
#[cfg(test)]
mod tests;
mod types;
mod workflow;

use std::collections::{BTreeMap, HashSet};

use declaration::MAX_PARAMETERS;
pub use declaration::declared;
pub use insertion::Insertion;
pub use types::ParameterType;
pub use workflow::of_workflow;

use super::yaml::{Place, shown};

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of_type: ParameterType,
    /// The value that is used if none is given; without one, a value must be given.
    pub default: Option<String>,
    /// What it means.
    pub description: String,
    /// Where it is declared.
    pub place: Place,
}

/// The part of the input that a value is refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The name of the value with this index.
    Name(usize),
    /// The value with this index.
    Value(usize),
    /// The values as a whole.
    Whole,
}

/// The value of each declared parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values<'p> {
    values: BTreeMap<&'p str, (&'p ParameterType, String)>,
    /// Parameters without a value, which have an example of their type for a check.
    examples: HashSet<&'p str>,
}

impl<'p> Values<'p> {
    /// The defaults, and an example where there is none.
    pub fn defaults(parameters: &'p [Parameter]) -> Self {
        let value = |parameter: &'p Parameter| {
            let value = parameter.default.clone().unwrap_or_else(|| parameter.of_type.example());
            (parameter.name.as_str(), (&parameter.of_type, value))
        };
        let required = parameters.iter().filter(|parameter| parameter.default.is_none());
        Self {
            values: parameters.iter().map(value).collect(),
            examples: required.map(|parameter| parameter.name.as_str()).collect(),
        }
    }

    /// The defaults, and where there is none the placeholder itself if it is a text, or else an example.
    pub fn shown(parameters: &'p [Parameter]) -> Self {
        let mut values = Self::defaults(parameters);
        for (name, (of_type, value)) in &mut values.values {
            if values.examples.contains(name) && matches!(of_type, ParameterType::String | ParameterType::Enum(_)) {
                *value = format!("${{{{ params.{name} }}}}");
            }
        }
        values
    }

    /// The given values, each a name and a value, and the defaults of the others.
    ///
    /// # Errors
    /// Everything that is wrong with what is given, and every value that is missing.
    pub fn given(parameters: &'p [Parameter], given: &[(&str, &str)]) -> Result<Self, Vec<(Refused, String)>> {
        if given.len() > MAX_PARAMETERS {
            let what = format!("{} values are given; at most {MAX_PARAMETERS} are allowed", given.len());
            return Err(vec![(Refused::Whole, what)]);
        }
        let mut refused = Vec::new();
        let mut values = Self::defaults(parameters);
        let mut named = HashSet::new();
        for (index, (name, value)) in given.iter().enumerate() {
            let Some(parameter) = parameters.iter().find(|parameter| parameter.name == *name) else {
                let what = format!("there is no parameter {}; {}", shown(name), listed(parameters));
                refused.push((Refused::Name(index), what));
                continue;
            };
            if !named.insert(*name) {
                refused.push((Refused::Name(index), format!("the parameter {name} is given twice")));
                continue;
            }
            if let Err(why) = parameter.of_type.check(value) {
                refused.push((Refused::Value(index), format!("{name} was {}; it must be {why}", shown(value))));
            }
            values.examples.remove(*name);
            values.values.insert(&parameter.name, (&parameter.of_type, (*value).to_owned()));
        }
        for parameter in parameters.iter().filter(|parameter| values.examples.contains(parameter.name.as_str())) {
            let what = parameter.of_type.expected();
            refused.push((Refused::Whole, format!("the parameter {} is required; it must be {what}", parameter.name)));
        }
        if refused.is_empty() { Ok(values) } else { Err(refused) }
    }

    /// Each name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'p str, &str)> {
        self.values.iter().map(|(name, (_, value))| (*name, value.as_str()))
    }
}

/// Which parameters there are, as a part of a sentence.
fn listed(parameters: &[Parameter]) -> String {
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    match names.as_slice() {
        [] => "none is declared".to_owned(),
        [one] => format!("the only one is {one}"),
        several => format!("the parameters are {}", several.join(", ")),
    }
}
