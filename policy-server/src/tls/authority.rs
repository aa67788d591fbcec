//! The certificate authority of one installation: it signs device certificates, and the listener's own
//! where no other was given.

use crate::enrolment::CERTIFICATE_LASTS;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{0} cannot be read or written: {1}")]
    File(PathBuf, std::io::Error),
    #[error("{0} does not hold a certificate: {1}")]
    Unreadable(PathBuf, String),
}

/// A device certificate that was just signed.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate, then the authority's.
    pub chain_pem: String,
    pub expires: OffsetDateTime,
}

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    certificate: CertificateDer<'static>,
    organisation: String,
    /// Whether agents need our certificate to trust the listener.
    vouches_for_listener: bool,
}

impl Authority {
    /// Opens the authority kept in `folder`, making it at the first start.
    pub fn open(
        folder: &Path,
        organisation: &str,
        vouches_for_listener: bool,
    ) -> Result<Self, CertificateError> {
        let key_file = folder.join("authority-key.pem");
        let certificate_file = folder.join("authority.pem");
        if !certificate_file.exists() {
            make(&key_file, &certificate_file, organisation)?;
        }
        let read = |file: &Path| {
            std::fs::read_to_string(file).map_err(|error| CertificateError::File(file.to_owned(), error))
        };
        let certificate_pem = read(&certificate_file)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, KeyPair::from_pem(&read(&key_file)?)?)?;
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| CertificateError::Unreadable(certificate_file, error.to_string()))?;
        Ok(Self {
            issuer,
            certificate_pem,
            certificate,
            organisation: organisation.to_owned(),
            vouches_for_listener,
        })
    }

    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    #[must_use]
    pub fn organisation(&self) -> &str {
        &self.organisation
    }

    #[must_use]
    pub fn vouches_for_listener(&self) -> bool {
        self.vouches_for_listener
    }

    /// Signs a device certificate for the public key of a request. Everything else a request may ask for
    /// (names, usages, being an authority) is ignored: it is set here.
    pub fn issue(&self, csr_pem: &str, device: &str, organisation: &str) -> Result<Issued, CertificateError> {
        let request = CertificateSigningRequestParams::from_pem(csr_pem)?;
        let now = OffsetDateTime::now_utc();
        let expires = now + CERTIFICATE_LASTS;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(device, organisation);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = now - Duration::minutes(5);
        params.not_after = expires;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&request.public_key, &self.issuer)?;
        // What a certificate can say: whole seconds.
        let expires = expires.replace_nanosecond(0).unwrap_or(expires);
        Ok(Issued { chain_pem: format!("{}{}", certificate.pem(), self.certificate_pem), expires })
    }

    /// A certificate for the listener, with a fresh key that never touches the disk.
    pub(super) fn server_certificate(
        &self,
        names: &[String],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
        let key = KeyPair::generate()?;
        let now = OffsetDateTime::now_utc();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = name("portreeve-server", &self.organisation);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = now - Duration::minutes(5);
        // The longest that Apple's platforms take.
        params.not_after = now + Duration::days(397);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok((vec![certificate.der().clone(), self.certificate.clone()], key))
    }
}

fn make(key_file: &Path, certificate_file: &Path, organisation: &str) -> Result<(), CertificateError> {
    let key = KeyPair::generate()?;
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Portreeve authority", organisation);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::minutes(5);
    params.not_after = now + Duration::days(3650);
    let certificate = params.self_signed(&key)?;
    // The key first: a certificate without its key would be taken for a finished installation.
    crate::serve::write_private(key_file, key.serialize_pem().as_bytes())
        .and_then(|()| crate::serve::write_private(certificate_file, certificate.pem().as_bytes()))
        .map_err(|error| CertificateError::File(certificate_file.to_owned(), error))
}

fn name(common: &str, organisation: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name.push(DnType::OrganizationName, organisation);
    name
}
