//! Finding things by id alone: `node`, `nodes` and the interface that they answer with.

use async_graphql::{Context, Object};

use super::rooms::{self, Node};
use crate::auth::acting::CallerExt;
use crate::error::{ApiError, Code};
use crate::graphql::limits::directives::list_size;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids;

/// Ids that one `nodes` query may ask for.
const MAX_NODES: usize = 100;

/// The interface `Node`, and how each type of it is found: `Type(its path), the kind of its ids, who finds it`.
macro_rules! nodes {
    ($($name:ident($($of_type:ident)::+), $kind:ident, $($find:ident)::+;)+) => {
        /// A thing with an id, which `node` finds again.
        #[derive(Debug, Clone, async_graphql::Interface)]
        #[graphql(field(
            name = "id",
            ty = "async_graphql::ID",
            desc = "The id: a prefix that tells the type, and 26 characters."
        ))]
        pub enum Node {
            $(#[doc = concat!("A `", stringify!($name), "`.")] $name($($of_type)::+),)+
        }

        /// What ids of things begin with.
        pub(super) const PREFIXES: &[&str] = &[$(<$crate::ids::$kind as $crate::ids::Kind>::PREFIX),+];

        /// The thing with an id of this prefix, as far as the caller may see it; nothing where no id has the prefix.
        pub(super) async fn find(
            ctx: &async_graphql::Context<'_>,
            prefix: &str,
            uuid: uuid::Uuid,
        ) -> Option<Result<Node, $crate::error::ApiError>> {
            match prefix {
                $(<$crate::ids::$kind as $crate::ids::Kind>::PREFIX => {
                    Some($($find)::+(ctx, $crate::ids::Id::from_uuid(uuid)).await.map(Node::from))
                })+
                _ => None,
            }
        }
    };
}

pub(super) use nodes;

/// Finding things by id alone.
#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The thing with this id, of whatever type; null if there is none that you can see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id.")] id: async_graphql::ID,
    ) -> ApiResult<Option<Node>> {
        find(ctx, &id).await.graphql(ctx)
    }

    /// The things with these ids, in their order; null for each that you cannot see.
    #[graphql(directive = list_size::apply(None, Some(vec!["ids".to_owned()]), None, true))]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids: at most 100.")] ids: Vec<async_graphql::ID>,
    ) -> ApiResult<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            let message = format!("{} ids were given; at most {MAX_NODES} are allowed", ids.len());
            return Err(ApiError::bad_input("ids", message)).graphql(ctx);
        }
        let found = ids.iter().map(|id| find(ctx, id));
        futures::future::try_join_all(found).await.graphql(ctx)
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, ApiError> {
    ctx.caller().principal()?;
    let (prefix, uuid) = ids::split(id).ok_or_else(|| malformed(id))?;
    match rooms::find(ctx, prefix, uuid).await.ok_or_else(|| malformed(id))? {
        Ok(node) => Ok(Some(node)),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn malformed(id: &str) -> ApiError {
    let shown: String = id.chars().take(80).collect();
    let known: Vec<String> = rooms::PREFIXES.iter().map(|prefix| format!("{prefix}_")).collect();
    let known = match known.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => known.concat(),
    };
    ApiError::bad_input("id", format!("\"{shown}\" is not an id: it must be {known} and 26 characters"))
}
