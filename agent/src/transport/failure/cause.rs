//! Why a connection did not come about, in words that say what to do.

use rustls::CertificateError;
use std::error::Error;
use std::io;

/// The deepest cause that says something; of TLS and of proxies in plain words.
pub(super) fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(words) = certificate(cause) {
            return words;
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => return proxy(&cause.to_string()),
        }
    }
}

/// An I/O error carries TLS's own inside, and does not name it as its source.
fn certificate(cause: &(dyn Error + 'static)) -> Option<String> {
    let inside = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inside = inside.and_then(|inside| inside.downcast_ref::<rustls::Error>());
    let rustls::Error::InvalidCertificate(wrong) = inside.or_else(|| cause.downcast_ref())? else {
        return None;
    };
    let words = match wrong {
        CertificateError::UnknownIssuer => {
            "its certificate was issued by an authority that this machine does not trust (unknown issuer). If your \
             network inspects TLS, its root certificate has to be in the system's trust store, or in the file that \
             NODE_EXTRA_CA_CERTS or SSL_CERT_FILE names"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired. Whoever runs it has to renew it; if this machine's clock is wrong, set it"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is this machine's clock right?"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another host name (wrong host). Somebody else answers at this address, or the \
             entry names it otherwise than the certificate does"
        }
        CertificateError::Revoked => "its certificate was revoked",
        other => return Some(format!("its certificate is not accepted: {other}")),
    };
    Some(words.to_owned())
}

/// What the HTTP client says of a proxy that stands between.
fn proxy(words: &str) -> String {
    match words.strip_prefix("tunnel error: ").unwrap_or(words) {
        "proxy authorization required" => {
            "the proxy on the way asks for credentials: put them into HTTPS_PROXY \
             (`http://user:password@proxy:port`)"
                .to_owned()
        }
        "unsuccessful" => "the proxy on the way does not let us through to it".to_owned(),
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_says_what_is_wrong_and_what_to_do() {
        for (wrong, parts) in [
            (CertificateError::UnknownIssuer, &["unknown issuer", "NODE_EXTRA_CA_CERTS"][..]),
            (CertificateError::Expired, &["has expired"]),
            (CertificateError::NotValidForName, &["wrong host"]),
            (CertificateError::NotValidYet, &["clock"]),
            (CertificateError::BadSignature, &["not accepted"]),
        ] {
            let error = rustls::Error::InvalidCertificate(wrong);
            let wrapped = io::Error::new(io::ErrorKind::InvalidData, error.clone());
            for words in [in_words(&error), in_words(&wrapped)] {
                assert!(parts.iter().all(|part| words.contains(part)), "{words}");
            }
        }
    }

    #[test]
    fn other_causes_are_told_as_they_are() {
        assert_eq!(in_words(&io::Error::other("no route")), "no route");
        let asked = io::Error::other("tunnel error: proxy authorization required");
        assert!(in_words(&asked).contains("HTTPS_PROXY"));
    }
}
