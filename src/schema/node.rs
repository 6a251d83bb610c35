//! Objects by ID alone: the queries `node` and `nodes`, and the interface that they return.

use async_graphql::{Context, Object};

use super::rooms::{self, Node};
use crate::auth::acting::CallerExt;
use crate::error::{ApiError, Code};
use crate::graphql::errors::add_item_error;
use crate::graphql::limits::directives::list_size;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids;

/// The maximum number of IDs in a `nodes` query.
const MAX_NODES: usize = 100;

/// The interface `Node`, and how objects of each type are found: `Type(path), kind of the ID, function`.
macro_rules! nodes {
    ($($name:ident($($of_type:ident)::+), $kind:ident, $($find:ident)::+;)+) => {
        /// An object with an ID, which can be fetched with `node`.
        #[derive(Debug, Clone, async_graphql::Interface)]
        #[graphql(field(
            name = "id",
            ty = "async_graphql::ID",
            desc = "The ID of the object: a prefix that identifies the type, followed by 26 characters."
        ))]
        pub enum Node {
            $(#[doc = concat!("A `", stringify!($name), "`.")] $name($($of_type)::+),)+
        }

        /// The prefixes of IDs.
        pub(super) const PREFIXES: &[&str] = &[$(<$crate::ids::$kind as $crate::ids::Kind>::PREFIX),+];

        /// The object with this ID, if the caller can see it; `None` if no ID has the prefix.
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

/// The queries for objects by ID.
#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Finds an object of any type by ID; null if it does not exist or you cannot see it.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the object.")] id: async_graphql::ID,
    ) -> ApiResult<Option<Node>> {
        find(ctx, &id).await.graphql(ctx)
    }

    /// Finds objects of any type by ID, in the order of the IDs. Null for each ID that is malformed, or whose object does
    /// not exist or is not visible to you, with an error for each of them: its `path` ends with the index of the ID.
    #[graphql(directive = list_size::apply(None, Some(vec!["ids".to_owned()]), None, true))]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The IDs of the objects: at most 100.")] ids: Vec<async_graphql::ID>,
    ) -> ApiResult<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            let message = format!("{} IDs were given; at most {MAX_NODES} are allowed", ids.len());
            return Err(ApiError::bad_input("ids", message)).graphql(ctx);
        }
        ctx.caller().principal().graphql(ctx)?;
        let found = futures::future::join_all(ids.iter().map(|id| find(ctx, id))).await;
        let nodes = found.into_iter().zip(&ids).enumerate().map(|(index, (found, id))| {
            let found = found.and_then(|node| node.ok_or_else(|| ApiError::not_found("object", shown(id))));
            found.map_err(|error| add_item_error(ctx, index, error.at(format!("ids.{index}")))).ok()
        });
        Ok(nodes.collect())
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

fn shown(id: &str) -> String {
    id.chars().take(80).collect()
}

fn malformed(id: &str) -> ApiError {
    let shown = shown(id);
    let known: Vec<String> = rooms::PREFIXES.iter().map(|prefix| format!("{prefix}_")).collect();
    let known = match known.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => known.concat(),
    };
    ApiError::bad_input("id", format!("\"{shown}\" is not an id: it must be {known} followed by 26 characters"))
}
