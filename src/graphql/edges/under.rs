//! Lists that rooms add to another room's type: the fields are defined in the rooms, and only listed by the type.

/// Merges these objects, each of which is created from the ID of the parent, into one. A method of the parent with
/// `#[graphql(flatten)]` adds their fields to those of the parent.
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
