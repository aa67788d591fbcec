//! The files in `mdm-profiles/` have exactly the keys of `ManagedProfile`: one too many is refused on
//! every machine, one too few enrols none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test are a test")]

use contract::enrolment::ManagedProfile;
use serde_json::Value;
use std::collections::BTreeSet;

type Keys = BTreeSet<String>;

fn read(path: &str) -> String {
    let path = format!("{}/../../mdm-profiles/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn whole() -> Value {
    let profile = ManagedProfile {
        organisation: "o".to_owned(),
        server: "s".to_owned(),
        server_ca: Some("c".to_owned()),
        trust_root: "t".to_owned(),
        enrolment_token: "e".to_owned(),
        member: Some("m".to_owned()),
    };
    serde_json::to_value(profile).unwrap()
}

fn keys(object: &Value) -> Keys {
    object.as_object().unwrap().keys().cloned().collect()
}

/// Those without which a profile is not read.
fn required() -> Keys {
    let is_required = |key: &String| {
        let mut without = whole();
        without.as_object_mut().unwrap().remove(key);
        serde_json::from_value::<ManagedProfile>(without).is_err()
    };
    keys(&whole()).into_iter().filter(is_required).collect()
}

fn texts(list: &Value) -> Keys {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Every text between `before` and the next `after`.
fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(move |rest| rest.split(after).next().unwrap())
}

#[test]
fn linux_file_and_schema() {
    let example: Value = serde_json::from_str(&read("linux/managed.json")).unwrap();
    assert_eq!(keys(&example), keys(&whole()));
    serde_json::from_value::<ManagedProfile>(example).unwrap();

    let schema: Value = serde_json::from_str(&read("linux/managed.schema.json")).unwrap();
    assert_eq!(keys(&schema["properties"]), keys(&whole()));
    assert_eq!(texts(&schema["required"]), required());
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn jamf_schema() {
    let schema: Value = serde_json::from_str(&read("jamf/portreeve.json")).unwrap();
    assert_eq!(keys(&schema["properties"]), keys(&whole()));
    assert_eq!(texts(&schema["required"]), required());
    assert_eq!(schema["__preferencedomain"], "com.portreeve.agent");
    for (key, property) in schema["properties"].as_object().unwrap() {
        assert!(property["title"].is_string() && property["property_order"].is_u64(), "{key}");
    }
}

#[test]
fn apple_configuration_profile() {
    let profile: Value = plist::from_bytes(read("apple/portreeve.mobileconfig").as_bytes()).unwrap();
    assert_eq!(profile["PayloadType"], "Configuration");
    assert_eq!(profile["PayloadScope"], "System");
    let payload = &profile["PayloadContent"][0];
    assert_eq!(payload["PayloadType"], "com.apple.ManagedClient.preferences");
    let settings = &payload["PayloadContent"]["com.portreeve.agent"]["Forced"][0]["mcx_preference_settings"];
    assert_eq!(keys(settings), keys(&whole()));
    serde_json::from_value::<ManagedProfile>(settings.clone()).unwrap();
    let uuids: Keys =
        [&profile, payload].map(|payload| payload["PayloadUUID"].as_str().unwrap().to_owned()).into();
    assert_eq!(uuids.len(), 2, "each payload has an id of its own");
}

#[test]
fn group_policy_templates() {
    let (admx, adml) = (read("group-policy/portreeve.admx"), read("group-policy/en-US/portreeve.adml"));
    let named: Keys = between(&admx, "valueName=\"", "\"").map(str::to_owned).collect();
    assert_eq!(named, keys(&whole()));
    let mandatory: Keys = admx
        .lines()
        .filter(|line| line.contains("required=\"true\""))
        .flat_map(|line| between(line, "valueName=\"", "\""))
        .map(str::to_owned)
        .collect();
    assert_eq!(mandatory, required());
    assert!(admx.contains(r#"key="Software\Policies\Portreeve""#));

    for (reference, definition) in
        [("$(string.", "<string id=\""), ("$(presentation.", "<presentation id=\"")]
    {
        for name in between(&admx, reference, ")") {
            assert!(
                adml.contains(&format!("{definition}{name}\"")),
                "{reference}{name}) is not in the .adml"
            );
        }
    }
    let shown: Keys = between(&adml, "refId=\"", "\"").map(str::to_owned).collect();
    assert_eq!(shown, keys(&whole()), "every element has its field in the dialogue");
}

#[test]
fn registry_file() {
    let file = read("group-policy/portreeve.reg");
    assert!(file.starts_with("Windows Registry Editor Version 5.00\r\n"));
    assert!(file.contains("[HKEY_LOCAL_MACHINE\\Software\\Policies\\Portreeve]\r\n"));
    let named: Keys = file
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(named, keys(&whole()));
    let admx = read("group-policy/portreeve.admx");
    for key in &named {
        let lines = admx.contains(&format!("<multiText id=\"{key}\""));
        assert_eq!(file.contains(&format!("\"{key}\"=hex(7):")), lines, "{key} is of the template's kind");
    }
}
