//! The schema without everything that is deprecated.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Directive;
use async_graphql::registry::{MetaField, MetaInputValue, MetaType, Registry};
use async_graphql::{ContextDirective, CustomDirective, CustomDirectiveFactory, ServerError, ServerResult};

/// Removes deprecated fields, arguments, input fields and enum values from the schema whose builder it is given to as
/// the last directive, together with the types that are only reachable through them. For printing that schema, not for
/// executing it.
#[derive(Debug, Clone, Copy)]
pub struct WithoutDeprecated;

impl CustomDirectiveFactory for WithoutDeprecated {
    fn name(&self) -> Cow<'static, str> {
        "withoutDeprecated".into()
    }

    fn register(&self, registry: &mut Registry) {
        for kind in registry.types.values_mut() {
            match kind {
                MetaType::Object { fields, .. } | MetaType::Interface { fields, .. } => current(fields),
                MetaType::InputObject { input_fields, .. } => current_inputs(input_fields),
                MetaType::Enum { enum_values, .. } => enum_values.retain(|_, value| !value.deprecation.is_deprecated()),
                MetaType::Scalar { .. } | MetaType::Union { .. } => {}
            }
        }
        registry.remove_unused_types();
    }

    fn create(&self, _: &ContextDirective<'_>, directive: &Directive) -> ServerResult<Box<dyn CustomDirective>> {
        Err(ServerError::new("this directive is for printing a schema", Some(directive.name.pos)))
    }
}

fn current(fields: &mut IndexMap<String, MetaField>) {
    fields.retain(|_, field| !field.deprecation.is_deprecated());
    fields.values_mut().for_each(|field| current_inputs(&mut field.args));
}

fn current_inputs(inputs: &mut IndexMap<String, MetaInputValue>) {
    inputs.retain(|_, input| !input.deprecation.is_deprecated());
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::{EmptyMutation, EmptySubscription, Enum, InputObject, Object, Schema, SimpleObject};

    #[derive(SimpleObject)]
    struct OnlyOld {
        name: String,
    }

    #[derive(Clone, Copy, PartialEq, Eq, Enum)]
    enum Colour {
        Red,
        #[graphql(deprecation = "say RED")]
        Rouge,
    }

    #[derive(InputObject)]
    struct Filter {
        colour: Option<Colour>,
        #[graphql(deprecation = "say colour")]
        color: Option<Colour>,
    }

    struct Query;

    #[Object]
    impl Query {
        async fn new(&self, filter: Filter, #[graphql(deprecation = "no use")] old: Option<i32>) -> Option<i32> {
            let Filter { colour, color } = filter;
            colour.or(color).map(|_| old.unwrap_or(0))
        }
        #[graphql(deprecation = "use new")]
        async fn old(&self) -> OnlyOld {
            OnlyOld { name: String::new() }
        }
    }

    #[test]
    fn what_is_deprecated_is_left_out_with_what_only_it_led_to() {
        let builder = || Schema::build(Query, EmptyMutation, EmptySubscription);
        assert!(builder().finish().sdl().contains("type OnlyOld"));
        let current = builder().directive(WithoutDeprecated).finish().sdl();
        let types = current.split("\"\"\"").next().unwrap_or_default().replace('\t', "  ");
        insta::assert_snapshot!(types, @r"
        enum Colour {
          RED
        }

        input Filter {
          colour: Colour
        }

        type Query {
          new(filter: Filter!): Int
        }
        ");
    }
}
