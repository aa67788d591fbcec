//! Properties over random configurations in odd formatting.

use super::*;
use proptest::prelude::*;

/// White space as nobody would type it.
fn blank() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", " ", "\n", "\n  ", "\r\n\t", "  \n \n"]).prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}".prop_map(|name| name),
        prop::sample::select(vec!["--", "ü🦀", "a\\\"b", "mcpServers", "\\u0061x", "type", "command"])
            .prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["0", "-0.0", "1.10", "1E-7", "12345678901234567890123", "0.30000000000000004"])
        .prop_map(str::to_owned)
}

/// Any JSON text.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        number(),
        prop::sample::select(vec!["null", "true", "\"\\ud83e\\udd80 }{\"", "\"\"", "\"\\\\\""])
            .prop_map(str::to_owned)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec((name(), inner), 0..3).prop_map(|members| object(&members, " ", "")),
        ]
    })
}

fn object(members: &[(String, String)], before: &str, after: &str) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(key, value)| format!("{before}\"{key}\"{after}:{before}{value}{after}"))
        .collect();
    format!("{{{}{after}}}", members.join(","))
}

fn server() -> impl Strategy<Value = String> {
    let args = prop::collection::vec("[a-z $-]{0,8}", 0..4);
    prop_oneof![
        4 => (args, blank(), any_json()).prop_map(|(args, blank, extra)| {
            let args: Vec<String> = args.iter().map(|arg| format!("{blank}\"{arg}\"")).collect();
            format!("{{{blank}\"x-extra\":{extra},\"args\":[{}{blank}],{blank}\"command\" :\"run\"{blank}}}", args.join(","))
        }),
        2 => (blank(), any_json()).prop_map(|(blank, extra)| format!(
            "{{\"type\":{blank}\"http\",\"url\":\"https://h.test/p?q\",{blank}\"headers\":{{\"A\":\"b\\\"${{C}}\"}},\"z\":{extra}{blank}}}"
        )),
        1 => Just("{\"command\":\"bare\"}".to_owned()),
        1 => any_json(),
    ]
}

fn servers() -> impl Strategy<Value = String> {
    (prop::collection::btree_map("[a-z]{1,5}", server(), 0..5), blank(), blank()).prop_map(
        |(servers, before, after)| object(&servers.into_iter().collect::<Vec<_>>(), &before, &after),
    )
}

fn config() -> impl Strategy<Value = String> {
    (servers(), servers(), any_json(), any_json(), blank(), prop::bool::ANY).prop_map(
        |(user, local, one, two, blank, mark)| {
            let mark = if mark { "\u{feff}" } else { "" };
            format!(
                "{mark}{blank}{{{blank}\"one\":{one},\"mcpServers\"{blank}:{user},{blank}\"two\":{two},\
                 \"projects\":{{\"/p\":{{\"k\":{one},\"mcpServers\":{blank}{local}}},\"/q\":{two}}}{blank}}}{blank}"
            )
        },
    )
}

/// Every value but the lists of servers.
fn the_rest(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    value["mcpServers"] = Value::Null;
    value["projects"]["/p"]["mcpServers"] = Value::Null;
    value
}

/// The text with the entries that were changed cut out of it.
fn around_entries(text: &str, changed: &[(Option<String>, String)]) -> Vec<String> {
    let parsed = crate::clients::ConfigText::parse(text.as_bytes().to_vec()).unwrap();
    let holders = plan::edit::holders(parsed.root()).unwrap();
    let mut spans = Vec::new();
    for (project, name) in changed {
        let list = holders[project].member("mcpServers").unwrap().unwrap().value;
        spans.push(list.member(name).unwrap().unwrap().value.span());
    }
    spans.sort_by_key(|span| span.start);
    let mut pieces = Vec::new();
    let mut at = 0;
    for span in spans {
        pieces.push(text[at..span.start].to_owned());
        at = span.end;
    }
    pieces.push(text[at..].to_owned());
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn applying_changes_its_entries_only_and_restoring_gives_every_byte_back(config in config()) {
        let story = Story::with(&config);
        let changes = story.steward.apply().unwrap().remove(0).changes;
        let changed: Vec<_> = changes.iter().map(|change| (change.place.project.clone(), change.place.name.clone())).collect();
        let applied = story.config();
        prop_assert_eq!(the_rest(&config), the_rest(&applied));
        prop_assert_eq!(around_entries(&config, &changed), around_entries(&applied, &changed));
        prop_assert_eq!(story.apply(), 0);
        story.restore();
        prop_assert_eq!(story.config(), config);
    }

    #[test]
    fn after_a_foreign_edit_every_entry_still_gets_its_own_text_back(config in config()) {
        let story = Story::with(&config);
        story.apply();
        let foreign = format!("{}  \n", story.config());
        story.write(".claude.json", &foreign);
        let restored = story.restore();
        prop_assert!(restored.files.iter().all(|file| !file.byte_for_byte));
        prop_assert_eq!(story.config(), format!("{config}  \n"));
    }

    #[test]
    fn without_a_journal_the_same_servers_come_back(config in config()) {
        let story = Story::with(&config);
        let value = story.value();
        story.apply();
        fs::remove_dir_all(&story.steward.folder).unwrap();
        story.restore();
        let mut back = story.value();
        // An empty list of arguments and none are the same to every client.
        for list in [&mut back["mcpServers"]] {
            for (name, server) in list.as_object_mut().into_iter().flatten() {
                let had = value["mcpServers"][name].get("args").is_some();
                if let (false, Some(server)) = (had, server.as_object_mut()) {
                    server.remove("args");
                }
            }
        }
        let list = &mut back["projects"]["/p"]["mcpServers"];
        for (name, server) in list.as_object_mut().into_iter().flatten() {
            let had = value["projects"]["/p"]["mcpServers"][name].get("args").is_some();
            if let (false, Some(server)) = (had, server.as_object_mut()) {
                server.remove("args");
            }
        }
        prop_assert_eq!(back, value);
    }
}
