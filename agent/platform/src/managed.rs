//! The managed profile: what IT places on the machine, read from where each system keeps such things.
//!
//! | system | where |
//! |---|---|
//! | Linux | `/etc/portreeve/managed.json` |
//! | macOS | `/Library/Managed Preferences/com.portreeve.agent.plist` |
//! | Windows | `HKEY_LOCAL_MACHINE\Software\Policies\Portreeve` |
//! | trials and a user's own layout, everywhere | `etc/managed.json` |
//!
//! The formats are pure and turn into one JSON object; what its keys mean is the contract's affair.

use crate::files::{self, FileError, Owner};
use crate::layout::{Kind, Layout};
use serde_json::{Map, Number, Value};
use std::path::{Path, PathBuf};

/// The preference domain of the macOS profile; the payload type in `mdm-profiles/`.
pub const DOMAIN: &str = "com.portreeve.agent";
/// Below `HKEY_LOCAL_MACHINE`.
pub const REGISTRY_KEY: &str = r"Software\Policies\Portreeve";

const LARGEST_PROFILE: u64 = 1024 * 1024;

/// Why a profile that is there cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the managed profile {} is not valid JSON: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("the managed profile {} is not a valid property list: {source}", path.display())]
    Plist { path: PathBuf, source: plist::Error },
    #[error("the managed profile {}: {what}", path.display())]
    Shape { path: PathBuf, what: String },
}

/// A profile as found.
#[derive(Debug, Clone, PartialEq)]
pub struct Managed {
    /// For people: the file, or the registry key.
    pub from: PathBuf,
    /// An object.
    pub profile: Value,
}

/// Reads the profile that belongs to this layout; `None` where there is none.
///
/// # Errors
/// It is there and cannot be trusted or read. That is not the same as absent: callers refuse.
pub fn read_managed(layout: &Layout) -> Result<Option<Managed>, ManagedError> {
    match layout.kind {
        Kind::System => os::read_system(),
        Kind::User | Kind::Root => read_json_file(&layout.managed_profile(), Owner::AdministratorOrSelf),
    }
}

/// Where this machine's system-wide profile is, if it has one (whether or not it can be read).
pub fn of_machine() -> Option<PathBuf> {
    os::find_system()
}

fn read_json_file(path: &Path, owner: Owner) -> Result<Option<Managed>, ManagedError> {
    let bytes = match files::read_trusted(path, owner, LARGEST_PROFILE) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let profile = serde_json::from_slice(&bytes)
        .map_err(|source| ManagedError::Json { path: path.to_path_buf(), source })?;
    object(path, profile).map(Some)
}

fn object(path: &Path, profile: Value) -> Result<Managed, ManagedError> {
    if profile.is_object() {
        return Ok(Managed { from: path.to_path_buf(), profile });
    }
    Err(ManagedError::Shape { path: path.to_path_buf(), what: "it is not an object of settings".into() })
}

/// A property list (XML or binary) as JSON. Bookkeeping of the profile (`PayloadUUID` and the like),
/// which ends up in the file for one of the two ways to write a profile, is left out.
///
/// # Errors
/// Not a property list, or a value that a profile cannot hold (date, data, uid), by its key.
pub fn from_plist(path: &Path, bytes: &[u8]) -> Result<Managed, ManagedError> {
    let list: plist::Value = plist::from_bytes(bytes)
        .map_err(|source| ManagedError::Plist { path: path.to_path_buf(), source })?;
    let mut found = plist_value("", list)
        .map_err(|what| ManagedError::Shape { path: path.to_path_buf(), what })
        .and_then(|profile| object(path, profile))?;
    if let Some(settings) = found.profile.as_object_mut() {
        settings.retain(|key, _| !key.starts_with("Payload"));
    }
    Ok(found)
}

fn plist_value(key: &str, value: plist::Value) -> Result<Value, String> {
    let unusable = || format!("the value of {key:?} is of a kind that a profile cannot hold");
    Ok(match value {
        plist::Value::Dictionary(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| plist_value(&key, value).map(|value| (key, value)))
                .collect::<Result<Map<_, _>, _>>()?,
        ),
        plist::Value::Array(values) => {
            Value::Array(values.into_iter().map(|value| plist_value(key, value)).collect::<Result<_, _>>()?)
        }
        plist::Value::Boolean(truth) => Value::Bool(truth),
        plist::Value::String(text) => Value::String(text),
        plist::Value::Real(number) => Value::Number(Number::from_f64(number).ok_or_else(unusable)?),
        plist::Value::Integer(number) => {
            let signed = number.as_signed().map(Number::from);
            Value::Number(signed.or_else(|| number.as_unsigned().map(Number::from)).ok_or_else(unusable)?)
        }
        _ => return Err(unusable()),
    })
}

/// One value of a registry key, in the kinds that Group Policy writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryValue {
    /// `REG_SZ` and `REG_EXPAND_SZ` (taken as it stands).
    Text(String),
    /// `REG_MULTI_SZ`: one text of several lines, as ADMX `multiText` elements write it.
    Lines(Vec<String>),
    /// `REG_DWORD`, `REG_QWORD`.
    Number(u64),
}

/// The values of the key as JSON. Empty texts are dropped: Group Policy leaves them behind for
/// elements that an administrator did not fill in.
pub fn from_registry(values: impl IntoIterator<Item = (String, RegistryValue)>) -> Value {
    let settings = values.into_iter().filter_map(|(name, value)| {
        let value = match value {
            RegistryValue::Text(text) if text.is_empty() => return None,
            RegistryValue::Lines(lines) if lines.iter().all(String::is_empty) => return None,
            RegistryValue::Text(text) => Value::String(text),
            RegistryValue::Lines(lines) => Value::String(lines.join("\n")),
            RegistryValue::Number(number) => Value::Number(number.into()),
        };
        Some((name, value))
    });
    Value::Object(settings.collect())
}

#[cfg(all(unix, not(target_os = "macos")))]
mod os {
    use super::{Managed, ManagedError, Owner, Path, PathBuf, read_json_file};

    const PROFILE: &str = "/etc/portreeve/managed.json";

    pub(super) fn find_system() -> Option<PathBuf> {
        Path::new(PROFILE).symlink_metadata().is_ok().then(|| PROFILE.into())
    }

    pub(super) fn read_system() -> Result<Option<Managed>, ManagedError> {
        read_json_file(Path::new(PROFILE), Owner::Administrator)
    }
}

#[cfg(target_os = "macos")]
mod os {
    use super::{DOMAIN, LARGEST_PROFILE, Managed, ManagedError, Owner, Path, PathBuf, files, from_plist};

    /// The device's own; a user's folder beside it holds user-level profiles, which are not obeyed.
    fn profile() -> PathBuf {
        Path::new("/Library/Managed Preferences").join(format!("{DOMAIN}.plist"))
    }

    pub(super) fn find_system() -> Option<PathBuf> {
        Some(profile()).filter(|path| path.symlink_metadata().is_ok())
    }

    pub(super) fn read_system() -> Result<Option<Managed>, ManagedError> {
        let path = profile();
        match files::read_trusted(&path, Owner::Administrator, LARGEST_PROFILE) {
            Ok(bytes) => from_plist(&path, &bytes).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(windows)]
mod os {
    use super::{Managed, ManagedError, PathBuf, REGISTRY_KEY, from_registry};
    use crate::registry;

    fn named() -> PathBuf {
        PathBuf::from(format!(r"HKEY_LOCAL_MACHINE\{REGISTRY_KEY}"))
    }

    pub(super) fn find_system() -> Option<PathBuf> {
        registry::read_machine_key(REGISTRY_KEY).is_ok_and(|values| values.is_some()).then(named)
    }

    pub(super) fn read_system() -> Result<Option<Managed>, ManagedError> {
        let values = registry::read_machine_key(REGISTRY_KEY)
            .map_err(|error| ManagedError::Shape { path: named(), what: error.to_string() })?;
        Ok(values.map(|values| Managed { from: named(), profile: from_registry(values) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLIST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
  <key>PayloadUUID</key><string>0B9C</string>
  <key>organisation</key><string>acme</string>
  <key>server</key><string>https://portreeve.acme.example</string>
  <key>limit</key><integer>3</integer>
  <key>strict</key><true/>
</dict></plist>"#;

    fn expected() -> Value {
        serde_json::json!({
            "organisation": "acme", "server": "https://portreeve.acme.example", "limit": 3, "strict": true
        })
    }

    #[test]
    fn xml_and_binary_property_lists_read_the_same() {
        let path = Path::new("p.plist");
        assert_eq!(from_plist(path, PLIST.as_bytes()).unwrap().profile, expected());
        let list: plist::Value = plist::from_bytes(PLIST.as_bytes()).unwrap();
        let mut binary = Vec::new();
        list.to_writer_binary(&mut binary).unwrap();
        assert_eq!(from_plist(path, &binary).unwrap().profile, expected());
    }

    #[test]
    fn a_damaged_property_list_is_an_error_with_its_path() {
        let cut = &PLIST.as_bytes()[..PLIST.len() - 30];
        for bytes in [cut, b"", b"<plist><array/></plist>", b"bplist00"] {
            let error = from_plist(Path::new("p.plist"), bytes).unwrap_err();
            assert!(error.to_string().contains("p.plist"), "{error}");
        }
        let dated =
            r#"<plist version="1.0"><dict><key>when</key><date>2026-01-01T00:00:00Z</date></dict></plist>"#;
        let error = from_plist(Path::new("p.plist"), dated.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("\"when\""), "{error}");
    }

    #[test]
    fn registry_values_become_settings_and_unfilled_ones_are_absent() {
        let read = from_registry([
            ("organisation".into(), RegistryValue::Text("acme".into())),
            ("trust_root".into(), RegistryValue::Lines(vec!["{".into(), "}".into()])),
            ("limit".into(), RegistryValue::Number(3)),
            ("member".into(), RegistryValue::Text(String::new())),
            ("server_ca".into(), RegistryValue::Lines(vec![String::new()])),
        ]);
        assert_eq!(read, serde_json::json!({"organisation": "acme", "trust_root": "{\n}", "limit": 3}));
    }

    #[test]
    fn a_trial_reads_its_own_file_and_absence_is_not_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        let Ok(layout) = Layout::under(scratch.path()) else { return };
        assert_eq!(read_managed(&layout).unwrap(), None);
        std::fs::create_dir(&layout.etc).unwrap();
        std::fs::write(layout.managed_profile(), r#"{"organisation":"acme"}"#).unwrap();
        let found = read_managed(&layout).unwrap().unwrap();
        assert_eq!(found.profile, serde_json::json!({"organisation": "acme"}));
        for bad in ["[]", "{", ""] {
            std::fs::write(layout.managed_profile(), bad).unwrap();
            assert!(read_managed(&layout).is_err(), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_profile_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("managed.json");
        std::fs::write(&file, "{}").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o646)).unwrap();
        let refused = read_json_file(&file, Owner::AdministratorOrSelf).unwrap_err();
        assert!(refused.to_string().contains("0646"), "{refused}");
    }
}
