//! Feeds that can always be joined and resumed: where a client stands although nothing was sent, what tells it to come
//! again, and what the cursors and filters of a feed are.

mod ended;
mod filters;
mod history;
mod quiet;
mod stage;
mod tenants;
