//! The door's own certificate, for loopback alone. The authority that signs it is made for it and
//! forgotten: whoever trusts it trusts this one certificate, and nobody can sign another.

use platform::Layout;
use platform::files::{self, FileError};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

const LARGEST: u64 = 64 * 1024;
const GOOD_FOR: Duration = Duration::days(397);
/// So long before its end it is made anew.
const RENEWED: Duration = Duration::days(30);

#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the door's certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the door's certificate cannot be used: {0}")]
    Use(#[from] rustls::Error),
    #[error("the door's certificate is no PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

/// The file that a client has to trust.
pub fn authority(layout: &Layout) -> PathBuf {
    super::folder(layout).join("ca.pem")
}

/// # Errors
/// See [`CertificateError`].
pub fn acceptor(layout: &Layout) -> Result<TlsAcceptor, CertificateError> {
    let folder = super::folder(layout);
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !is_good(layout) {
        let made = make()?;
        files::replace_private(&key, made.key.as_bytes())?;
        files::replace_private(&certificate, made.certificate.as_bytes())?;
        files::replace_private(&authority(layout), made.authority.as_bytes())?;
    }
    let chain = CertificateDer::pem_slice_iter(&files::read_bounded(&certificate, LARGEST)?)
        .collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&files::read_bounded(&key, LARGEST)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Is one there that will be good for a while?
fn is_good(layout: &Layout) -> bool {
    let folder = super::folder(layout);
    let read = |name: &str| files::read_bounded(&folder.join(name), LARGEST).ok();
    let (Some(certificate), Some(_), Some(_)) = (read("cert.pem"), read("key.pem"), read("ca.pem")) else {
        return false;
    };
    let Ok(certificate) = CertificateDer::from_pem_slice(&certificate) else { return false };
    let soon = (OffsetDateTime::now_utc() + RENEWED).unix_timestamp();
    X509Certificate::from_der(&certificate)
        .is_ok_and(|(_, found)| found.validity().not_after.timestamp() > soon)
}

struct Made {
    authority: String,
    certificate: String,
    key: String,
}

fn make() -> Result<Made, rcgen::Error> {
    let (from, until) = (OffsetDateTime::now_utc() - Duration::days(1), OffsetDateTime::now_utc() + GOOD_FOR);
    let named = |name: &str| {
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, name);
        names
    };
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.distinguished_name = named("Portreeve door of this machine");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
            GeneralSubtree::IpAddress(CidrSubnet::V6(Ipv6Addr::LOCALHOST.octets(), [255; 16])),
        ],
        excluded_subtrees: Vec::new(),
    });
    (authority.not_before, authority.not_after) = (from, until);
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let mut own = CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(str::to_owned))?;
    own.distinguished_name = named("Portreeve door");
    (own.not_before, own.not_after) = (from, until);
    let key = KeyPair::generate()?;
    let certificate = own.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok(Made {
        authority: authority_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_the_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(folder.path()).unwrap();
        files::private_folder(&super::super::folder(&layout)).unwrap();
        acceptor(&layout).unwrap();
        let first = std::fs::read(authority(&layout)).unwrap();
        acceptor(&layout).unwrap();
        assert_eq!(std::fs::read(authority(&layout)).unwrap(), first);
        for name in ["key.pem", "cert.pem"] {
            let path = super::super::folder(&layout).join(name);
            assert_eq!(files::mode_of_others(&path).unwrap(), None);
        }
    }
}
