//! Who is at the other end: nobody we know, one of our devices, or somebody else's device.
//!
//! The handshake takes any client certificate whose key the client holds, and the judgement comes
//! after it: so that a device of another organisation is told so in a sentence, and not by a closed
//! connection.

use super::Authority;
use crate::enrolment::RENEWAL_GRACE;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The other end of a connection, in every request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    pub certificate: PeerCertificate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerCertificate {
    /// A browser, or a machine that enrols.
    None,
    /// Signed by our authority for this device.
    Device { id: String },
    /// The same, but its time is over; good for renewing itself and nothing else.
    Expired { id: String },
    /// Signed by somebody else; why it is not one of ours.
    Foreign { why: String },
}

/// Judges a client certificate after the handshake.
pub(super) struct Judge {
    verifier: Arc<dyn ClientCertVerifier>,
    organisation: String,
}

impl Judge {
    pub(super) fn new(authority: &Authority) -> Result<Self, super::TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone())?;
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(Self { verifier, organisation: authority.organisation().to_owned() })
    }

    pub(super) fn judge(&self, presented: Option<&[CertificateDer<'_>]>) -> PeerCertificate {
        let Some((leaf, between)) = presented.and_then(<[_]>::split_first) else {
            return PeerCertificate::None;
        };
        match self.verifier.verify_client_cert(leaf, between, UnixTime::now()) {
            Ok(_) => self.device(leaf, |id| PeerCertificate::Device { id }),
            Err(error) if in_grace(leaf) && self.was_valid(leaf, between) => {
                tracing::debug!(%error, "a device certificate has expired");
                self.device(leaf, |id| PeerCertificate::Expired { id })
            }
            Err(error) => PeerCertificate::Foreign { why: error.to_string() },
        }
    }

    /// Would it have been good while it lasted?
    fn was_valid(&self, leaf: &CertificateDer<'_>, between: &[CertificateDer<'_>]) -> bool {
        let Some(end) = not_after(leaf) else { return false };
        let then = UnixTime::since_unix_epoch(end.saturating_sub(Duration::from_secs(1)));
        self.verifier.verify_client_cert(leaf, between, then).is_ok()
    }

    fn device(
        &self,
        leaf: &CertificateDer<'_>,
        ours: impl FnOnce(String) -> PeerCertificate,
    ) -> PeerCertificate {
        let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
            return PeerCertificate::Foreign { why: "it cannot be read".into() };
        };
        let subject = certificate.subject();
        let organisation = subject.iter_organization().next().and_then(|name| name.as_str().ok());
        let device = subject.iter_common_name().next().and_then(|name| name.as_str().ok());
        match (organisation, device) {
            (Some(organisation), Some(device)) if organisation == self.organisation => {
                ours(device.to_owned())
            }
            (organisation, _) => PeerCertificate::Foreign {
                why: format!("it is for the organisation {:?}", organisation.unwrap_or_default()),
            },
        }
    }
}

fn not_after(leaf: &CertificateDer<'_>) -> Option<Duration> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    Some(Duration::from_secs(u64::try_from(certificate.validity().not_after.timestamp()).ok()?))
}

fn in_grace(leaf: &CertificateDer<'_>) -> bool {
    let now = Duration::from_secs(UnixTime::now().as_secs());
    not_after(leaf).is_some_and(|end| end <= now && now <= end + RENEWAL_GRACE)
}

/// Takes every client certificate in the handshake, but only from whoever holds its key.
#[derive(Debug)]
pub(super) struct TakeAnyCertificate {
    /// Tells browsers that only certificates of our authority are asked for, so that they do not offer others.
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TakeAnyCertificate {
    pub(super) fn new(authority: &Authority) -> Self {
        let hints = X509Certificate::from_der(authority.certificate())
            .map(|(_, certificate)| DistinguishedName::from(certificate.subject().as_raw().to_vec()))
            .into_iter()
            .collect();
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        Self { hints, algorithms }
    }
}

impl ClientCertVerifier for TakeAnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
