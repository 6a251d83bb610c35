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
use diesel::{QueryResult, RunQueryDsl, Selectable};

/// A statement with its values, like `diesel::sql_query` but prepared once. The number of different texts must be
/// small: each stays prepared as long as its connection.
#[derive(Debug, Clone)]
#[must_use]
pub struct Prepared<ST = Untyped>(Cow<'static, str>, PhantomData<ST>);

/// A statement whose text refers to its values as `$1`, `$2` and so on, in the order of the `bind` calls. Its rows are
/// read by column name.
pub fn prepared(text: impl Into<Cow<'static, str>>) -> Prepared {
    Prepared(text.into(), PhantomData)
}

/// Like [`prepared`], for a text that returns exactly the columns of `T`, in the order of `T`: they are not looked up
/// by name in every row.
pub fn prepared_rows<T: Selectable<Pg>>(
    text: impl Into<Cow<'static, str>>,
) -> Prepared<diesel::dsl::SqlTypeOf<T::SelectExpression>> {
    Prepared(text.into(), PhantomData)
}

/// `condition` if there is a value to compare with; otherwise only a mention of its parameters, which are null then.
///
/// A condition that starts with `$2 IS NULL OR` would prevent a generic plan from using an index.
pub fn when(given: bool, condition: &'static str) -> Cow<'static, str> {
    if given {
        return condition.into();
    }
    let number = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_owned();
    let mentions: Vec<_> = condition.split('$').skip(1).map(|rest| format!("${} IS NULL", number(rest))).collect();
    mentions.join(" AND ").into()
}

/// A [`Prepared`] statement with one more value.
#[derive(Debug, Clone)]
#[must_use]
pub struct Bound<Q, ST, V> {
    query: Q,
    value: V,
    sql_type: PhantomData<ST>,
}

impl<T> Prepared<T> {
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

impl<T> QueryFragment<Pg> for Prepared<T> {
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

impl<T> Query for Prepared<T> {
    type SqlType = T;
}

impl<Q: Query, ST, V> Query for Bound<Q, ST, V> {
    type SqlType = Q::SqlType;
}

impl<T> QueryId for Prepared<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q, ST, V> QueryId for Bound<Q, ST, V> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T, Conn> RunQueryDsl<Conn> for Prepared<T> {}

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

    #[test]
    fn a_condition_without_values_only_mentions_them() {
        assert_eq!(when(true, "(name, id) > ($2, $13)"), "(name, id) > ($2, $13)");
        assert_eq!(when(false, "(name, id) > ($2, $13)"), "$2 IS NULL AND $13 IS NULL");
    }
}
