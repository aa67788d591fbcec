//! Each test is named after an attack on proxies that speak MCP, and fails if the attack works.
//! "Works" means that the server got bytes, or that the client did, which nobody judged.

use crate::stage::{Stage, call, error, result, to_client, to_server};
use gate::{EntryKind, Release};
use mcp::Line;
use policy::Outcome;
use serde_json::{Value, json};

/// Nothing reaches the server; the client is told, under the id it used if that could be told.
#[track_caller]
fn refused_as(text: impl AsRef<[u8]>, code: &str, id: &Value) {
    let mut stage = Stage::new();
    let shown = String::from_utf8_lossy(text.as_ref()).into_owned();
    let release = stage.client_line(Line::Whole(text.as_ref().to_vec()));
    let (number, message) = error(&release, id);
    assert!(matches!(number, -32700 | -32600), "{shown}: {number}");
    assert!(message.starts_with("Portreeve did not send this message to the server: "), "{message}");
    assert_eq!(stage.malformed(), [code], "{shown}");
    assert!(matches!(&stage.last().kind, EntryKind::Malformed { from_client: true, .. }));
}

#[test]
fn duplicate_name_key_smuggles_a_refused_tool() {
    for params in [
        r#"{"name":"read_file","name":"delete_file"}"#,
        r#"{"name":"delete_file","arguments":{},"name":"read_file"}"#,
        r#"{"name":"read_file","n\u0061me":"delete_file"}"#,
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        refused_as(text, "duplicate-key", &json!(1));
    }
}

#[test]
fn duplicate_argument_smuggles_a_refused_path() {
    let arguments = r#"{"path":"/work/a","path":"/etc/shadow"}"#;
    refused_as(call(1, "write_file", arguments), "duplicate-key", &json!(1));
    let nested = r#"{"path":"/work/a","o":[{"k":1,"\u006b":2}]}"#;
    refused_as(call(1, "write_file", nested), "duplicate-key", &json!(1));
}

#[test]
fn duplicate_method_params_or_id_hides_a_call() {
    for (text, id) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"delete_file"}}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file"},"params":{"name":"delete_file"}}"#,
            json!(1),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, Value::Null),
    ] {
        refused_as(text, "duplicate-key", &id);
    }
}

#[test]
fn escaped_method_name_hides_a_call() {
    let mut stage = Stage::new();
    for (id, method) in ["tools\\/call", "tools/c\\u0061ll", "\\u0074ools\\u002fcall"].iter().enumerate() {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"m\u0065thod":"{method}","params":{{"name":"delete\u005ffile"}}}}"#
        );
        assert_eq!(error(&stage.client(&text), &json!(id)).0, -32003, "{text}");
        assert_eq!(stage.last().tool.as_deref(), Some("delete_file"));
    }
}

#[test]
fn method_in_another_case_hides_a_call() {
    for method in
        ["Tools/Call", "TOOLS/CALL", "tools/call ", "tools/call\\u0000", " tools/call", "tool\\u017f/call"]
    {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"name":"delete_file"}}}}"#);
        refused_as(text, "lookalike-method", &json!(1));
    }
}

#[test]
fn batch_hides_a_call() {
    for (text, id) in [
        (format!("[{}]", call(1, "delete_file", "{}")), json!(1)),
        (format!(r#"[{{"jsonrpc":"2.0","method":"x"}},{}]"#, call(1, "delete_file", "{}")), json!(1)),
        ("[]".to_owned(), Value::Null),
        (format!(" \t[ {} ]", call(1, "read_file", "{}")), json!(1)),
    ] {
        refused_as(text, "batch", &id);
    }
}

#[test]
fn two_messages_on_one_line_hide_a_call() {
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping"}}{}"#, call(2, "delete_file", "{}"));
    refused_as(text, "trailing-data", &Value::Null);
}

#[test]
fn arguments_as_array_string_or_null_pass_by_the_condition() {
    for arguments in ["[]", r#"["/work/a"]"#, "\"/work/a\"", "null", "7", "true"] {
        refused_as(call(1, "write_file", arguments), "bad-arguments", &json!(1));
    }
}

#[test]
fn case_folded_params_key_is_read_by_a_careless_server() {
    for key in ["Name", "NAME", "name\\u0000", "name\\u0000x", " name", "name ", "na\\u200bme", "\\ufeffname"]
    {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"read_file","{key}":"delete_file"}}}}"#
        );
        refused_as(text, "lookalike-key", &json!(1));
    }
    for key in ["Arguments", "argument\\u017f", "ARGUMENTS"] {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"write_file","arguments":{{"path":"/work/a"}},"{key}":{{"path":"/etc"}}}}}}"#
        );
        refused_as(text, "lookalike-key", &json!(1));
    }
}

#[test]
fn case_folded_envelope_key_is_read_by_a_careless_server() {
    for member in [
        r#""Method":"tools/call""#,
        r#""METHOD":"tools/call""#,
        r#""method\u0000":"tools/call""#,
        r#""param\u017f":{"name":"delete_file"}"#,
        r#""Params":{"name":"delete_file"}"#,
        r#""ID":2"#,
        r#""re\u017fult":{}"#,
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping",{member}}}"#);
        refused_as(text, "lookalike-key", &json!(1));
    }
}

#[test]
fn call_without_an_id_is_made_and_never_answered() {
    let mut stage = Stage::new();
    let text = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read_file"}}"#;
    assert_eq!(stage.client(text), Release::Nothing, "a notification is not answered, and this one not sent");
    assert_eq!(stage.malformed(), ["call-without-id"]);
}

#[test]
fn id_of_a_strange_type_hides_the_answer() {
    for id in ["null", "1.0", "1e2", "true", "[1]", "{}", "0.1"] {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"read_file"}}}}"#);
        refused_as(text, "bad-id", &Value::Null);
    }
}

#[test]
fn tool_name_that_is_no_string_falls_past_the_judge() {
    for name in ["[\"read_file\"]", "{\"name\":\"read_file\"}", "null", "1"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name}}}}}"#);
        refused_as(text, "call-without-name", &json!(1));
    }
}

#[test]
fn request_that_is_also_an_answer() {
    let text =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"},"result":{}}"#;
    refused_as(text, "request-and-answer", &json!(1));
}

#[test]
fn bytes_that_readers_decode_differently() {
    refused_as(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"\xff\"}", "not-utf8", &json!(1));
    refused_as(
        b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        "byte-order-mark",
        &json!(1),
    );
    refused_as(r#"{"jsonrpc":"2.0","id":1,"method":"tools\ud800/call"}"#, "lone-surrogate", &json!(1));
    refused_as(call(1, "write_file", r#"{"path":NaN}"#), "not-json", &json!(1));
    refused_as(call(1, "write_file", r#"{"n":1e999}"#), "number-out-of-range", &json!(1));
    let utf16: Vec<u8> = call(1, "read_file", "{}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused_as(utf16, "not-json", &Value::Null);
}

#[test]
fn nesting_exhausts_the_stack() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    refused_as(call(1, "read_file", &format!("{{\"a\":{deep}}}")), "too-deep", &json!(1));
}

#[test]
fn tool_name_with_nul_or_zero_width_character_is_not_the_allowed_tool() {
    let mut stage = Stage::new();
    let names = [
        "read_file\\u0000",
        "read_file\\u200b",
        "\\u200bread_file",
        "read_file ",
        " read_file",
        "READ_FILE",
        "read\\u005Ffile\\n",
        "re\\u0430d_file",
        "read_file\\u0000delete_file",
        "read_\\ufb01le",
        "",
    ];
    for (id, name) in names.iter().enumerate() {
        let release = stage.client(&call(id as u64, name, "{}"));
        assert_eq!(error(&release, &json!(id)).0, -32003, "{name}");
    }
}

#[test]
fn allowed_tool_behind_a_refused_ones_prefix() {
    let mut stage = Stage::new();
    for (id, name) in
        ["read_file/../delete_file", "delete_file#read_file", "list_x\\u0000/../delete"].iter().enumerate()
    {
        let text = call(id as u64, name, "{}");
        match stage.client(&text) {
            Release::ToServer(bytes) => {
                assert_eq!(bytes.bytes(), text.as_bytes());
                let EntryKind::Call { rule, .. } = &stage.last().kind else { panic!() };
                assert_eq!(rule, "reading", "only a name that a glob of a grant covers may pass: {name}");
                assert!(name.starts_with("list_"), "{name}");
            }
            release => assert_eq!(error(&release, &json!(id)).0, -32003, "{name}"),
        }
    }
}

#[test]
fn same_id_twice_gets_two_calls_one_answer() {
    let mut stage = Stage::new();
    let first = call(1, "read_file", "{}");
    assert_eq!(stage.client(&first), to_server(&first));
    for text in [call(1, "read_file", "{}"), r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned()] {
        let (code, message) = error(&stage.client(&text), &Value::Null);
        assert_eq!(code, -32600, "{message}");
    }
    let spelled = r#"{"jsonrpc":"2.0","id":"\u0061","method":"ping"}"#;
    assert_eq!(stage.client(spelled), to_server(spelled));
    let release = stage.client(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#);
    assert_eq!(error(&release, &Value::Null).0, -32600);
    assert_eq!(stage.malformed(), ["id-in-use", "id-in-use", "id-in-use"]);
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")), "the first is not disturbed");
}

#[test]
fn broken_line_under_an_open_id_ends_the_open_call() {
    let mut stage = Stage::new();
    let _ = stage.client(&call(1, "read_file", "{}"));
    let release = stage.client(r#"{"jsonrpc":"2.0","id":1,"method":"x","a":1,"a":2}"#);
    assert_eq!(error(&release, &Value::Null).0, -32600);
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
}

#[test]
fn huge_line_is_refused_with_its_id() {
    let mut stage = Stage::new();
    let mut line = br#"{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{"name":"read_file","arguments":{"a":""#.to_vec();
    line.resize(64 << 20, b'a');
    line.extend_from_slice(b"\"}}}\n");
    line.extend_from_slice(call(2, "read_file", "{}").as_bytes());
    line.push(b'\n');
    let released = stage.client_writes(&line);
    let (code, message) = error(&released[0], &json!("big"));
    assert_eq!(code, -32600);
    assert!(message.contains("67108868 bytes"), "{message}");
    assert_eq!(released[1], to_server(&call(2, "read_file", "{}")), "the next line is judged as ever");
    assert_eq!(stage.malformed(), ["oversize"]);
}

#[test]
fn newline_inside_a_string_splits_a_message_in_two() {
    let mut stage = Stage::new();
    let inner = call(9, "read_file", "{}");
    let bytes = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"\n{inner}\n\"}}\n");
    let released = stage.client_writes(bytes.as_bytes());
    assert_eq!(released.len(), 3);
    assert_eq!(released[1], to_server(&inner), "a line of its own is judged on its own");
    assert_eq!(stage.malformed(), ["not-json", "not-json"]);
}

/// Python's text streams, and readers built on them, end a line at a carriage return too.
#[test]
fn carriage_return_between_tokens_hides_a_line_of_its_own() {
    let mut stage = Stage::new();
    let inner = call(2, "delete_file", "{}");
    let text =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"x\":\r{inner}\r}}}}");
    assert_eq!(stage.client(&text), to_server(&text.replace('\r', " ")));
    assert_eq!(stage.server(&text), to_client(&text.replace('\r', " ")));
}

#[test]
fn control_characters_in_a_tool_name_reach_the_terminal() {
    let mut stage = Stage::new();
    let release = stage.client(&call(1, "\\u001b[2J\\u202erun", "{}"));
    let (_, message) = error(&release, &json!(1));
    assert!(!message.chars().any(|c| c.is_control() || c == '\u{202e}'), "{message:?}");
}

#[test]
fn nothing_refused_is_recorded_as_allowed() {
    let mut stage = Stage::new();
    let _ = stage.client(&call(1, "delete_file", "{}"));
    assert!(matches!(&stage.last().kind, EntryKind::Call { outcome: Outcome::Refused, .. }));
}
