//! The directives that declare the costs of fields, as defined by the GraphQL cost directives specification. They are
//! part of the SDL, so clients can calculate like the server does.

use async_graphql::indexmap::IndexMap;
use async_graphql::registry::{MetaDirectiveInvocation, Registry, location_traits};
use async_graphql::{InputType as _, TypeDirective};

pub use declared::{cost, list_size};

mod declared {
    #![allow(missing_docs, reason = "the library keeps the doc comments for the schema and gives its types none")]

    use super::TypeDirective;

    /// The cost of each object that a field returns, if it is not 1; on an argument, the additional cost of passing it.
    /// A whole number.
    ///
    /// Without this directive, an object costs 1, and a scalar or an enum value costs nothing. The cost of an operation
    /// is the sum of the costs of its selections, each multiplied by the sizes of the lists around it.
    #[TypeDirective(name = "cost", location = "FieldDefinition", location = "Object", location = "ArgumentDefinition")]
    pub fn cost(weight: String) {}

    /// The size of a list. `slicingArguments` are the arguments that determine it: the value of an Int, or the length
    /// of a list. `assumedSize` is the size if none of them is given. `sizedFields` are the fields of the returned
    /// object that contain the list. If `requireOneSlicingArgument` is true, an operation that passes none or several
    /// of the arguments is rejected.
    #[TypeDirective(name = "listSize", location = "FieldDefinition")]
    pub fn list_size(
        assumed_size: Option<i32>,
        slicing_arguments: Option<Vec<String>>,
        sized_fields: Option<Vec<String>>,
        #[graphql(default = true)] require_one_slicing_argument: bool,
    ) {
    }
}

/// `@listSize` for a field that returns a page of a connection.
#[allow(non_camel_case_types, reason = "the library names a directive's type as the directive")]
#[derive(Debug)]
pub struct connection_size;

/// `@listSize` for a list whose length is not determined by arguments, with the length that is assumed.
#[allow(non_camel_case_types, reason = "the library names a directive's type as the directive")]
#[derive(Debug)]
pub struct assumed_list;

impl connection_size {
    /// The directive for a page of [`DEFAULT_PAGE`](crate::graphql::connection::DEFAULT_PAGE) by default.
    pub fn apply() -> MetaDirectiveInvocation {
        let names = |names: [&str; 2]| names.map(str::to_owned).to_vec().to_value();
        let args = [
            ("assumedSize", crate::graphql::connection::DEFAULT_PAGE.to_value()),
            ("slicingArguments", names(["first", "last"])),
            ("sizedFields", names(["nodes", "edges"])),
            ("requireOneSlicingArgument", false.to_value()),
        ];
        invocation(args)
    }
}

impl assumed_list {
    /// The directive for a list of `items`.
    pub fn apply(items: i32) -> MetaDirectiveInvocation {
        invocation([("assumedSize", items.to_value())])
    }
}

fn invocation<const N: usize>(args: [(&str, async_graphql::Value); N]) -> MetaDirectiveInvocation {
    let args: IndexMap<_, _> = args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    MetaDirectiveInvocation { name: "listSize".to_owned(), args }
}

impl TypeDirective for connection_size {
    fn name(&self) -> std::borrow::Cow<'static, str> {
        list_size.name()
    }

    fn register(&self, registry: &mut Registry) {
        list_size.register(registry);
    }
}

impl TypeDirective for assumed_list {
    fn name(&self) -> std::borrow::Cow<'static, str> {
        list_size.name()
    }

    fn register(&self, registry: &mut Registry) {
        list_size.register(registry);
    }
}

impl location_traits::Directive_At_FIELD_DEFINITION for connection_size {}
impl location_traits::Directive_At_FIELD_DEFINITION for assumed_list {}
