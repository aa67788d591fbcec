//! The one TLS port: the server's own authority, its listener, and who is at the other end.

mod authority;
mod listener;
mod peer;

pub use authority::{Authority, CertificateError, Issued};
pub use listener::{Patience, serve};
pub use peer::{Peer, PeerCertificate};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the certificate file {0} cannot be used: {1}")]
    Certificate(PathBuf, String),
    #[error("the key file {0} cannot be used: {1}")]
    Key(PathBuf, String),
    #[error(transparent)]
    Own(#[from] CertificateError),
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Makes aws-lc-rs the one crypto provider of the process; a second call changes nothing.
pub fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// TLS for the listener: the given certificate, or one signed by our own authority for these names.
pub fn server_config(
    authority: &Authority,
    given: Option<(&Path, &Path)>,
    names: &[String],
) -> Result<ServerConfig, TlsError> {
    let (chain, key) = match given {
        Some((certificate, key)) => read_given(certificate, key)?,
        None => authority.server_certificate(names)?,
    };
    let mut config = ServerConfig::builder()
        .with_client_cert_verifier(Arc::new(peer::TakeAnyCertificate::new(authority)))
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn read_given(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::Certificate(certificate.to_owned(), error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate(certificate.to_owned(), "there is no certificate in it".into()));
    }
    let key_der = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::Key(key.to_owned(), error.to_string()))?;
    Ok((chain, key_der))
}
