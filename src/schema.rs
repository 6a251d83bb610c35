//! The schema: the three root types assembled from the modules, the data of each request, and the SDL.

mod channels;
pub mod event_cursor;
mod limits;
mod node;
mod rooms;

use std::sync::Arc;

use async_graphql::{Request, SDLExportOptions};
use chrono::{DateTime, Utc};

use crate::auth::acting::Switched;
use crate::graphql::context::{LastCursor, ResumeAfter, Turns};
use crate::graphql::deprecated::WithoutDeprecated;
use crate::graphql::executable::Executable;
use crate::graphql::limits::AnswerBytes;
use crate::graphql::loaders::Loaders;

pub use rooms::{Channels, Mutation, Query, Subscription};

/// The executable schema.
pub type Schema = Executable<Query, Mutation, Subscription>;

/// The builder of a schema.
pub type SchemaBuilder = async_graphql::SchemaBuilder<Query, Mutation, Subscription>;

/// The schema without what a running server adds to it.
pub fn builder() -> SchemaBuilder {
    // Sizes are measured before execution (graphql::limits), so the executor's own limits are not used.
    async_graphql::Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .override_output_type_description::<DateTime<Utc>>(
            "A date and time in UTC, in the format of RFC 3339, such as `\"2026-11-23T09:41:07.123456+00:00\"`.",
        )
}

/// The schema of a running server; `parts` adds what all requests share.
pub fn build(parts: impl Fn(SchemaBuilder) -> SchemaBuilder) -> Schema {
    Executable::new(|| parts(builder()))
}

/// The request with its own loaders, and the place where a subscription records its cursor.
pub fn with_request_parts(
    request: Request,
    loaders: Arc<Loaders>,
    resume_after: Option<Arc<str>>,
) -> (Request, Arc<LastCursor>) {
    let cursor = Arc::new(LastCursor::default());
    let mut request = request.data(loaders).data(Arc::clone(&cursor)).data(Arc::<Switched>::default());
    request = request.data(AnswerBytes::default()).data(Turns::default());
    if let Some(after) = resume_after {
        request = request.data(ResumeAfter(after));
    }
    (request, cursor)
}

/// The schema in SDL, as in `schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(printed())
}

/// The schema in SDL, without everything that is deprecated.
pub fn sdl_without_deprecated() -> String {
    builder().directive(WithoutDeprecated).finish().sdl_with_options(printed())
}

fn printed() -> SDLExportOptions {
    SDLExportOptions::new().sorted_fields().sorted_enum_items().sorted_arguments().include_specified_by()
}
