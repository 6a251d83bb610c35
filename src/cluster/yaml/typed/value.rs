//! Deserializes a node into a type: what serde's visitors request, answered from the node.

use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::super::node::{Content, Field, Node};
use super::super::problem::{Step, push_key};
use super::super::scalar::Plain;
use super::super::words;
use super::{Reading, Stop};

/// A node being deserialized.
#[derive(Clone, Copy)]
pub(super) struct Value<'r, 'n> {
    pub(super) node: &'n Node,
    pub(super) reading: &'r Reading<'n>,
    /// The newtype being read, which says more about the expected value than its visitor.
    pub(super) newtype: Option<&'static str>,
}

impl<'n> Value<'_, 'n> {
    /// Records that the node is not `wanted`; reading continues with the zero value.
    fn is_no(&self, wanted: &str) {
        let what = format!("was {}; it must be {wanted}", words::of_value(self.node));
        self.reading.note(self.reading.problem(self.node, what));
    }

    /// Records why a visitor rejected the node.
    fn told<T>(&self, result: Result<T, Stop>) -> Result<T, Stop> {
        let (newtype, wanted) = match result {
            Ok(_) | Err(Stop::Told) => return result,
            Err(Stop::Missing(field)) => {
                // A field that exists and could not be read has already been reported.
                let may_have_it = self.node.is_null() || matches!(self.node.content, Content::Map(_));
                if may_have_it && self.node.get(field).is_none() {
                    let mut problem = self.reading.problem(self.node, "is missing".to_owned());
                    push_key(&mut problem.path, field);
                    self.reading.note(problem);
                }
                return Err(Stop::Told);
            }
            Err(Stop::Expected(wanted)) => (self.newtype, Some(wanted)),
            Err(Stop::Unfit) => (self.newtype, None),
        };
        let wanted = newtype.map(str::to_owned).or(wanted).map(|wanted| words::expected(&wanted));
        let what = match wanted {
            Some(wanted) => format!("was {}; it must be {wanted}", words::of_value(self.node)),
            None => format!("was {}, which is not valid here", words::of_value(self.node)),
        };
        let problem = self.reading.problem(self.node, what);
        *self.reading.stopped.borrow_mut() = Some((Some(std::ptr::from_ref(self.node)), problem));
        Err(Stop::Told)
    }

    fn whole<N: TryFrom<i64> + Default>(&self, least: i128, most: i128) -> N {
        let value = match &self.node.content {
            Content::Plain(Plain::Int(value), _) => match N::try_from(*value) {
                Ok(value) => return value,
                Err(_) => format!("a whole number from {least} to {most}"),
            },
            Content::Plain(Plain::Null, _) => return N::default(),
            Content::Text(text) if words::reads_as_number(text) => "a whole number: write it without quotes".to_owned(),
            _ => "a whole number".to_owned(),
        };
        self.is_no(&value);
        N::default()
    }

    fn fields<V: Visitor<'n>>(self, fields: &'n [Field], of: Option<Struct>, visitor: V) -> Result<V::Value, Stop> {
        let at_root = self.reading.steps.borrow().is_empty();
        let absent = |name: &&'static str| at_root && fields.iter().all(|field| *field.key != **name);
        let optional = self.reading.root.optional.filter(absent);
        let rest = fields.iter();
        let result = visitor.visit_map(Fields { map: self, at_root, of, rest, value: None, optional });
        self.told(result)
    }

    fn items<V: Visitor<'n>>(self, items: &'n [Node], visitor: V) -> Result<V::Value, Stop> {
        let result = visitor.visit_seq(Items { list: self, rest: items.iter().enumerate() });
        self.told(result)
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty),+) => {
        $(fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
            let value = self.whole::<$type>(<$type>::MIN.into(), <$type>::MAX.into());
            self.told(visitor.$visit(value))
        })+
    };
}

impl<'n> Deserializer<'n> for Value<'_, 'n> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        let result = match &self.node.content {
            Content::Plain(Plain::Null, _) if self.newtype == Some("Quantity") => visitor.visit_str("0"),
            Content::Plain(Plain::Null, _) => visitor.visit_unit(),
            Content::Plain(Plain::Bool(value), _) => visitor.visit_bool(*value),
            Content::Plain(Plain::Int(value), _) => visitor.visit_i64(*value),
            Content::Plain(Plain::Float(value), _) => visitor.visit_f64(*value),
            Content::Text(text) => visitor.visit_str(text),
            Content::List(list) => return self.items(list.items(), visitor),
            Content::Map(map) => return self.fields(map.fields(), None, visitor),
        };
        self.told(result)
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        let value = match &self.node.content {
            Content::Plain(Plain::Bool(value), _) => *value,
            Content::Plain(Plain::Null, _) => false,
            content => {
                let quoted = matches!(content, Content::Text(text) if words::reads_as_bool(text));
                self.is_no(if quoted { "true or false, without quotes" } else { "true or false" });
                false
            }
        };
        self.told(visitor.visit_bool(value))
    }

    whole_numbers!(
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    );

    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        let result = match &self.node.content {
            // The only strings that are validated while reading and have no newtype.
            Content::Text(text) if self.newtype.is_none() => {
                visitor.visit_str(text).map_err(|_: Stop| Stop::Expected("ByteString".to_owned()))
            }
            Content::Text(text) => visitor.visit_str(text),
            Content::Plain(Plain::Null, _) => visitor.visit_str(""),
            // A time has no zero value.
            _ if self.newtype.is_some() => Err(Stop::Unfit),
            Content::Plain(_, written) => {
                self.is_no("a string: put it in quotes");
                visitor.visit_str(written)
            }
            Content::List(_) | Content::Map(_) => {
                self.is_no("a string");
                visitor.visit_str("")
            }
        };
        self.told(result)
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        if self.node.is_null() { self.told(visitor.visit_none()) } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(Self { newtype: Some(name), ..self })
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        if !matches!(self.node.content, Content::List(_)) && !self.node.is_null() {
            self.is_no("a list");
        }
        self.items(self.node.items(), visitor)
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        if !matches!(self.node.content, Content::Map(_)) && !self.node.is_null() {
            self.is_no("a mapping");
        }
        self.fields(self.node.fields(), None, visitor)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if !matches!(self.node.content, Content::Map(_)) && !self.node.is_null() {
            self.is_no("a mapping");
        }
        self.fields(self.node.fields(), Some(Struct { name, fields }), visitor)
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        values: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let result = match &self.node.content {
            Content::Text(text) => visitor.visit_enum(IntoDeserializer::<Stop>::into_deserializer(&**text)),
            Content::Plain(..) | Content::List(_) | Content::Map(_) => Err(Stop::Unfit),
        };
        let one_of = |_| Stop::Expected(format!("one of {}", values.join(", ")));
        self.told(result.map_err(one_of))
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>> i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

/// A type with fixed fields.
#[derive(Clone, Copy)]
struct Struct {
    name: &'static str,
    fields: &'static [&'static str],
}

struct Fields<'r, 'n> {
    map: Value<'r, 'n>,
    at_root: bool,
    /// The type, if its fields are fixed.
    of: Option<Struct>,
    rest: std::slice::Iter<'n, Field>,
    /// The key whose value comes next.
    value: Option<(&'n str, &'n Node)>,
    /// A field that is missing and read as null.
    optional: Option<&'static str>,
}

impl<'n> MapAccess<'n> for Fields<'_, 'n> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        let reading = self.map.reading;
        for field in self.rest.by_ref() {
            let key = &*field.key;
            if (self.at_root && reading.root.without.contains(&key)) || reading.is_left_out(&field.value) {
                continue;
            }
            match self.of {
                Some(of) if !of.fields.contains(&key) && !reading.has_room() => {}
                Some(of) if !of.fields.contains(&key) => {
                    let mut what = format!("is not a field of {}", words::of_type(of.name));
                    if let Some(near) = words::nearest(key, of.fields) {
                        what += &format!("; did you mean {near:?}?");
                    }
                    let mut problem = reading.problem(&field.value, what);
                    push_key(&mut problem.path, key);
                    problem.place = field.place;
                    reading.note(problem);
                }
                _ => {
                    self.value = Some((key, &field.value));
                    return seed.deserialize(IntoDeserializer::<Stop>::into_deserializer(key)).map(Some);
                }
            }
        }
        let Some(name) = self.optional.take() else { return Ok(None) };
        self.value = Some((name, reading.null));
        seed.deserialize(IntoDeserializer::<Stop>::into_deserializer(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let reading = self.map.reading;
        let Some((key, node)) = self.value.take() else { return Err(Stop::Unfit) };
        if self.of.is_none() {
            reading.hold::<(String, S::Value)>(self.map.node)?;
        }
        reading.at(Step::Key(key), || seed.deserialize(Value { node, reading, newtype: None }))
    }
}

struct Items<'r, 'n> {
    list: Value<'r, 'n>,
    rest: std::iter::Enumerate<std::slice::Iter<'n, Node>>,
}

impl<'n> SeqAccess<'n> for Items<'_, 'n> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        let reading = self.list.reading;
        let Some((index, node)) = self.rest.by_ref().find(|(_, node)| !reading.is_left_out(node)) else {
            return Ok(None);
        };
        reading.hold::<S::Value>(self.list.node)?;
        reading.at(Step::Item(index), || seed.deserialize(Value { node, reading, newtype: None }).map(Some))
    }
}
