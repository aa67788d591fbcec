//! How a machine becomes a device of an organisation.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// What IT places on the machine by MDM: `/etc/portreeve/managed.json` on Linux, managed preferences
/// on macOS, the policy registry key on Windows. The same keys everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedProfile {
    /// The organisation's name; policy of another organisation is refused by it.
    pub organisation: String,
    /// Base URL of the policy server: `https://portreeve.acme.example`.
    pub server: String,
    /// PEM of the certificate authority of the policy server's own TLS certificate.
    /// Absent where the server's certificate is from a public or system-wide authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ca: Option<String>,
    /// The TUF root metadata that policy is verified against, as text (`root.json`, any version).
    pub trust_root: String,
    pub enrolment_token: String,
    /// The member this machine belongs to, where the MDM knows it (`$EMAIL` in Jamf).
    /// A token made for one member wins over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// POST /v1/enrol.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolRequest {
    pub token: String,
    /// PKCS #10 request; only its public key is used.
    pub csr_pem: String,
    #[serde(default)]
    pub member: Option<String>,
    pub machine: Machine,
    /// Whose device this machine expects to become: a server of another organisation refuses before
    /// it uses the token up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// [`trust_root_digest`] of the profile's trust root, for the same reason: this machine would accept
    /// no policy of a server with another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_root_digest: Option<String>,
}

/// What tells two trust roots apart, however white space and keys are ordered: SHA-256 in hex of the
/// canonical JSON (RFC 8785) of what is signed. `None` for what is no trust root.
#[must_use]
pub fn trust_root_digest(root: &str) -> Option<String> {
    let root: serde_json::Value = serde_json::from_str(root).ok()?;
    let canonical = serde_json_canonicalizer::to_vec(root.get("signed")?).ok()?;
    Some(format!("{:x}", Sha256::digest(canonical)))
}

/// What the machine says of itself. For the fleet page; nothing is decided by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub hostname: String,
    /// `linux`, `macos`, `windows`.
    pub os: String,
    pub os_version: String,
    pub agent_version: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolReply {
    pub device_id: String,
    pub member: String,
    pub organisation: String,
    /// The device's certificate, then the authority's.
    pub certificate_pem: String,
    #[serde(with = "time::serde::rfc3339")]
    pub certificate_expires: OffsetDateTime,
}

/// POST /v1/agent/renew: a fresh certificate for the same device, new key or old.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenewRequest {
    pub csr_pem: String,
}

/// The body of every error the server answers with (RFC 9457, problem details).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiProblem {
    /// Stable, for programs: `token-expired`, `token-used`, `device-revoked`, …
    pub code: String,
    /// A whole sentence, for people: what was wrong and what to do.
    pub detail: String,
    pub status: u16,
}

#[cfg(test)]
mod tests {
    use super::trust_root_digest;

    #[test]
    fn a_trust_root_is_told_by_what_it_says_and_not_by_its_spelling() {
        let root = trust_root_digest(r#"{"signed":{"_type":"root","version":1},"signatures":[]}"#);
        assert!(root.is_some());
        let spelled =
            trust_root_digest("{\n \"signed\": {\"version\": 1, \"_type\": \"root\"},\"signatures\":[1]}\n");
        assert_eq!(root, spelled);
        assert_ne!(root, trust_root_digest(r#"{"signed":{"_type":"root","version":2},"signatures":[]}"#));
        assert_eq!(trust_root_digest("{}"), None);
        assert_eq!(trust_root_digest("no root"), None);
    }
}
