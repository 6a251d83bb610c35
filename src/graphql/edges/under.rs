//! The lists that rooms have under a type of another room: the fields stand in the rooms, the type only names them.

/// An object of the fields that these objects have, each made of the parent's id. A method of the parent that is
/// `#[graphql(flatten)]` puts them among the parent's own fields.
#[macro_export]
macro_rules! lists_under {
    ($(#[$doc:meta])* $name:ident($parent:ty): $($list:ty),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, async_graphql::MergedObject)]
        pub struct $name($($list),+);

        impl From<$parent> for $name {
            fn from(parent: $parent) -> Self {
                Self($(<$list>::from(parent)),+)
            }
        }
    };
}
