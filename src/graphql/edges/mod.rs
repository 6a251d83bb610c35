//! List edges: the items of a parent, one page at a time. Rooms declare list edges; the code that reads them is here.

pub mod loader;
mod under;

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use async_graphql::Context;
use diesel::Column;
use diesel::pg::Pg;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};

use self::loader::{CountOf, ListedRow, PageOf};
use super::connection::{Connection, Page, PageArgs, TotalCount, connection};
use super::context::RequestExt;
use super::cursor::Position;
use super::keyset::{Condition, OrderDirection, SortType};
use super::loaders::ReadExt;
use super::written::Written;
use crate::error::ApiErrors;
use crate::ids::{Id, Kind};

/// The list of the items of a parent, such as the jobs of a project. [`list`] is the resolver.
///
/// All pages that a level of an operation requests are read in one statement, [`loader::PageOf`], and all counts in
/// another. An index on the columns [`Under`](Self::Under) and [`SortedBy`](Self::SortedBy), in this order, makes page
/// 1000 as cheap as page 1.
pub trait ListEdge: Send + Sync + 'static {
    /// The kind of the parent.
    type Parent: Kind;

    /// The column with the ID of the parent. Its table is the one that is read.
    type Under: Column<Table: QueryFragment<Pg> + Default + Send + 'static>;

    /// The columns that the list is sorted by, unless the client requests another order: one and the id, or a [`Unique`]
    /// one.
    type SortedBy: Keyset<Table = Table<Self>>;

    /// The columns that are read.
    type Row: ListedRow + Into<Option<Self::Item>>;

    /// The item made from a row: the row itself, unless it has to be converted. A row from which none can be made is left
    /// out.
    type Item: Send + Sync + 'static;

    /// Restricts the list, and says in which [`order`](Self::order) it is if that can be chosen; `()` if nothing does. If a
    /// viewer may not see every item of the parent, the filter must include what they can see.
    type Filter: Clone + Eq + Hash + Debug + Send + Sync + 'static;

    /// The direction of [`SortedBy`](Self::SortedBy).
    const DIRECTION: OrderDirection = OrderDirection::Asc;

    /// The number of statements that can run at the same time, per thread.
    const CONNECTIONS: usize = 1;

    /// The parent that a row belongs to.
    fn parent(row: &Self::Row) -> Id<Self::Parent>;

    /// The order of the list. Every order needs an index like that of [`SortedBy`](Self::SortedBy).
    fn order(_filter: &Self::Filter) -> Order<Table<Self>> {
        Order::by::<Self::SortedBy>(Self::DIRECTION)
    }

    /// The position of a row in the list, in the order that the filter says.
    fn position(row: &Self::Row, filter: &Self::Filter) -> Position;

    /// The conditions that all rows of the list meet.
    fn conditions(_filter: &Self::Filter) -> Vec<Condition<Table<Self>>> {
        Vec::new()
    }
}

/// The table that an edge reads.
pub type Table<E> = <<E as ListEdge>::Under as Column>::Table;

/// The columns that give every row of a list a unique position.
pub trait Keyset: Send + Sync + 'static {
    /// Their table.
    type Table;
    /// The type of the first.
    const SORT: SortType;
    /// Their names. The second one is the ID, which distinguishes rows with equal first columns.
    const COLUMNS: &'static [&'static str];
}

impl<S, I> Keyset for (S, I)
where
    S: Column<SqlType: Sortable> + Send + Sync + 'static,
    I: Column<Table = S::Table, SqlType = SqlUuid> + Send + Sync + 'static,
{
    type Table = S::Table;
    const SORT: SortType = S::SqlType::SORT;
    const COLUMNS: &'static [&'static str] = &[S::NAME, I::NAME];
}

/// A column that is unique within each list.
#[derive(Debug, Clone, Copy)]
pub struct Unique<S>(S);

impl<S: Column<SqlType: Sortable> + Send + Sync + 'static> Keyset for Unique<S> {
    type Table = S::Table;
    const SORT: SortType = S::SqlType::SORT;
    const COLUMNS: &'static [&'static str] = &[S::NAME];
}

/// The order of a list of rows of `T`.
#[derive(Debug)]
pub struct Order<T> {
    /// The type of the first column.
    pub sort: SortType,
    /// The columns of the [`Keyset`].
    pub columns: &'static [&'static str],
    /// The direction of all of them.
    pub direction: OrderDirection,
    table: PhantomData<fn() -> T>,
}

impl<T> Order<T> {
    /// By the columns of `K`.
    pub const fn by<K: Keyset<Table = T>>(direction: OrderDirection) -> Self {
        Self { sort: K::SORT, columns: K::COLUMNS, direction, table: PhantomData }
    }
}

/// The type of a column that lists can be sorted by.
pub trait Sortable {
    /// The type of the value in the cursors of such a list.
    const SORT: SortType;
}

impl Sortable for Timestamptz {
    const SORT: SortType = SortType::Time;
}

impl Sortable for Text {
    const SORT: SortType = SortType::Text;
}

impl Sortable for BigInt {
    const SORT: SortType = SortType::Number;
}

/// The page that a client's arguments request of a list with this filter.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid argument.
pub fn page<E: ListEdge>(args: PageArgs, filter: &E::Filter) -> Result<Page, ApiErrors> {
    Page::parse(args)?.sorted_by(E::order(filter).sort)
}

/// The resolver of an edge, for a viewer who can see the parent.
///
/// # Errors
/// `BAD_USER_INPUT` for invalid arguments, or those of the read.
pub async fn list<E, T>(
    ctx: &Context<'_>,
    parent: Id<E::Parent>,
    filter: E::Filter,
    args: PageArgs,
) -> Result<Connection<T>, ApiErrors>
where
    E: ListEdge,
    T: Written + From<Arc<E::Item>> + 'static,
{
    let page = page::<E>(args, &filter)?;
    list_page::<E, E, T>(ctx, parent, filter, page).await
}

/// Like [`list`], for a parsed [`page`]. `C` is the edge that is counted: the same list, whatever columns are read of it.
///
/// # Errors
/// The read's.
pub async fn list_page<E, C, T>(
    ctx: &Context<'_>,
    parent: Id<E::Parent>,
    filter: E::Filter,
    page: Page,
) -> Result<Connection<T>, ApiErrors>
where
    E: ListEdge,
    C: ListEdge<Parent = E::Parent, Filter = E::Filter>,
    T: Written + From<Arc<E::Item>> + 'static,
{
    let items = ctx.read::<PageOf<E>>((parent, filter.clone(), page.clone())).await?.unwrap_or_default();
    let loaders = ctx.loaders()?;
    let total = TotalCount::by(move |_| {
        let (loaders, filter) = (Arc::clone(&loaders), filter.clone());
        async move { Ok(loaders.read::<CountOf<C>>((parent, filter)).await?.unwrap_or(0)) }
    });
    Ok(connection(&page, items.to_vec(), |(position, _)| position.clone(), |(_, item)| T::from(item), total))
}
