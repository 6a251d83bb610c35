//! Which API token a bearer token is. Only the first request with a token costs a statement for this; what the token is
//! good for at the moment is looked up by its ID, like a session.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::loader::TokenByHash;
use super::{ApiSecret, TokenHash};
use crate::db::Db;
use crate::error::{ApiError, SignInReason};
use crate::ids::ApiTokenId;

/// The number of tokens that are remembered. Each takes about 100 bytes.
const KNOWN: usize = 10_000;

/// The tokens of recent requests, by their hashes.
#[derive(Debug, Clone)]
pub struct KnownTokens(Arc<Cache<TokenHash, ApiTokenId>>);

impl Default for KnownTokens {
    fn default() -> Self {
        Self(Arc::new(Cache::new(KNOWN)))
    }
}

impl KnownTokens {
    /// The ID of this token, which may no longer be valid.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is no such token; without a statement, if its checksum is wrong.
    pub async fn find(&self, db: &Db, bearer: &str) -> Result<ApiTokenId, ApiError> {
        let secret = ApiSecret::decode(bearer).ok_or_else(|| {
            let message = "the API token is mistyped: its checksum is wrong";
            ApiError::unauthenticated(SignInReason::TokenInvalid, message)
        })?;
        let hash = secret.hash();
        if let Some(id) = self.0.get(&hash) {
            return Ok(id);
        }
        let found = db.lane().coalescer::<TokenByHash>().load(vec![hash]).await?;
        let id = *found.get(&hash).ok_or_else(unknown)?;
        self.0.insert(hash, id);
        Ok(id)
    }
}

fn unknown() -> ApiError {
    ApiError::unauthenticated(
        SignInReason::TokenInvalid,
        "the API token does not exist; create one with createApiToken",
    )
}
