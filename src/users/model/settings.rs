//! The settings of users. A user without a row has the defaults.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::change::Writes;
use crate::db::tables::{user_settings, users};
use crate::ids::UserId;
use crate::text_enum;

/// The colors of the user interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum Theme {
    /// As the system of the user is set.
    #[default]
    System,
    /// Dark text on a light background.
    Light,
    /// Light text on a dark background.
    Dark,
}

text_enum!(Theme { System => "SYSTEM", Light => "LIGHT", Dark => "DARK" });

/// The settings of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = user_settings, check_for_backend(Pg), treat_none_as_null = true)]
pub struct Settings {
    /// The colors.
    pub theme: Theme,
    /// The language, as a BCP 47 tag; `None` leaves it to the client.
    pub language: Option<String>,
    /// The kinds of notifications that the user does not want to get. A later version may have stored more of them.
    pub muted: Vec<String>,
}

/// The settings of a user, whose row is locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(writes: &mut Writes<'_>, user: UserId) -> QueryResult<Settings> {
    let conn = writes.conn();
    // Of the user, because there may be no settings yet.
    users::table.find(user).select(users::id).for_no_key_update().first::<UserId>(conn).await?;
    let found = user_settings::table.find(user).select(Settings::as_select()).first(conn).await;
    Ok(found.optional()?.unwrap_or_default())
}

/// Stores the settings of a user.
///
/// # Errors
/// The database's.
pub async fn put(writes: &mut Writes<'_>, user: UserId, settings: &Settings) -> QueryResult<()> {
    diesel::insert_into(user_settings::table)
        .values((user_settings::user_id.eq(user), settings))
        .on_conflict(user_settings::user_id)
        .do_update()
        .set((settings, user_settings::updated_at.eq(diesel::dsl::now)))
        .execute(writes.conn())
        .await
        .map(drop)
}
