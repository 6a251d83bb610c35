//! A control plane of scripts: what is done about programs that do not start.

use std::os::unix::fs::PermissionsExt;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A folder in which etcd leaves a line of its arguments and ends with `last_words`, and kube-apiserver waits.
fn assets(last_words: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let attempts = folder.path().join("attempts");
    let etcd = format!("#!/bin/sh\necho \"$@\" >>{}\necho '{last_words}'\nexit 1\n", attempts.display());
    for (name, script) in [("etcd", etcd.as_str()), ("kube-apiserver", "#!/bin/sh\nexec sleep 60\n")] {
        let path = folder.path().join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

async fn attempts(last_words: &str) -> (RealError, Vec<String>) {
    let (assets, folder) = (assets(last_words), tempfile::tempdir().unwrap());
    let Err(error) = ControlPlane::start(assets.path(), folder.path()).await else { panic!("etcd does not run") };
    let attempts = fs::read_to_string(assets.path().join("attempts")).unwrap();
    (error, attempts.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_drawn_again() {
    let taken = "listen tcp 127.0.0.1:2379: bind: address already in use";
    let (error, attempts) = attempts(taken).await;
    assert_eq!(error.to_string(), format!("etcd ended unexpectedly; the end of its log:\n{taken}"));
    assert_eq!(attempts.len(), ATTEMPTS);
    assert_ne!(attempts[0], attempts[1], "other ports");
}

#[tokio::test]
async fn what_does_not_start_for_another_reason_is_not_tried_again() {
    let (error, attempts) = attempts("data directory is corrupt").await;
    assert!(error.to_string().ends_with("data directory is corrupt"), "{error}");
    assert_eq!(attempts.len(), 1);
}

/// Answers "ok" over TLS to whoever trusts the certificate, until it is dropped.
async fn api_server() -> (u16, String, tokio::task::JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, made.cert.pem(), server)
}

#[tokio::test]
async fn a_certificate_that_is_still_being_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (kubeconfig, certificate) = (folder.path().join("kubeconfig"), folder.path().join("apiserver.crt"));
    let (port, pem, server) = api_server().await;
    fs::write(&certificate, "").unwrap();
    fs::write(&kubeconfig, kubeconfig_text(port, &certificate, "token")).unwrap();
    let ready = until_ready(&kubeconfig);
    let written = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fs::write(&certificate, pem).unwrap();
    };
    let both = tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(ready, written) });
    assert!(both.await.expect("in time").0.is_some());
    server.abort();
}
