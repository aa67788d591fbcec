//! The managed profile in the forms in which management systems take it.

use contract::enrolment::ManagedProfile;
use std::fmt::Write as _;

/// Where the agent looks for it on Windows.
const REGISTRY_KEY: &str = r"HKEY_LOCAL_MACHINE\Software\Policies\Portreeve";

/// `/etc/portreeve/managed.json`.
#[must_use]
pub fn as_json(profile: &ManagedProfile) -> String {
    serde_json::to_string_pretty(profile).expect("a profile is strings only")
}

/// The managed preferences of the domain `com.portreeve.agent`.
#[must_use]
pub fn as_plist(profile: &ManagedProfile) -> String {
    let mut bytes = Vec::new();
    plist::to_writer_xml(&mut bytes, profile).expect("a profile is strings only, and memory takes them");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file for `reg import`. Values are written as UTF-16 bytes: certificates have line breaks, which the
/// quoted form cannot hold.
#[must_use]
pub fn as_registry_file(profile: &ManagedProfile) -> String {
    let mut file = format!("Windows Registry Editor Version 5.00\r\n\r\n[{REGISTRY_KEY}]\r\n");
    for (name, value) in values(profile) {
        let bytes: Vec<String> = value
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // hex(1) is REG_SZ.
        let _ = write!(file, "\"{name}\"=hex(1):{}\r\n", bytes.join(","));
    }
    file
}

fn values(profile: &ManagedProfile) -> Vec<(String, String)> {
    let value = serde_json::to_value(profile).expect("a profile is strings only");
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::{as_json, as_plist, as_registry_file};
    use contract::enrolment::ManagedProfile;

    fn profile() -> ManagedProfile {
        ManagedProfile {
            organisation: "Käse & \"Söhne\"".into(),
            server: "https://portreeve.example".into(),
            server_ca: Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into()),
            trust_root: "{\n  \"signed\": {}\n}".into(),
            enrolment_token: "secret".into(),
            member: None,
        }
    }

    #[test]
    fn every_form_reads_back_as_the_same_profile() {
        let profile = profile();
        assert_eq!(serde_json::from_str::<ManagedProfile>(&as_json(&profile)).unwrap(), profile);
        assert_eq!(plist::from_bytes::<ManagedProfile>(as_plist(&profile).as_bytes()).unwrap(), profile);
        assert_eq!(read_registry_file(&as_registry_file(&profile)), profile);
    }

    /// As `reg import` reads it.
    fn read_registry_file(file: &str) -> ManagedProfile {
        let members = file.lines().filter_map(|line| line.split_once("=hex(1):")).map(|(name, hex)| {
            let bytes: Vec<u8> = hex.split(',').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            let units: Vec<u16> =
                bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            let text = String::from_utf16(&units).unwrap();
            (name.trim_matches('"').to_owned(), text.trim_end_matches('\0').into())
        });
        serde_json::from_value(serde_json::Value::Object(members.collect())).unwrap()
    }
}
