//! Calls spelled in every broken way we can think of, and bytes that are no spelling of anything.

use crate::stage::Stage;
use gate::Release;
use mcp::Line;
use proptest::prelude::*;
use serde_json::Value;

fn near_json() -> impl Strategy<Value = String> {
    let name =
        prop_oneof![Just("name"), Just("Name"), Just("n\\u0061me"), Just("name\\u0000"), Just("arguments")];
    let value = prop_oneof![
        Just("\"read_file\""),
        Just("\"delete_file\""),
        Just("{}"),
        Just("[]"),
        Just("null"),
        Just(r#"{"path":"/work/a","path":"/etc"}"#),
        Just("1"),
    ];
    let params = prop::collection::vec((name, value), 0..4).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        format!("{{{}}}", members.join(","))
    });
    let key = prop_oneof![
        Just("method"),
        Just("Method"),
        Just("params"),
        Just("id"),
        Just("jsonrpc"),
        Just("result")
    ];
    let value = prop_oneof![
        Just("\"tools/call\"".to_owned()),
        Just("\"ping\"".to_owned()),
        Just("1".to_owned()),
        Just("\"2.0\"".to_owned()),
        params,
    ];
    prop::collection::vec((key, value), 0..7).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// What a careless server would do: the last of two keys counts, and case does not.
fn careless_tool(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let get = |object: &Value, key: &str| -> Vec<Value> {
        let members = object.as_object().into_iter().flatten();
        members
            .filter(|(k, _)| k.trim_end_matches('\0').eq_ignore_ascii_case(key))
            .map(|(_, v)| v.clone())
            .collect()
    };
    let called = get(&value, "method").iter().any(|method| method == "tools/call");
    let names = get(&value, "params").iter().flat_map(|params| get(params, "name")).collect::<Vec<_>>();
    (called && names.iter().any(|name| name == "delete_file")).then(|| "delete_file".to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_spelling_of_a_refused_call_reaches_the_server(text in near_json()) {
        let mut stage = Stage::new();
        if let Release::ToServer(bytes) = stage.client(&text) {
            prop_assert_eq!(&bytes, text.as_bytes());
            prop_assert_eq!(careless_tool(&text), None);
        }
    }

    #[test]
    fn any_bytes_from_either_side_are_survived(lines in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..20)) {
        let mut stage = Stage::new();
        for (client, bytes) in lines {
            let release = if client {
                stage.client_line(Line::Whole(bytes))
            } else {
                stage.server_line(Line::Whole(bytes))
            };
            prop_assert!(!matches!(release, Release::ToServer(_)));
        }
    }
}
