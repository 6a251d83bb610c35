//! A connection to PostgreSQL, over TLS as its URL requires.

use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::trust::Trust;
use crate::config::{DatabaseUrl, SslMode};

/// Connects. The task of the connection ends with it.
pub(super) async fn establish(url: &DatabaseUrl) -> ConnectionResult<AsyncPgConnection> {
    let config = config(url)?;
    match url.ssl_mode() {
        SslMode::Disable => {
            let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        }
        mode @ (SslMode::Prefer | SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => {
            let (client, connection) = config.connect(tls(mode)?).await.map_err(refused)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        }
    }
}

/// Connects for a pool: the connection is closed when it is no longer trusted, even in the middle of a statement.
pub(super) async fn establish_trusted(url: &DatabaseUrl, trust: &Trust) -> ConnectionResult<AsyncPgConnection> {
    let (config, trusted) = (config(url)?, trust.while_it_lasts());
    let client = match url.ssl_mode() {
        SslMode::Disable => {
            let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
            tokio::spawn(drive(connection, trusted));
            client
        }
        mode @ (SslMode::Prefer | SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => {
            let (client, connection) = config.connect(tls(mode)?).await.map_err(refused)?;
            tokio::spawn(drive(connection, trusted));
            client
        }
    };
    AsyncPgConnection::try_from(client).await
}

/// Drives a connection until its client is dropped or `trusted` ends, which fails what is in flight.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>, trusted: impl Future<Output = ()>) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(error = %super::error_chain(&error), "a database connection ended");
        },
        () = trusted => tracing::debug!("closing a database connection: one of the same age was found dead"),
    }
}

fn config(url: &DatabaseUrl) -> ConnectionResult<tokio_postgres::Config> {
    let mut config: tokio_postgres::Config = url.expose().parse().map_err(refused)?;
    notice_death(&mut config);
    Ok(config)
}

/// Lets the kernel detect within half a minute that the other end is gone. Settings in the URL take precedence.
fn notice_death(config: &mut tokio_postgres::Config) {
    if config.get_keepalives_idle() == tokio_postgres::Config::new().get_keepalives_idle() {
        config
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(30));
    }
}

fn refused(error: tokio_postgres::Error) -> ConnectionError {
    ConnectionError::BadConnection(super::error_chain(&error))
}

fn tls(mode: SslMode) -> ConnectionResult<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    let config = match mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        // rustls cannot check the authority alone: both modes check the host name too, which is stricter.
        SslMode::VerifyCa | SslMode::VerifyFull => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

/// `sslmode=require` encrypts without verifying the server, as libpq does.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls::pki_types::CertificateDer<'_>,
        _intermediates: &[rustls::pki_types::CertificateDer<'_>],
        _server_name: &rustls::pki_types::ServerName<'_>,
        _ocsp_response: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
