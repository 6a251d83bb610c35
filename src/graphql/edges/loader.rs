//! The pages and the counts of an edge's lists: one statement for all parents that a level of an operation has.

use std::marker::PhantomData;
use std::sync::Arc;

use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{ListEdge, Table};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::{Position, SortValue};
use crate::ids::Id;

/// A page of each parent's list.
#[derive(Debug)]
pub struct PageOf<E>(PhantomData<E>);

impl<E: ListEdge> Read for PageOf<E> {
    type Key = (Id<E::Parent>, E::Filter, Page);
    type Value = Arc<Vec<Listing<E>>>;
    const CONNECTIONS: usize = E::CONNECTIONS;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut found = ByKey::default();
        // Keys differ in more than the parent only where an operation lists the same twice under different arguments.
        for ((filter, page), parents) in grouped(keys.into_iter().map(|(id, filter, page)| ((filter, page), id))) {
            let mut pages: ByKey<Id<E::Parent>, Vec<Listing<E>>> = ByKey::default();
            let mut open = vec![(parents, page.clone())];
            while let Some((parents, part)) = open.pop() {
                let statement = Pages::new::<E>(&parents, &filter, &part);
                let mut gaps: ByKey<Id<E::Parent>, Gap> = ByKey::default();
                for row in E::Row::read(statement, &mut conn).await? {
                    let (parent, position) = (E::parent(&row), E::position(&row, &filter));
                    if let Some(gap) = gaps.get_mut(&parent) {
                        gap.last = position.clone();
                    }
                    match row.into() {
                        Some(item) => pages.entry(parent).or_default().push((position, Arc::new(item))),
                        None => gaps.entry(parent).or_insert(Gap { rows: 0, last: position }).rows += 1,
                    }
                }
                for (parent, Gap { rows, last }) in gaps {
                    let items = pages.get(&parent).map_or(0, Vec::len);
                    if let Some(rest) = part.after_gap(page.limit, items, rows, last) {
                        open.push((vec![parent], rest));
                    }
                }
            }
            let pages = pages.into_iter();
            found.extend(pages.map(|(parent, items)| ((parent, filter.clone(), page.clone()), Arc::new(items))));
        }
        Ok(found)
    }
}

/// An item and its position.
pub type Listing<E> = (Position, Arc<<E as ListEdge>::Item>);

/// Rows of a part of a page that are left out.
struct Gap {
    rows: usize,
    /// The position of the last row of the part.
    last: Position,
}

impl Page {
    /// What is still to be read of a page of `limit` rows, of which there are `items`, after this part of it, in which
    /// `gap` rows were left out before `last`; `None` if nothing is.
    fn after_gap(&self, limit: i64, items: usize, gap: usize, last: Position) -> Option<Self> {
        let lacking = limit.saturating_sub(i64::try_from(items).unwrap_or(i64::MAX));
        // Of the rows of this part, `gap` made no items. If it was full, as many are lacking now.
        let was_full = lacking == i64::try_from(gap).unwrap_or(i64::MAX);
        (was_full && lacking > 0).then(|| match self.backward {
            true => Self { limit: lacking, before: Some(last), ..self.clone() },
            false => Self { limit: lacking, after: Some(last), ..self.clone() },
        })
    }
}

/// How many items there are in each parent's list; nothing for an empty one.
#[derive(Debug)]
pub struct CountOf<E>(PhantomData<E>);

impl<E: ListEdge> Read for CountOf<E> {
    type Key = (Id<E::Parent>, E::Filter);
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, i64>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut found = ByKey::default();
        for (filter, parents) in grouped(keys.into_iter().map(|(id, filter)| (filter, id))) {
            let counts: Vec<(Id<E::Parent>, i64)> = Counts(Listed::of::<E>(&parents, &filter)).load(&mut conn).await?;
            found.extend(counts.into_iter().map(|(parent, count)| ((parent, filter.clone()), count)));
        }
        Ok(found)
    }
}

/// Parents by the arguments that their lists are asked for with.
fn grouped<A: Eq + std::hash::Hash, K>(keys: impl Iterator<Item = (A, K)>) -> ByKey<A, Vec<K>> {
    let mut groups: ByKey<A, Vec<K>> = ByKey::default();
    for (arguments, key) in keys {
        groups.entry(arguments).or_default().push(key);
    }
    groups
}

/// Columns that an edge can read: those of any struct that is `Queryable` and `Selectable`.
pub trait ListedRow: Selectable<Pg> + Sized + Send + 'static {
    /// Reads the pages.
    ///
    /// # Errors
    /// The database's.
    fn read(
        pages: Pages<'_, Self::SelectExpression>,
        conn: &mut AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<Vec<Self>>> + Send;
}

impl<R> ListedRow for R
where
    R: Selectable<Pg, SelectExpression: Send> + Send + 'static,
    for<'q> Pages<'q, R::SelectExpression>: LoadQuery<'q, AsyncPgConnection, R>,
{
    async fn read(pages: Pages<'_, R::SelectExpression>, conn: &mut AsyncPgConnection) -> QueryResult<Vec<R>> {
        pages.load(conn).await
    }
}

/// The statement for a page of each parent's list: a lateral join reads no more of any than is shown. Its text says which
/// bounds and conditions there are, and everything that a client sends is bound.
pub struct Pages<'a, S> {
    columns: S,
    from: Listed,
    keyset: &'static [&'static str],
    later: Option<&'a Position>,
    earlier: Option<&'a Position>,
    ascending: bool,
    limit: i64,
}

/// The rows of the lists of some parents.
struct Listed {
    table: Fragment,
    under: &'static str,
    parents: Vec<Uuid>,
    conditions: Vec<Fragment>,
}

type Fragment = Box<dyn QueryFragment<Pg> + Send>;

impl Listed {
    fn of<E: ListEdge>(parents: &[Id<E::Parent>], filter: &E::Filter) -> Self {
        let conditions = E::conditions(filter).into_iter().map(|condition| Box::new(condition) as Fragment);
        Self {
            table: Box::new(Table::<E>::default()),
            under: E::Under::NAME,
            parents: parents.iter().map(|parent| parent.uuid()).collect(),
            conditions: conditions.collect(),
        }
    }

    fn conditions<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for condition in &self.conditions {
            out.push_sql(" AND (");
            condition.walk_ast(out.reborrow())?;
            out.push_sql(")");
        }
        Ok(())
    }
}

impl<'a, S> Pages<'a, S> {
    fn new<E>(parents: &[Id<E::Parent>], filter: &E::Filter, page: &'a Page) -> Self
    where
        E: ListEdge<Row: Selectable<Pg, SelectExpression = S>>,
    {
        let order = E::order(filter);
        let (later, earlier) = page.bounds(order.direction);
        Self {
            columns: E::Row::construct_selection(),
            from: Listed::of::<E>(parents, filter),
            keyset: order.columns,
            later,
            earlier,
            ascending: page.ascending(order.direction),
            limit: page.limit,
        }
    }

    /// The names of the keyset's columns, each with `after` behind it.
    fn keyset(&self, out: &mut AstPass<'_, '_, Pg>, after: &str) -> QueryResult<()> {
        for (index, column) in self.keyset.iter().enumerate() {
            out.push_sql(if index > 0 { ", " } else { "" });
            out.push_identifier(column)?;
            out.push_sql(after);
        }
        Ok(())
    }

    /// That rows are beyond `position`. PostgreSQL answers a comparison of rows by walking an index.
    fn beyond<'b>(&self, out: &mut AstPass<'_, 'b, Pg>, comparison: &str, position: &'b Position) -> QueryResult<()> {
        out.push_sql(" AND (");
        self.keyset(out, "")?;
        out.push_sql(comparison);
        match &position.value {
            SortValue::Time(time) => out.push_bind_param::<Timestamptz, _>(time)?,
            SortValue::Text(text) => out.push_bind_param::<Text, _>(text)?,
            SortValue::Number(number) => out.push_bind_param::<BigInt, _>(number)?,
        }
        if self.keyset.len() > 1 {
            out.push_sql(", ");
            out.push_bind_param::<SqlUuid, _>(&position.id)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Pages<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT page.* FROM unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.from.parents)?;
        out.push_sql(") AS parent (id) CROSS JOIN LATERAL (SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        self.from.table.walk_ast(out.reborrow())?;
        out.push_sql(" WHERE ");
        out.push_identifier(self.from.under)?;
        out.push_sql(" = parent.id");
        self.from.conditions(out.reborrow())?;
        for (comparison, position) in [(") > (", self.later), (") < (", self.earlier)] {
            if let Some(position) = position {
                self.beyond(&mut out, comparison, position)?;
            }
        }
        out.push_sql(" ORDER BY ");
        self.keyset(&mut out, if self.ascending { " ASC" } else { " DESC" })?;
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS page");
        Ok(())
    }
}

impl<S: Expression> Query for Pages<'_, S> {
    type SqlType = SqlTypeOf<S>;
}

impl<S> QueryId for Pages<'_, S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// The statement for the number of items in each parent's list.
struct Counts(Listed);

impl QueryFragment<Pg> for Counts {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_identifier(self.0.under)?;
        out.push_sql(", count(*) FROM ");
        self.0.table.walk_ast(out.reborrow())?;
        out.push_sql(" WHERE ");
        out.push_identifier(self.0.under)?;
        out.push_sql(" = ANY(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.0.parents)?;
        out.push_sql(")");
        self.0.conditions(out.reborrow())?;
        out.push_sql(" GROUP BY ");
        out.push_identifier(self.0.under)
    }
}

impl Query for Counts {
    type SqlType = (SqlUuid, BigInt);
}

impl QueryId for Counts {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use diesel::debug_query;

    use super::*;
    use crate::db::tables::{config_files, events};
    use crate::graphql::edges::Unique;
    use crate::graphql::keyset::{Condition, OrderDirection};
    use crate::ids::{JobId, JobKind, ProjectId, ProjectKind};

    #[derive(Debug, Queryable, Selectable)]
    #[diesel(table_name = config_files, check_for_backend(Pg))]
    struct File {
        id: Uuid,
        project_id: ProjectId,
    }

    /// Newest first, of those with some names.
    enum Files {}

    impl ListEdge for Files {
        type Parent = ProjectKind;
        type Under = config_files::project_id;
        type SortedBy = (config_files::created_at, config_files::id);
        type Row = File;
        type Item = File;
        type Filter = Vec<String>;
        const DIRECTION: OrderDirection = OrderDirection::Desc;

        fn parent(file: &File) -> ProjectId {
            file.project_id
        }

        fn position(file: &File, _: &Vec<String>) -> Position {
            Position::at(DateTime::UNIX_EPOCH, file.id)
        }

        fn conditions(names: &Vec<String>) -> Vec<Condition<config_files::table>> {
            vec![Box::new(config_files::name.eq_any(names.clone()))]
        }
    }

    #[derive(Debug, Queryable, Selectable)]
    #[diesel(table_name = events, check_for_backend(Pg))]
    struct Number {
        seq: i64,
        subject: Uuid,
    }

    enum Numbers {}

    impl ListEdge for Numbers {
        type Parent = JobKind;
        type Under = events::subject;
        type SortedBy = Unique<events::seq>;
        type Row = Number;
        type Item = Number;
        type Filter = ();

        fn parent(number: &Number) -> JobId {
            JobId::from_uuid(number.subject)
        }

        fn position(number: &Number, (): &()) -> Position {
            Position::numbered(number.seq, number.subject)
        }
    }

    fn shown<S: QueryFragment<Pg>>(statement: &Pages<'_, S>) -> String {
        assert!(statement.is_safe_to_cache_prepared(&Pg).unwrap());
        debug_query::<Pg, _>(statement).to_string()
    }

    #[test]
    fn a_page_is_read_with_its_own_bounds_and_conditions_and_no_more_columns_than_its_row_has() {
        let nil = Uuid::nil();
        let page = Page {
            limit: 3,
            backward: true,
            after: Some(Position::at(DateTime::UNIX_EPOCH, nil)),
            before: Some(Position::at(DateTime::UNIX_EPOCH, nil)),
        };
        let project = ProjectId::from_uuid(nil);
        let statement = shown(&Pages::new::<Files>(&[project], &vec!["train.yaml".to_owned()], &page));
        insta::assert_snapshot!(statement, @r#"SELECT page.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (SELECT "config_files"."id", "config_files"."project_id" FROM "config_files" WHERE "project_id" = parent.id AND (("config_files"."name" = ANY($2))) AND ("created_at", "id") > ($3, $4) AND ("created_at", "id") < ($5, $6) ORDER BY "created_at" ASC, "id" ASC LIMIT $7) AS page -- binds: [[00000000-0000-0000-0000-000000000000], ["train.yaml"], 1970-01-01T00:00:00Z, 00000000-0000-0000-0000-000000000000, 1970-01-01T00:00:00Z, 00000000-0000-0000-0000-000000000000, 3]"#);
        let statement = shown(&Pages::new::<Numbers>(&[JobId::from_uuid(nil)], &(), &Page::default()));
        insta::assert_snapshot!(statement, @r#"SELECT page.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (SELECT "events"."seq", "events"."subject" FROM "events" WHERE "subject" = parent.id ORDER BY "seq" ASC LIMIT $2) AS page -- binds: [[00000000-0000-0000-0000-000000000000], 21]"#);
        let page = Page { after: Some(Position::numbered(7, nil)), ..Page::default() };
        let statement = shown(&Pages::new::<Numbers>(&[JobId::from_uuid(nil)], &(), &page));
        insta::assert_snapshot!(statement, @r#"SELECT page.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (SELECT "events"."seq", "events"."subject" FROM "events" WHERE "subject" = parent.id AND ("seq") > ($2) ORDER BY "seq" ASC LIMIT $3) AS page -- binds: [[00000000-0000-0000-0000-000000000000], 7, 21]"#);
    }

    #[test]
    fn a_list_is_counted_under_its_conditions() {
        let project = ProjectId::from_uuid(Uuid::nil());
        let statement = Counts(Listed::of::<Files>(&[project], &vec!["train.yaml".to_owned()]));
        insta::assert_snapshot!(debug_query::<Pg, _>(&statement), @r#"SELECT "project_id", count(*) FROM "config_files" WHERE "project_id" = ANY($1) AND (("config_files"."name" = ANY($2))) GROUP BY "project_id" -- binds: [[00000000-0000-0000-0000-000000000000], ["train.yaml"]]"#);
    }
}
