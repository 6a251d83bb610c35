//! Where the document of a request comes from: its own text, the operator's file of trusted documents, or a text that a
//! client has sent before together with its hash. Documents that are sent again are parsed once.

mod manifest;

use std::sync::Arc;

use async_graphql::ServerError;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::config::TrustedDocumentsMode;
use crate::error::{ApiError, Code};
use crate::graphql::limits::{CostTable, Document, OperationLimits};
use crate::graphql::nesting;
use crate::http::params::Params;

pub use manifest::{InvalidManifest, Manifest};

/// The size of the cache of parsed documents in bytes.
const PARSED_BYTES: u64 = 32 << 20;
/// The size of the cache of texts that clients can refer to by their hash, in bytes.
const PERSISTED_BYTES: u64 = 16 << 20;
/// A longer text probably contains its values, and will not be sent again.
const LONGEST_KEPT: usize = 32 << 10;

/// The settings for documents.
#[derive(Debug, Clone)]
pub struct DocumentSettings {
    /// The trusted documents.
    pub trusted: Arc<Manifest>,
    /// How they are used.
    pub mode: TrustedDocumentsMode,
    /// Whether clients can refer to a text that they sent before by its hash.
    pub persisted_queries: bool,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        Self { trusted: Arc::default(), mode: TrustedDocumentsMode::Off, persisted_queries: true }
    }
}

/// Why there is no document.
#[derive(Debug)]
pub enum NoDocument {
    /// The request contains no document, or none that is allowed.
    Refused(ApiError),
    /// It cannot be parsed.
    Syntax(ServerError),
}

impl From<ApiError> for NoDocument {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

/// The documents of a server.
#[derive(Debug)]
pub struct Documents {
    costs: Arc<CostTable>,
    settings: DocumentSettings,
    parsed: Cache<Arc<str>, Arc<Document>, Bytes>,
    persisted: Cache<[u8; 32], Arc<str>, Bytes>,
}

/// Weighs cache entries.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Arc<str>, Arc<Document>> for Bytes {
    fn weight(&self, _: &Arc<str>, document: &Arc<Document>) -> u64 {
        document.bytes()
    }
}

impl Weighter<[u8; 32], Arc<str>> for Bytes {
    fn weight(&self, _: &[u8; 32], text: &Arc<str>) -> u64 {
        text.len() as u64 + 100
    }
}

impl Documents {
    /// No documents other than the trusted ones.
    pub fn new(costs: Arc<CostTable>, settings: DocumentSettings) -> Self {
        let parsed = Cache::with_weighter(2_000, PARSED_BYTES, Bytes);
        let persisted = Cache::with_weighter(2_000, PERSISTED_BYTES, Bytes);
        Self { costs, settings, parsed, persisted }
    }

    /// The document that a request contains or refers to.
    ///
    /// # Errors
    /// There is none, it is not allowed, or it cannot be parsed.
    pub async fn find(&self, params: &Params, limits: &OperationLimits) -> Result<Arc<Document>, NoDocument> {
        let hash = params.persisted_query().map(str::to_ascii_lowercase);
        match (params.document_id(), params.query(), hash) {
            (Some(_), Some(_), _) => {
                Err(ApiError::bad_input("documentId", "send documentId or query, not both").into())
            }
            (Some(id), None, _) => self.trusted(id).cloned().ok_or_else(|| unknown_document(id).into()),
            (None, Some(text), None) => self.of_text(text, limits).await,
            (None, Some(text), Some(hash)) => self.register(text, &hash, limits).await,
            (None, None, Some(hash)) => self.registered(&hash, limits).await,
            (None, None, None) => Err(ApiError::bad_input("query", "\"query\" is missing").into()),
        }
    }

    fn trusted(&self, id: &str) -> Option<&Arc<Document>> {
        match self.settings.mode {
            TrustedDocumentsMode::Off => None,
            TrustedDocumentsMode::Allow | TrustedDocumentsMode::Only => self.settings.trusted.by_id(id),
        }
    }

    fn persists(&self) -> bool {
        self.settings.persisted_queries && self.settings.mode != TrustedDocumentsMode::Only
    }

    async fn of_text(&self, text: &str, limits: &OperationLimits) -> Result<Arc<Document>, NoDocument> {
        if self.settings.mode == TrustedDocumentsMode::Only {
            return self.settings.trusted.by_text(text).cloned().ok_or_else(|| {
                let message = "this server only runs trusted documents";
                ApiError::forbidden(message).into()
            });
        }
        if let Some(document) = self.parsed.get(text) {
            return Ok(document);
        }
        limits.check_text(text).map_err(ApiError::from)?;
        nesting::check(text)?;
        let document = self.parse(text).await?;
        let document = Arc::new(document);
        if text.len() <= LONGEST_KEPT {
            self.parsed.insert(Arc::clone(document.text()), Arc::clone(&document));
        }
        Ok(document)
    }

    /// Parses a text; a long one where it does not delay other requests.
    async fn parse(&self, text: &str) -> Result<Document, NoDocument> {
        if text.len() <= LONGEST_KEPT {
            return Document::parse(text.into(), &self.costs).map_err(NoDocument::Syntax);
        }
        let (text, costs) = (Arc::from(text), Arc::clone(&self.costs));
        let parsed = tokio::task::spawn_blocking(move || Document::parse(text, &costs));
        parsed.await.map_err(ApiError::internal)?.map_err(NoDocument::Syntax)
    }

    async fn register(&self, text: &str, hash: &str, limits: &OperationLimits) -> Result<Arc<Document>, NoDocument> {
        let actual: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if parse_hash(hash) != Some(actual) {
            let message = "provided sha does not match query";
            return Err(ApiError::bad_input("extensions.persistedQuery.sha256Hash", message).into());
        }
        let document = self.of_text(text, limits).await?;
        if self.persists() && text.len() <= LONGEST_KEPT {
            self.persisted.insert(actual, Arc::clone(document.text()));
        }
        Ok(document)
    }

    async fn registered(&self, hash: &str, limits: &OperationLimits) -> Result<Arc<Document>, NoDocument> {
        if let Some(document) = self.trusted(hash) {
            return Ok(Arc::clone(document));
        }
        if !self.persists() {
            return Err(ApiError::new(Code::PersistedQueryNotSupported, "PersistedQueryNotSupported").into());
        }
        match parse_hash(hash).and_then(|hash| self.persisted.get(&hash)) {
            Some(text) => self.of_text(&text, limits).await,
            None => Err(ApiError::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound").into()),
        }
    }
}

fn unknown_document(id: &str) -> ApiError {
    let shown: String = id.chars().take(80).collect();
    let message = format!("\"{shown}\" is not among the trusted documents of this server");
    ApiError::new(Code::NotFound, message).at("documentId")
}

fn parse_hash(hex: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}
