//! The managed profile, from whatever the MDM wrote to a value that cannot be wrong.

use contract::enrolment::ManagedProfile;
use platform::Layout;
use platform::managed::{self, ManagedError};
use reqwest::Certificate;
use serde_json::{Map, Value};
use std::path::PathBuf;
use url::Url;

/// Why there is no profile to enrol by.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error(
        "there is no managed profile: your IT department places it on the machine \
         (on Linux, and for a trial with --root: {})", looked.display()
    )]
    Absent { looked: PathBuf },
    #[error(transparent)]
    Unreadable(#[from] ManagedError),
    #[error("the managed profile {}: {}", from.display(), faults.join("; "))]
    Wrong { from: PathBuf, faults: Vec<String> },
}

/// # Errors
/// There is none, or each fault of it by its key.
pub fn read(layout: &Layout) -> Result<ManagedProfile, ProfileError> {
    let found = managed::read_managed(layout)?
        .ok_or_else(|| ProfileError::Absent { looked: layout.managed_profile() })?;
    let Value::Object(keys) = found.profile else {
        let faults = vec!["it is not an object of settings".to_owned()];
        return Err(ProfileError::Wrong { from: found.from, faults });
    };
    parse(keys).map_err(|faults| ProfileError::Wrong { from: found.from, faults })
}

fn parse(keys: Map<String, Value>) -> Result<ManagedProfile, Vec<String>> {
    let mut keys = Keys { keys, faults: Vec::new() };
    let profile = ManagedProfile {
        organisation: keys.required("organisation", |_| Ok(())),
        server: keys.required("server", is_server),
        server_ca: keys.optional("server_ca", is_pem),
        trust_root: keys.required("trust_root", is_trust_root),
        enrolment_token: keys.required("enrolment_token", is_filled),
        member: keys.optional("member", is_filled),
    };
    let unknown = keys.keys.into_iter().map(|(key, _)| format!("the key `{key}` is not known"));
    keys.faults.extend(unknown);
    if keys.faults.is_empty() { Ok(profile) } else { Err(keys.faults) }
}

/// Takes key after key out, and keeps every fault rather than the first.
struct Keys {
    keys: Map<String, Value>,
    faults: Vec<String>,
}

type Check = fn(&str) -> Result<(), String>;

impl Keys {
    fn required(&mut self, key: &str, check: Check) -> String {
        self.optional(key, check).unwrap_or_else(|| {
            if !self.faults.iter().any(|fault| fault.contains(&format!("`{key}`"))) {
                self.faults.push(format!("the key `{key}` is missing"));
            }
            String::new()
        })
    }

    fn optional(&mut self, key: &str, check: Check) -> Option<String> {
        match self.keys.remove(key)? {
            Value::String(text) if text.trim().is_empty() => {
                self.faults.push(format!("the key `{key}` is empty"));
                None
            }
            Value::String(text) => {
                if let Err(fault) = check(&text) {
                    self.faults.push(format!("the key `{key}` {fault}"));
                }
                Some(text)
            }
            _ => {
                self.faults.push(format!("the key `{key}` must be a text"));
                None
            }
        }
    }
}

fn is_server(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("is not an address ({error})"))?;
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        _ => Err("must be an https address, as https://portreeve.acme.example".to_owned()),
    }
}

fn is_pem(text: &str) -> Result<(), String> {
    match Certificate::from_pem_bundle(text.as_bytes()) {
        Ok(found) if !found.is_empty() => Ok(()),
        _ => Err("must be a certificate in PEM".to_owned()),
    }
}

fn is_trust_root(text: &str) -> Result<(), String> {
    let root: Option<Value> = serde_json::from_str(text).ok();
    match root.and_then(|root| root.pointer("/signed/_type").and_then(Value::as_str).map(str::to_owned)) {
        Some(kind) if kind == "root" => Ok(()),
        _ => Err("must be the text of the policy server's root.json".to_owned()),
    }
}

/// `$EMAIL` arrives as it is written where the MDM had nothing to put in its place.
fn is_filled(text: &str) -> Result<(), String> {
    if text.starts_with('$') || text.starts_with("{{") {
        return Err("still holds a placeholder that the device management did not fill in".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "organisation": "acme",
            "server": "https://portreeve.acme.example",
            "trust_root": r#"{"signed":{"_type":"root"},"signatures":[]}"#,
            "enrolment_token": "secret-token",
            "member": "alice@acme.example",
        })
    }

    fn faults(change: impl FnOnce(&mut Map<String, Value>)) -> Vec<String> {
        let Value::Object(mut keys) = good() else { panic!("not an object") };
        change(&mut keys);
        parse(keys).err().unwrap_or_default()
    }

    #[test]
    fn a_whole_profile_is_taken() {
        assert_eq!(faults(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_named_by_its_key() {
        let cases: [(&str, Option<Value>, &str); 11] = [
            ("organisation", None, "the key `organisation` is missing"),
            ("organisation", Some(json!(7)), "the key `organisation` must be a text"),
            ("organisation", Some(json!(" ")), "the key `organisation` is empty"),
            ("server", Some(json!("portreeve.acme.example")), "the key `server` is not an address"),
            ("server", Some(json!("http://acme.example")), "the key `server` must be an https address"),
            ("server_ca", Some(json!("no pem")), "the key `server_ca` must be a certificate in PEM"),
            ("trust_root", Some(json!("{}")), "the key `trust_root` must be the text of"),
            ("trust_root", None, "the key `trust_root` is missing"),
            ("enrolment_token", None, "the key `enrolment_token` is missing"),
            ("member", Some(json!("$EMAIL")), "the key `member` still holds a placeholder"),
            ("organization", Some(json!("acme")), "the key `organization` is not known"),
        ];
        for (key, value, expected) in cases {
            let found = faults(|keys| {
                keys.remove(key);
                if let Some(value) = value {
                    keys.insert(key.to_owned(), value);
                }
            });
            assert_eq!(found.len(), 1, "{key}: {found:?}");
            assert!(found[0].starts_with(expected), "{key}: {found:?}");
        }
    }

    #[test]
    fn all_faults_are_said_at_once_and_never_the_token() {
        let found = faults(|keys| {
            keys.remove("server");
            keys.insert("enrolment_token".to_owned(), json!(["secret-token"]));
            keys.insert("extra".to_owned(), json!(true));
        });
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(!found.join(" ").contains("secret-token"));
    }
}
