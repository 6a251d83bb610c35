//! Statements with a fixed text that a connection prepares once.
//!
//! Diesel treats every `sql_query` as a new text, and has it parsed and planned each time, which costs a round trip and
//! more than most reads themselves. A [`Prepared`] statement is cached by its text, like those of the query builder.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};
use diesel::{QueryResult, RunQueryDsl};

/// A statement with its values, like `diesel::sql_query` but prepared once. The number of different texts must be
/// small: each stays prepared as long as its connection.
#[derive(Debug, Clone)]
#[must_use]
pub struct Prepared(Cow<'static, str>);

/// A statement whose text refers to its values as `$1`, `$2` and so on, in the order of the `bind` calls. Its rows are
/// read by column name.
pub fn prepared(text: impl Into<Cow<'static, str>>) -> Prepared {
    Prepared(text.into())
}

/// A [`Prepared`] statement with one more value.
#[derive(Debug, Clone)]
#[must_use]
pub struct Bound<Q, ST, V> {
    query: Q,
    value: V,
    sql_type: PhantomData<ST>,
}

impl Prepared {
    /// Binds the first value.
    pub const fn bind<ST, V>(self, value: V) -> Bound<Self, ST, V> {
        Bound { query: self, value, sql_type: PhantomData }
    }
}

impl<Q, ST, V> Bound<Q, ST, V> {
    /// Binds the next value.
    pub const fn bind<ST2, V2>(self, value: V2) -> Bound<Self, ST2, V2> {
        Bound { query: self, value, sql_type: PhantomData }
    }
}

impl QueryFragment<Pg> for Prepared {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(&self.0);
        // Diesel writes a placeholder wherever a value is bound. The text has its own placeholders, so these go into a
        // comment.
        out.push_sql("\n-- ");
        Ok(())
    }
}

impl<Q, ST, V> QueryFragment<Pg> for Bound<Q, ST, V>
where
    Q: QueryFragment<Pg>,
    V: ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        out.push_bind_param::<ST, V>(&self.value)
    }
}

impl Query for Prepared {
    type SqlType = Untyped;
}

impl<Q: Query, ST, V> Query for Bound<Q, ST, V> {
    type SqlType = Q::SqlType;
}

impl QueryId for Prepared {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q, ST, V> QueryId for Bound<Q, ST, V> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Conn> RunQueryDsl<Conn> for Prepared {}

impl<Q, ST, V, Conn> RunQueryDsl<Conn> for Bound<Q, ST, V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::debug_query;
    use diesel::sql_types::{BigInt, Text};

    #[test]
    fn the_text_keeps_its_own_placeholders() {
        let statement = prepared("SELECT $2, $1, $1").bind::<BigInt, _>(7).bind::<Text, _>("x");
        assert_eq!(debug_query::<Pg, _>(&statement).to_string(), "SELECT $2, $1, $1\n-- $1$2 -- binds: [7, \"x\"]");
    }

    #[test]
    fn it_is_kept_as_a_prepared_statement() {
        let statement = prepared("SELECT $1").bind::<BigInt, _>(7);
        assert!(statement.is_safe_to_cache_prepared(&Pg).unwrap());
    }
}
