//! What is left in the cluster that no row of the database knows any more, listed for platform admins and removed on command.

mod judge;
pub mod model;
pub mod mutation;
pub mod query;
pub mod types;
