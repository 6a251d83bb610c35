//! Values for arguments and variables: most have the right type, and many refer to existing objects.

use async_graphql::parser::types::{BaseType, Type};
use async_graphql::{Name, Value};
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::types::Types;

/// Ids that are there, by their prefix, and others.
pub type Ids = Vec<String>;

const STRANGERS: [&str; 4] = ["job_01h455vb4pex5vsknk084sn02q", "user_01h455vb4pex5vsknk084sn02q", "nonsense", ""];
const TEXTS: [&str; 7] = ["", "a", "detection", "vision", "ZTA", "\u{1f600} \\ \" \n", "nonsense"];
const SIZES: [i64; 9] = [0, 1, 2, 3, 5, 20, 100, 101, -1];
const QUANTITIES: [&str; 4] = ["1", "500m", "1Gi", "many"];
const MOMENTS: [&str; 3] = ["2026-11-23T09:41:07Z", "2020-01-01T00:00:00+02:00", "yesterday"];

/// Makes values.
pub struct Values<'a> {
    pub types: &'a Types,
    pub ids: &'a Ids,
}

impl Values<'_> {
    /// A value of this type for the argument `name` of `of`.
    pub fn of(&self, random: &mut StdRng, ty: &Type, (of, name): (&str, &str), depth: usize) -> Value {
        if ty.nullable && (depth > 3 || random.random_bool(0.08)) {
            return Value::Null;
        }
        match &ty.base {
            // An item may stand for a list of it.
            BaseType::List(item) if random.random_bool(0.1) => self.of(random, item, (of, name), depth + 1),
            BaseType::List(item) => {
                let items = random.random_range(0..4);
                Value::List((0..items).map(|_| self.of(random, item, (of, name), depth + 1)).collect())
            }
            BaseType::Named(ty) => self.named(random, ty, (of, name), depth),
        }
    }

    fn named(&self, random: &mut StdRng, ty: &str, (of, name): (&str, &str), depth: usize) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        match ty {
            "ID" => text(&self.id(random, of, name)),
            "Int" => SIZES[random.random_range(0..SIZES.len())].into(),
            "Float" => 1.5.into(),
            "Boolean" => random.random_bool(0.5).into(),
            "String" | "FeedCursor" => text(TEXTS[random.random_range(0..TEXTS.len())]),
            "Quantity" => text(QUANTITIES[random.random_range(0..QUANTITIES.len())]),
            "DateTime" => text(MOMENTS[random.random_range(0..MOMENTS.len())]),
            "JSON" => Value::List(vec![1.into(), Value::Null]),
            _ => {
                let values = self.types.enum_values(ty);
                if !values.is_empty() {
                    return Value::Enum(Name::new(values[random.random_range(0..values.len())]));
                }
                self.object(random, ty, of, depth)
            }
        }
    }

    fn object(&self, random: &mut StdRng, ty: &str, of: &str, depth: usize) -> Value {
        let fields = self.types.input_fields(ty);
        let only = self.types.is_one_of(ty).then(|| random.random_range(0..fields.len()));
        let given = fields.iter().enumerate().filter_map(|(place, field)| {
            let is_needed = !field.ty.node.nullable && field.default_value.is_none();
            let is_given = match only {
                Some(only) => only == place,
                None => is_needed || (depth < 3 && random.random_bool(0.4)),
            };
            if !is_given {
                return None;
            }
            let mut ty = field.ty.node.clone();
            ty.nullable &= only.is_none();
            let value = self.of(random, &ty, (of, field.name.node.as_str()), depth + 1);
            Some((field.name.node.clone(), value))
        });
        Value::Object(given.collect())
    }

    /// For the most part an id of something that is there, and of the right kind.
    fn id(&self, random: &mut StdRng, of: &str, name: &str) -> String {
        if random.random_bool(0.15) {
            return STRANGERS[random.random_range(0..STRANGERS.len())].to_owned();
        }
        let kind = match name {
            "id" | "ids" => of,
            name => name,
        };
        let kind = kind.to_lowercase();
        let kind = kind.trim_end_matches("ids").trim_end_matches("id").trim_end_matches("file");
        let kind = kind.strip_prefix("config").filter(|rest| !rest.is_empty()).unwrap_or(kind);
        let of_kind: Vec<&String> = self.ids.iter().filter(|id| !kind.is_empty() && id.starts_with(kind)).collect();
        match of_kind.is_empty() {
            true => self.ids[random.random_range(0..self.ids.len())].clone(),
            false => of_kind[random.random_range(0..of_kind.len())].clone(),
        }
    }
}
