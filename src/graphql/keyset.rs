//! Keyset pagination in terms of rows: in which direction they are read, and what the cursors of a page mean for the
//! sort column.

use async_graphql::Enum;
use diesel::BoxableExpression;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text, Timestamptz, Uuid as SqlUuid};

use super::connection::Page;
use super::cursor::{Position, SortValue};
use crate::error::{ApiError, ApiErrors, Problems};

/// The direction in which a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Enum)]
pub enum OrderDirection {
    /// Ascending: smallest, earliest or alphabetically first value first.
    #[default]
    Asc,
    /// Descending: largest, latest or alphabetically last value first.
    Desc,
}

/// The type of the column that a list is sorted by; rows with equal values are distinguished by their ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortType {
    /// A moment.
    Time,
    /// A text.
    Text,
    /// A number.
    Number,
}

/// Bounds of a page on the sort column: rows after the first and before the second.
pub type Bounds<'p> = (Option<&'p Position>, Option<&'p Position>);

impl Page {
    /// Rejects cursors of a list that is sorted by a different type of column.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for each such cursor.
    pub fn sorted_by(self, sort: SortType) -> Result<Self, ApiErrors> {
        let mut problems = Problems::default();
        for (name, position) in [("after", &self.after), ("before", &self.before)] {
            let fits = position.as_ref().is_none_or(|position| match position.value {
                SortValue::Time(_) => sort == SortType::Time,
                SortValue::Text(_) => sort == SortType::Text,
                SortValue::Number(_) => sort == SortType::Number,
            });
            if !fits {
                problems.push(ApiError::bad_input(name, format!("{name} is a cursor of a list in a different order")));
            }
        }
        problems.finish().map(|()| self)
    }

    /// Whether the rows are read in ascending order of the sort column.
    pub fn ascending(&self, direction: OrderDirection) -> bool {
        (direction == OrderDirection::Asc) != self.backward
    }

    /// What the two cursors mean for the sort column: (greater than, less than).
    pub fn bounds(&self, direction: OrderDirection) -> Bounds<'_> {
        match direction {
            OrderDirection::Asc => (self.after.as_ref(), self.before.as_ref()),
            OrderDirection::Desc => (self.before.as_ref(), self.after.as_ref()),
        }
    }
}

/// A condition on the tables `T`.
pub type Condition<T> = Box<dyn BoxableExpression<T, Pg, SqlType = Bool>>;

/// The conditions that select the rows between `bounds`, for the columns `sort` and `id`, each qualified with its
/// table.
///
/// Diesel has no row comparison, and only a row comparison can be answered with an index.
pub fn between<T: 'static>(bounds: Bounds<'_>, sort: &str, id: &str) -> Vec<Condition<T>> {
    let (greater, less) = bounds;
    let beyond = |position: Option<&Position>, comparison: &str| -> Option<Condition<T>> {
        let position = position?;
        let start = sql::<Bool>(&format!("({sort}, {id}) {comparison} ("));
        match &position.value {
            SortValue::Time(time) => {
                Some(Box::new(start.bind::<Timestamptz, _>(*time).sql(", ").bind::<SqlUuid, _>(position.id).sql(")")))
            }
            SortValue::Text(text) => {
                Some(Box::new(start.bind::<Text, _>(text.clone()).sql(", ").bind::<SqlUuid, _>(position.id).sql(")")))
            }
            SortValue::Number(_) => None,
        }
    };
    [beyond(greater, ">"), beyond(less, "<")].into_iter().flatten().collect()
}
