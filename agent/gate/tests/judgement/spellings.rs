//! Calls spelled in every broken way we can think of, and bytes that are no spelling of anything.

use crate::stage::Stage;
use gate::Release;
use mcp::{Line, Payload};
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

/// The other things that a grant has to cover, spelled by a careless or hostile client.
fn near_feature() -> impl Strategy<Value = String> {
    let method = prop_oneof![
        Just("resources/read"),
        Just("resources/subscribe"),
        Just("prompts/get"),
        Just("completion/complete"),
        Just("Resources/read"),
        Just("prompts\\/get"),
    ];
    let key = prop_oneof![
        Just("uri"),
        Just("Uri"),
        Just("ur\\u0069"),
        Just("uri\\u0000"),
        Just("name"),
        Just("NAME"),
        Just("ref"),
        Just("REF"),
        Just("_meta"),
    ];
    let value = prop_oneof![
        Just("\"file:///work/a\""),
        Just("\"file:///etc/b\""),
        Just("\"review_x\""),
        Just("\"deploy\""),
        Just(r#"{"type":"ref/prompt","name":"deploy"}"#),
        Just(r#"{"type":"ref/prompt","name":"review_x","uri":"file:///etc/b"}"#),
        Just(r#"{"name":"review_x","Name":"deploy"}"#),
        Just(r#"{"name":"review_x"}"#),
        Just("[\"deploy\"]"),
        Just("null"),
    ];
    (method, prop::collection::vec((key, value), 0..4)).prop_map(|(method, members)| {
        let members: Vec<_> = members.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{}}}}}"#, members.join(","))
    })
}

/// Every text under this key, in `params` or in the reference inside, whatever its case. For resources and
/// prompts asked for by name, what else stands in the message does not count.
fn careless_names(text: &str, key: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let is = |name: &str, key: &str| name.trim_end_matches('\0').eq_ignore_ascii_case(key);
    let in_reference = value["method"] == "completion/complete";
    let params: Vec<_> = value["params"].as_object().into_iter().flatten().collect();
    let objects: Vec<(&String, &Value)> = if in_reference {
        let references = params.iter().filter(|(name, _)| is(name, "ref"));
        references.flat_map(|(_, it)| it.as_object().into_iter().flatten()).collect()
    } else {
        params
    };
    objects
        .iter()
        .filter(|(name, _)| is(name, key))
        .filter_map(|(_, it)| it.as_str().map(str::to_owned))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_spelling_of_a_refused_resource_or_prompt_reaches_the_server(text in near_feature()) {
        let mut stage = Stage::new();
        if let Release::ToServer(bytes) = stage.client(&text) {
            prop_assert_eq!(bytes.bytes(), text.as_bytes());
            // What the message is about is all that a careless reader could take out of it.
            let about_prompt = text.contains("prompts") || text.contains("completion");
            let about_resource = text.contains("resources/") || text.contains("completion");
            prop_assert!(!(about_prompt && text.contains("deploy") && careless_names(&text, "name").contains(&"deploy".to_owned())), "{}", text);
            prop_assert!(!(about_resource && careless_names(&text, "uri").contains(&"file:///etc/b".to_owned())), "{}", text);
        }
    }

    #[test]
    fn no_spelling_of_a_refused_call_reaches_the_server(text in near_json()) {
        let mut stage = Stage::new();
        if let Release::ToServer(bytes) = stage.client(&text) {
            prop_assert_eq!(bytes.bytes(), text.as_bytes());
            prop_assert_eq!(careless_tool(&text), None);
        }
    }

    #[test]
    fn a_message_that_was_read_before_is_judged_as_its_bytes_are(text in prop_oneof![near_json(), near_feature()], from_client: bool) {
        let (mut as_bytes, mut as_read) = (Stage::new(), Stage::new());
        let text = text.replace(',', "\r,\n");
        let read = Line::from(Payload::read(text.clone().into_bytes()));
        let whole = Line::Whole(text.into_bytes());
        let releases = if from_client {
            [as_bytes.client_line(whole), as_read.client_line(read)]
        } else {
            [as_bytes.server_line(whole), as_read.server_line(read)]
        };
        prop_assert_eq!(&releases[0], &releases[1]);
        prop_assert_eq!(format!("{:?}", as_bytes.book.entries), format!("{:?}", as_read.book.entries));
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
