//! A bucket of an S3 server, over the platform's own HTTP client.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use object_store::{BackoffConfig, RetryConfig};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use url::Url;

use super::{Key, ObjectError};
use crate::config::BucketConfig;
use crate::outbound;

/// How long the server may take until it sends the next bytes. The confirmation of a large part takes a while.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a request is repeated, and how often.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRIES: usize = 5;
/// The maximum size of a page of unfinished uploads.
const MOST_XML: usize = 4 << 20;
/// The maximum number of pages of unfinished uploads that are read at a time: 100,000 uploads.
const MOST_PAGES: usize = 100;
/// How long a link that the server uses itself is valid.
const MOMENT: Duration = Duration::from_secs(60);

/// A bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) store: AmazonS3,
    /// The same as browsers reach it.
    public: AmazonS3,
    http: reqwest::Client,
}

/// An upload that was begun and not finished.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Unfinished {
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) initiated: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UnfinishedPage {
    #[serde(default)]
    upload: Vec<Unfinished>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
}

#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl Bucket {
    /// The bucket. Nothing is sent to it yet.
    pub(super) fn open(config: &BucketConfig) -> anyhow::Result<Self> {
        let http = outbound::to_configured_streaming(SILENCE)?;
        let reached_at = |endpoint: &Url| {
            AmazonS3Builder::new()
                .with_http_connector(Connector(http.clone()))
                .with_endpoint(endpoint.as_str().trim_end_matches('/'))
                .with_bucket_name(&config.bucket)
                .with_region(&config.region)
                .with_access_key_id(config.access_key.expose_secret())
                .with_secret_access_key(config.secret_key.expose_secret())
                .with_virtual_hosted_style_request(false)
                .with_allow_http(endpoint.scheme() == "http")
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_retry(RetryConfig {
                    backoff: BackoffConfig::default(),
                    max_retries: RETRIES,
                    retry_timeout: PATIENCE,
                })
                .build()
        };
        let (store, public) = (reached_at(&config.endpoint)?, reached_at(&config.public_endpoint)?);
        Ok(Self { store, public, http })
    }

    /// A link to the object that is valid for this long.
    pub(super) async fn link(&self, key: &Key, life: Duration) -> Result<Url, ObjectError> {
        Ok(self.public.signed_url(Method::GET, &key.path(), life).await?)
    }

    /// The unfinished uploads of keys that begin like this.
    ///
    /// # Errors
    /// The server does not list them, or the store's.
    pub(super) async fn unfinished(&self, prefix: &str) -> Result<Vec<Unfinished>, ObjectError> {
        let mut found = Vec::new();
        let (mut after_key, mut after_upload) = (String::new(), String::new());
        for _ in 0..MOST_PAGES {
            let mut query = vec![("uploads", ""), ("prefix", prefix)];
            if !after_key.is_empty() {
                query.extend([("key-marker", after_key.as_str()), ("upload-id-marker", after_upload.as_str())]);
            }
            // The store has no function for this, but signs whatever is asked of the bucket itself.
            let options = SignedUrlOptions::default().with_query(query);
            let url = self.store.signed_url_opts(Method::GET, &Path::default(), MOMENT, &options).await?;
            let response = self.http.get(url).send().await.map_err(|error| ObjectError::away(error.without_url()))?;
            let mut response = response.error_for_status().map_err(|error| ObjectError::away(error.without_url()))?;
            let xml = outbound::body(&mut response, MOST_XML).await.map_err(ObjectError::away)?;
            let page: UnfinishedPage = quick_xml::de::from_reader(xml.as_slice()).map_err(ObjectError::away)?;
            found.extend(page.upload);
            if !page.is_truncated || page.next_key_marker.is_empty() {
                break;
            }
            (after_key, after_upload) = (page.next_key_marker, page.next_upload_id_marker);
        }
        Ok(found)
    }

    /// Aborts an upload: its parts are removed.
    pub(super) async fn abort(&self, upload: &Unfinished) -> Result<(), ObjectError> {
        match self.store.abort_multipart(&Path::from(upload.key.as_str()), &upload.upload_id).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_unfinished_uploads_is_read_with_what_is_not_needed() {
        let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>b</Bucket><KeyMarker/><NextKeyMarker>a/b</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>
              <MaxUploads>1000</MaxUploads><IsTruncated>true</IsTruncated>
              <Upload><Key>a/b</Key><UploadId>1</UploadId><Initiator><ID>x</ID></Initiator><Initiated>2026-11-26T10:00:00.000Z</Initiated></Upload>
              <Upload><Key>a/b</Key><UploadId>2</UploadId><Initiated>2026-11-26T11:00:00Z</Initiated></Upload>
              <CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>
            </ListMultipartUploadsResult>"#;
        let page: UnfinishedPage = quick_xml::de::from_reader(xml.as_slice()).unwrap();
        assert!(page.is_truncated);
        assert_eq!((page.next_key_marker.as_str(), page.next_upload_id_marker.as_str()), ("a/b", "2"));
        let ids: Vec<_> = page.upload.iter().map(|upload| upload.upload_id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        let none = b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        let page: UnfinishedPage = quick_xml::de::from_reader(none.as_slice()).unwrap();
        assert!(page.upload.is_empty() && !page.is_truncated);
    }
}
