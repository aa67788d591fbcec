//! The device's key, the request made with it, and how long the certificate lasts.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use time::OffsetDateTime;

/// From when to when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: OffsetDateTime,
    pub until: OffsetDateTime,
}

impl Validity {
    /// Of the first certificate of a PEM chain, or a sentence why there is none.
    pub fn of(chain_pem: &str) -> Result<Self, String> {
        let (_, pem) =
            x509_parser::pem::parse_x509_pem(chain_pem.as_bytes()).map_err(|error| error.to_string())?;
        let certificate = pem.parse_x509().map_err(|error| error.to_string())?;
        let validity = certificate.validity();
        Ok(Self { from: validity.not_before.to_datetime(), until: validity.not_after.to_datetime() })
    }

    /// From here on a new one is asked for: two thirds of its life.
    #[must_use]
    pub fn renew_at(&self) -> OffsetDateTime {
        self.from + (self.until - self.from) * 2 / 3
    }
}

/// A new key, as PKCS #8 PEM. It never leaves the machine.
pub(super) fn make_key() -> Result<String, rcgen::Error> {
    Ok(KeyPair::generate()?.serialize_pem())
}

/// A certificate request for this key, as PEM. The server takes the public key and decides the rest.
pub fn request(key_pem: &str, device: &str) -> Result<String, rcgen::Error> {
    let key = KeyPair::from_pem(key_pem)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, device);
    params.serialize_request(&key)?.pem()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let from = datetime!(2026-01-01 0:00 UTC);
        let validity = Validity { from, until: from + Duration::days(30) };
        assert_eq!(validity.renew_at(), datetime!(2026-01-21 0:00 UTC));
    }

    #[test]
    fn a_request_proves_its_key_and_two_keys_are_never_the_same() {
        let (one, other) = (make_key().unwrap(), make_key().unwrap());
        assert_ne!(one, other);
        let request = request(&one, "laptop").unwrap();
        assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{request}");
    }

    #[test]
    fn what_is_no_certificate_is_said_so() {
        assert!(Validity::of("").is_err());
        assert!(Validity::of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
