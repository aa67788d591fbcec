//! The managed profile in the forms in which management systems take it.

use contract::enrolment::ManagedProfile;
use std::fmt::Write as _;
use uuid::Uuid;

/// The preference domain on macOS.
const DOMAIN: &str = "com.portreeve.agent";
/// Written as several lines of text: values with line breaks.
const LINES: [&str; 2] = ["server_ca", "trust_root"];

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

/// The same as a whole configuration profile, as `mdm-profiles/apple` has it: to be uploaded as it is.
#[must_use]
pub fn as_mobileconfig(profile: &ManagedProfile) -> String {
    let settings = plist::to_value(&for_mdm(profile)).expect("a profile is strings only");
    let forced = dictionary([("mcx_preference_settings", settings)]);
    let domain = dictionary([("Forced", plist::Value::Array(vec![forced]))]);
    let payload = dictionary([
        ("PayloadType", "com.apple.ManagedClient.preferences".into()),
        ("PayloadVersion", 1.into()),
        ("PayloadIdentifier", format!("{DOMAIN}.profile.settings").into()),
        ("PayloadUUID", payload_uuid()),
        ("PayloadDisplayName", "Portreeve settings".into()),
        ("PayloadEnabled", true.into()),
        ("PayloadContent", dictionary([(DOMAIN, domain)])),
    ]);
    let whole = dictionary([
        ("PayloadType", "Configuration".into()),
        ("PayloadVersion", 1.into()),
        ("PayloadIdentifier", format!("{DOMAIN}.profile").into()),
        ("PayloadUUID", payload_uuid()),
        ("PayloadDisplayName", "Portreeve".into()),
        ("PayloadOrganization", profile.organisation.as_str().into()),
        // Device-level: a user-level profile is not obeyed.
        ("PayloadScope", "System".into()),
        ("PayloadContent", plist::Value::Array(vec![payload])),
    ]);
    let mut bytes = Vec::new();
    plist::to_writer_xml(&mut bytes, &whole).expect("a profile is strings only, and memory takes them");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn dictionary<const N: usize>(entries: [(&str, plist::Value); N]) -> plist::Value {
    plist::Value::Dictionary(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn payload_uuid() -> plist::Value {
    Uuid::new_v4().to_string().to_uppercase().into()
}

/// Where the token is not for one member, the management system says whose machine it is. `$EMAIL` is
/// Jamf's word for it; the server refuses it where nobody put an address in its place.
#[must_use]
pub fn for_mdm(profile: &ManagedProfile) -> ManagedProfile {
    let member = profile.member.clone().or_else(|| Some("$EMAIL".to_owned()));
    ManagedProfile { member, ..profile.clone() }
}

/// A file for `reg import`, in the kinds of value that the Group Policy template writes.
#[must_use]
pub fn as_registry_file(profile: &ManagedProfile) -> String {
    let mut file = format!("Windows Registry Editor Version 5.00\r\n\r\n[{REGISTRY_KEY}]\r\n");
    for (name, value) in values(profile) {
        let _ = write!(file, "\"{name}\"={}\r\n", registry_value(&name, &value));
    }
    file
}

/// `REG_MULTI_SZ` (`hex(7)`), a line a text, for what the template has as `multiText`; `REG_SZ` for the
/// rest, as UTF-16 bytes (`hex(1)`) where the quoted form cannot hold it.
fn registry_value(name: &str, value: &str) -> String {
    if LINES.contains(&name) {
        let lines = value.lines().filter(|line| !line.is_empty());
        let units = lines.flat_map(|line| line.encode_utf16().chain([0])).chain([0]);
        format!("hex(7):{}", hex(units))
    } else if value.chars().all(|c| c.is_ascii() && !c.is_control()) {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("hex(1):{}", hex(value.encode_utf16().chain([0])))
    }
}

fn hex(units: impl Iterator<Item = u16>) -> String {
    let bytes: Vec<String> = units.flat_map(u16::to_le_bytes).map(|byte| format!("{byte:02x}")).collect();
    bytes.join(",")
}

fn values(profile: &ManagedProfile) -> Vec<(String, String)> {
    let value = serde_json::to_value(profile).expect("a profile is strings only");
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::{as_json, as_mobileconfig, as_plist, as_registry_file, for_mdm};
    use contract::enrolment::ManagedProfile;

    fn profile() -> ManagedProfile {
        ManagedProfile {
            organisation: "Käse & \"Söhne\"".into(),
            server: r"https://portreeve.example/\".into(),
            server_ca: Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".into()),
            trust_root: "{\n  \"signed\": {}\n}".into(),
            enrolment_token: "sec\"ret".into(),
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

    #[test]
    fn configuration_profile_has_the_shape_of_the_one_in_mdm_profiles() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../mdm-profiles/apple/portreeve.mobileconfig");
        let example: serde_json::Value = plist::from_file(example).unwrap();
        let profile = ManagedProfile { server_ca: Some("c".into()), ..profile() };
        let made: serde_json::Value = plist::from_bytes(as_mobileconfig(&profile).as_bytes()).unwrap();
        let settings = |value: &serde_json::Value| {
            value["PayloadContent"][0]["PayloadContent"]["com.portreeve.agent"]["Forced"][0]["mcx_preference_settings"]
                .clone()
        };
        assert_eq!(serde_json::from_value::<ManagedProfile>(settings(&made)).unwrap(), for_mdm(&profile));
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&settings(&made)), keys(&settings(&example)));
        assert_eq!(keys(&made["PayloadContent"][0]), keys(&example["PayloadContent"][0]));
        for key in keys(&example) {
            assert!(!made[&key].is_null(), "{key}");
        }
        assert_ne!(made["PayloadUUID"], made["PayloadContent"][0]["PayloadUUID"]);
    }

    /// As `reg import` and the agent read it.
    fn read_registry_file(file: &str) -> ManagedProfile {
        let members =
            file.lines().filter_map(|line| line.strip_prefix('"')?.split_once("\"=")).map(|(name, value)| {
                let value = if let Some(hex) = value.strip_prefix("hex(7):") {
                    units(hex).trim_end_matches('\0').replace('\0', "\n")
                } else if let Some(hex) = value.strip_prefix("hex(1):") {
                    units(hex).trim_end_matches('\0').to_owned()
                } else {
                    let quoted = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                    quoted.replace("\\\"", "\"").replace("\\\\", "\\")
                };
                (name.to_owned(), value.into())
            });
        serde_json::from_value(serde_json::Value::Object(members.collect())).unwrap()
    }

    fn units(hex: &str) -> String {
        let bytes: Vec<u8> = hex.split(',').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let units: Vec<u16> =
            bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        String::from_utf16(&units).unwrap()
    }

    #[test]
    fn kinds_of_registry_values_are_those_of_the_group_policy_template() {
        let admx = concat!(env!("CARGO_MANIFEST_DIR"), "/../mdm-profiles/group-policy/portreeve.admx");
        let admx = std::fs::read_to_string(admx).unwrap();
        let made = as_registry_file(&ManagedProfile { member: Some("m@x".into()), ..profile() });
        for line in made.lines().filter(|line| line.starts_with('"')) {
            let name = line.split('"').nth(1).unwrap();
            let lines = admx.contains(&format!("<multiText id=\"{name}\""));
            assert_eq!(line.contains("=hex(7):"), lines, "{name}");
        }
    }

    #[test]
    fn management_system_names_the_member_where_the_token_does_not() {
        assert_eq!(for_mdm(&profile()).member.as_deref(), Some("$EMAIL"));
        let bound = ManagedProfile { member: Some("ada@acme.example".into()), ..profile() };
        assert_eq!(for_mdm(&bound), bound);
    }
}
