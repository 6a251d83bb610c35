//! Relay connections over keyset pagination: page 1000 costs what page 1 costs.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_graphql::{Context, InputType, Name, Object, ObjectType, SelectionField, SimpleObject, TypeName, Value};
use futures::FutureExt as _;

use super::at_once::{AllAtOnce, AtOnce};
use super::cursor::Position;
use super::errors::{ApiResult, IntoGraphql};
use super::limits::InTime;
use super::limits::directives::cost;
use super::written::{Part, Written, each};
use crate::cursors::CursorKind;
use crate::error::{ApiError, ApiErrors, Problems};

/// The page size if neither `first` nor `last` is given.
pub const DEFAULT_PAGE: i32 = 20;
/// The maximum page size.
pub const MAX_PAGE: i32 = 100;

/// The four arguments of a connection, as a client sent them.
#[derive(Debug, Clone, Default)]
pub struct PageArgs {
    /// The number of items from the start.
    pub first: Option<i32>,
    /// After this cursor.
    pub after: Option<String>,
    /// The number of items from the end.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

/// The requested page of a list: validated, and usable as part of a loader's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page {
    /// The number of rows to read: one more than shown, to find out whether there are more.
    pub limit: i64,
    /// True if the page is taken from the end of the list.
    pub backward: bool,
    /// Only rows after this one.
    pub after: Option<Position>,
    /// Only rows before this one.
    pub before: Option<Position>,
}

impl PageArgs {
    /// The page arguments of a field that has not been resolved yet; `None` if it will be rejected because of them.
    pub fn among(given: &[(Name, Value)]) -> Option<Self> {
        Some(Self {
            first: argument(given, "first")?,
            after: argument(given, "after")?,
            last: argument(given, "last")?,
            before: argument(given, "before")?,
        })
    }
}

/// An argument of a field that has not been resolved yet; `None` if it will be rejected because of it.
pub fn argument<T: InputType>(given: &[(Name, Value)], name: &str) -> Option<T> {
    let value = given.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone());
    T::parse(value).ok()
}

impl Page {
    /// Validates the arguments of a client.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for each invalid argument.
    pub fn parse(args: PageArgs) -> Result<Self, ApiErrors> {
        let mut problems = Problems::default();
        if args.first.is_some() && args.last.is_some() {
            problems.push(ApiError::bad_input("last", "first and last cannot both be given"));
        }
        let backward = args.last.is_some();
        let (name, size) = if backward { ("last", args.last) } else { ("first", args.first) };
        let size = size.unwrap_or(DEFAULT_PAGE);
        if !(0..=MAX_PAGE).contains(&size) {
            problems.push(ApiError::bad_input(name, format!("{name} was {size}; it must be between 0 and {MAX_PAGE}")));
        }
        let mut position = |name: &'static str, cursor: Option<String>| {
            cursor.and_then(|cursor| {
                let found = Position::decode(&cursor);
                problems.take(found.ok_or_else(|| CursorKind::List.misplaced(name, &cursor, "this list")))
            })
        };
        let after = position("after", args.after);
        let before = position("before", args.before);
        problems.finish()?;
        Ok(Self { limit: i64::from(size) + 1, backward, after, before })
    }

    /// The maximum number of items shown.
    pub fn size(&self) -> usize {
        usize::try_from(self.limit - 1).unwrap_or(0)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: i64::from(DEFAULT_PAGE) + 1, backward: false, after: None, before: None }
    }
}

type Counting = Pin<Box<dyn Future<Output = Result<i64, ApiError>> + Send>>;

/// The size of the whole list, counted only when the field is selected.
#[derive(Clone)]
pub struct TotalCount(Arc<dyn Fn(&Context<'_>) -> Counting + Send + Sync>);

impl TotalCount {
    /// Counts with `count` if the field is selected.
    pub fn by<F>(count: impl Fn(&Context<'_>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<i64, ApiError>> + Send + 'static,
    {
        Self(Arc::new(move |ctx| Box::pin(count(ctx))))
    }
}

/// Information about the position of a page in its list.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether there are more items after this page. The next page is `first: ..., after: endCursor`.
    pub has_next_page: bool,
    /// Whether there are more items before this page. The previous page is `last: ..., before: startCursor`.
    pub has_previous_page: bool,
    /// The cursor of the first item of the page; null if the page is empty.
    pub start_cursor: Option<String>,
    /// The cursor of the last item of the page; null if the page is empty.
    pub end_cursor: Option<String>,
}

/// An item of a page, with its cursor.
pub struct Edge<T> {
    position: Position,
    node: T,
}

impl<T> Edge<T> {
    /// The edge of an item that was not read as part of a page, to be inserted into one.
    pub const fn of(position: Position, node: T) -> Self {
        Self { position, node }
    }
}

/// An item of a page, with its cursor.
#[Object(name_type)]
impl<T: Written + 'static> Edge<T> {
    /// An opaque cursor for use with `after` or `before`. It is only valid for the same list in the same order.
    async fn cursor(&self) -> String {
        self.position.encode()
    }

    /// The item.
    async fn node(&self) -> AtOnce<&T> {
        AtOnce(&self.node)
    }
}

impl<T: ObjectType> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

/// A page of `T`s. The connection type of the library has no description.
pub struct Connection<T> {
    edges: Vec<Edge<T>>,
    has_previous_page: bool,
    has_next_page: bool,
    total: TotalCount,
}

/// A page of a list. To read the whole list, start with `first: 50` and continue with
/// `first: 50, after: "<pageInfo.endCursor>"` while `pageInfo.hasNextPage` is true.
#[Object(name_type)]
impl<T: Written + 'static> Connection<T> {
    /// Information about the position of the page in the list.
    #[graphql(directive = cost::apply("0".to_owned()))]
    async fn page_info(&self) -> PageInfo {
        self.place()
    }

    /// The items of the page, each with its cursor.
    #[graphql(directive = cost::apply("0".to_owned()))]
    async fn edges(&self) -> AllAtOnce<'_, Edge<T>> {
        AllAtOnce(self.edges.iter().collect())
    }

    /// The items of the page.
    async fn nodes(&self) -> AllAtOnce<'_, T> {
        AllAtOnce(self.edges.iter().map(|edge| &edge.node).collect())
    }

    /// The total number of items in the list, across all pages. Only counted if this field is selected.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn total_count(&self, ctx: &Context<'_>) -> ApiResult<i64> {
        (self.total.0)(ctx).in_time(ctx).await.graphql(ctx)
    }
}

impl<T> Connection<T> {
    fn place(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next_page,
            has_previous_page: self.has_previous_page,
            start_cursor: self.edges.first().map(|edge| edge.position.encode()),
            end_cursor: self.edges.last().map(|edge| edge.position.encode()),
        }
    }
}

impl<T: ObjectType> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

impl<T: Written + 'static> Written for Connection<T> {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "pageInfo" => Part::made(Self::place),
            "edges" => Part::many(|page| page.edges.iter().collect()),
            "nodes" => Part::many(|page| page.edges.iter().map(|edge| &edge.node).collect()),
            "totalCount" => Part::scalar(|ctx, pages| each(pages, move |page| (page.total.0)(ctx)).boxed()),
            _ => return None,
        })
    }
}

impl<T: Written + 'static> Written for Edge<T> {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "cursor" => Part::column(|edge, json| json.put(&edge.position.encode())),
            "node" => Part::inner(|edge| &edge.node),
            _ => return None,
        })
    }
}

impl Written for PageInfo {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "hasNextPage" => Part::column(|page, json| json.put(&page.has_next_page)),
            "hasPreviousPage" => Part::column(|page, json| json.put(&page.has_previous_page)),
            "startCursor" => Part::column(|page, json| json.put(&page.start_cursor)),
            "endCursor" => Part::column(|page, json| json.put(&page.end_cursor)),
            _ => return None,
        })
    }
}

/// The connection for `rows`, which were read in the page's own direction with its limit.
pub fn connection<T, R>(
    page: &Page,
    mut rows: Vec<R>,
    position: impl Fn(&R) -> Position,
    node: impl Fn(R) -> T,
    total: TotalCount,
) -> Connection<T>
where
    T: ObjectType,
{
    let more = rows.len() > page.size();
    rows.truncate(page.size());
    if page.backward {
        rows.reverse();
    }
    let (has_previous_page, has_next_page) =
        if page.backward { (more, page.before.is_some()) } else { (page.after.is_some(), more) };
    let edges = rows.into_iter().map(|row| Edge { position: position(&row), node: node(row) }).collect();
    Connection { edges, has_previous_page, has_next_page, total }
}

/// Whether no fields other than these are selected on an object.
pub fn selects_only(object: &SelectionField<'_>, fields: &[&str]) -> bool {
    object.selection_set().all(|field| fields.contains(&field.name()))
}

/// Whether no fields other than these are selected on the node of an edge.
pub fn edge_selects_only(edge: &SelectionField<'_>, fields: &[&str]) -> bool {
    edge.selection_set().filter(|part| part.name() == "node").all(|node| selects_only(&node, fields))
}

/// Whether no fields other than these are selected on the nodes of a connection.
pub fn nodes_select_only(connection: &SelectionField<'_>, fields: &[&str]) -> bool {
    connection.selection_set().all(|part| match part.name() {
        "nodes" => selects_only(&part, fields),
        "edges" => edge_selects_only(&part, fields),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_graphql::{EmptyMutation, EmptySubscription, Request, Schema};

    use super::*;

    struct Thing;

    impl Written for Thing {}

    #[Object]
    impl Thing {
        async fn name(&self) -> &str {
            "thing"
        }
        async fn weight(&self) -> i32 {
            7
        }
    }

    /// Remembers whether only names were selected.
    struct Things;

    #[Object]
    impl Things {
        async fn things(&self, ctx: &Context<'_>) -> Connection<Thing> {
            *ctx.data_unchecked::<Arc<Mutex<Option<bool>>>>().lock().unwrap() =
                Some(nodes_select_only(&ctx.field(), &["name"]));
            let page = Page::parse(PageArgs::default()).unwrap();
            let position = |_: &()| Position::numbered(1, uuid::Uuid::nil());
            connection(&page, vec![()], position, |()| Thing, TotalCount::by(|_| async { Ok(1) }))
        }
    }

    #[tokio::test]
    async fn it_is_known_what_the_nodes_are_asked_for() {
        let schema = Schema::new(Things, EmptyMutation, EmptySubscription);
        for (selection, names_only) in [
            ("nodes { name }", true),
            ("nodes { weight: name }", true),
            ("nodes { name: weight }", false),
            ("edges { cursor node { name } } totalCount pageInfo { endCursor }", true),
            ("nodes { name } edges { node { weight } }", false),
            ("nodes { ...F }", false),
            ("...G", false),
            ("nodes { ... { name } ... on Thing { weight } }", false),
            ("totalCount", true),
        ] {
            let fragments = "fragment F on Thing { name weight } fragment G on ThingConnection { nodes { ...F } }";
            let used = if selection.contains("...F") || selection.contains("...G") { fragments } else { "" };
            let used = if selection.contains("...F") { used.split(" fragment G").next().unwrap() } else { used };
            let told = Arc::new(Mutex::new(None));
            let request = Request::new(format!("{{ things {{ {selection} }} }} {used}")).data(Arc::clone(&told));
            let answer = schema.execute(request).await;
            assert!(answer.is_ok(), "{selection}: {:?}", answer.errors);
            assert_eq!(*told.lock().unwrap(), Some(names_only), "{selection}");
        }
    }

    fn refused(args: PageArgs) -> String {
        Page::parse(args).unwrap_err().to_string()
    }

    #[test]
    fn a_page_of_101_is_refused_with_the_limit() {
        let args = PageArgs { first: Some(101), ..PageArgs::default() };
        insta::assert_snapshot!(refused(args), @"first was 101; it must be between 0 and 100");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let args = PageArgs { first: Some(-1), last: Some(2), after: Some("what".into()), before: None };
        insta::assert_snapshot!(refused(args), @r#"first and last cannot both be given; "what" is not a cursor of this list"#);
    }

    #[test]
    fn a_cursor_of_the_event_log_is_no_cursor_of_a_list() {
        let args = PageArgs { after: Some("ZTQyMTc".into()), ..PageArgs::default() };
        insta::assert_snapshot!(refused(args), @r#""ZTQyMTc" is a cursor of the event log; this list takes the cursor of one of its edges, or one of its pageInfo"#);
    }
}
