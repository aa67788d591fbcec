//! What a document says beyond grants: definitions and the door.

use policy::{DefinitionsMode, Document, DoorSettings, Ruleset, ServerIdentity, Standing};

fn compiled(text: &str) -> Ruleset {
    let document = Document::parse(text).expect(text);
    Ruleset::compile(&document, &Standing::default(), 1, None).expect(text)
}

#[test]
fn definitions_are_ruled_by_server_with_a_default() {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let rules = compiled(&format!(
        "[defaults]\ndefinitions = 'hold'\n[servers.a]\nmatch = ['npm:a']\ndefinitions = 'off'\n\
         [servers.a.pins]\n'odd name' = '{digest}'\n[servers.b]\nmatch = ['npm:b']\n"
    ));
    let of = |identity: &str| rules.definitions_of(&ServerIdentity::from_canonical(identity));
    assert_eq!(of("npm:a@1.0").mode, DefinitionsMode::Off);
    assert_eq!(of("npm:a").pins.get("odd name"), Some(&digest));
    assert_eq!((of("npm:b").mode, of("npm:b").pins.len()), (DefinitionsMode::Hold, 0));
    assert_eq!(of("npm:elsewhere").mode, DefinitionsMode::Hold);
    assert_eq!(
        compiled("").definitions_of(&ServerIdentity::from_canonical("npm:a")).mode,
        DefinitionsMode::Report
    );
}

#[test]
fn the_door_is_open_for_http_unless_the_document_says_otherwise() {
    assert_eq!(compiled("").settings().door, DoorSettings { enabled: true, https: false });
    let rules = compiled("[door]\nenabled = false\nhttps = true\n");
    assert_eq!(rules.settings().door, DoorSettings { enabled: false, https: true });
    assert!(!Ruleset::lockdown("no policy").settings().door.enabled);
}

#[test]
fn a_resource_pattern_is_sound_where_some_plain_uri_fits_it() {
    for (pattern, sound) in [
        ("file://*", true),
        ("file:*", true),
        ("file:///*", true),
        ("file://*/x", true),
        ("https:*", true),
        ("https://*.acme.example/*", true),
        ("*://x", true),
        ("*.md", true),
        ("**", true),
        ("*/../*", false),
        ("https://alice@*", false),
        ("Note://*", false),
    ] {
        let text = format!(
            "[servers.a]\nmatch = ['npm:a']\n[roles.r]\nmembers = ['*']\n\
             [[grants]]\nname = 'g'\nroles = ['r']\nservers = ['a']\nresources = ['{pattern}']\n"
        );
        assert_eq!(Document::parse(&text).is_ok(), sound, "{pattern}");
    }
}
