use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Message, Malformed> {
    Message::parse(text.as_bytes().to_vec())
}

fn id(json: &str) -> Id {
    Id::from_json(json).unwrap()
}

#[test]
fn the_four_shapes() {
    let table = [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request { id: id("1"), method: "ping".into() }),
        (
            r#"{"jsonrpc":"2.0","id":"a","m\u0065thod":"p\u0069ng"}"#,
            Kind::Request { id: id("\"a\""), method: "ping".into() },
        ),
        (r#"{"jsonrpc":"2.0","method":"x/y"}"#, Kind::Notification { method: "x/y".into() }),
        (r#"{"jsonrpc":"2.0","id":-5,"result":null}"#, Kind::Response { id: id("-5") }),
        (
            r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"m"}}"#,
            Kind::Error { id: Some(id("5")), code: -32601 },
        ),
        (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1}}"#, Kind::Error { id: None, code: 1 }),
    ];
    for (text, kind) in table {
        assert_eq!(*parse(text).unwrap().kind(), kind, "{text}");
    }
}

#[test]
fn every_broken_envelope_has_its_own_name() {
    let table = [
        (r#"{"id":1,"method":"ping"}"#, "not-json-rpc-2"),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "not-json-rpc-2"),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, "not-json-rpc-2"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "bad-id"),
        (r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#, "bad-id"),
        (r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#, "bad-id"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, "bad-id"),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, "bad-id"),
        (r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#, "bad-id"),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "bad-method"),
        (r#"{"jsonrpc":"2.0","id":1,"method":["tools/call"]}"#, "bad-method"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, "bad-params"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, "bad-params"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "no-shape"),
        (r#"{"jsonrpc":"2.0"}"#, "no-shape"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, "request-and-answer"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","error":{"code":1}}"#, "request-and-answer"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}"#, "result-and-error"),
        (r#"{"jsonrpc":"2.0","result":{}}"#, "answer-without-id"),
        (r#"{"jsonrpc":"2.0","id":1,"error":"no"}"#, "bad-error"),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":"1"}}"#, "bad-error"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#, "lookalike-key"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method\u0000":"tools/call"}"#, "lookalike-key"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","param\u017f":{}}"#, "lookalike-key"),
        (r#"{"jsonrpc":"2.0","id":1,"Id":2,"method":"x"}"#, "lookalike-key"),
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#, "call-without-id"),
        (r#"{"jsonrpc":"2.0","method":"tools\/c\u0061ll","params":{"name":"a"}}"#, "call-without-id"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, "call-without-name"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#, "call-without-name"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["a"]}}"#, "call-without-name"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
            "bad-arguments",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null}}"#,
            "bad-arguments",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":"{}"}}"#,
            "bad-arguments",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            "lookalike-key",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name\u0000":"b"}}"#,
            "lookalike-key",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"," arguments":{}}}"#,
            "lookalike-key",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","argument\u017f":{}}}"#,
            "lookalike-key",
        ),
        (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestid":1}}"#, "lookalike-key"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":[]}}"#, "bad-meta"),
        (r#"{"jsonrpc":"2.0","method":"resources/read","params":{"uri":"a:b"}}"#, "call-without-id"),
        (r#"{"jsonrpc":"2.0","method":"prompts/get","params":{"name":"a"}}"#, "call-without-id"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":["a:b"]}}"#,
            "resource-without-uri",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/read"}"#, "resource-without-uri"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b","Uri":"c"}}"#,
            "lookalike-key",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b","uri\u0000":"c"}}"#,
            "lookalike-key",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":{}}}"#, "prompt-without-name"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"a","arguments":[]}}"#,
            "bad-arguments",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":"a"}}"#, "bad-reference"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":1}}}"#,
            "bad-reference",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":"a","NAME":"b"}}}"#,
            "lookalike-key",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":"a:b"}}}"#,
            "bad-subscriptions",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"ResourceSubscriptions":["a:b"]}}}"#,
            "lookalike-key",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"Resources/Read","params":{"uri":"a:b"}}"#, "lookalike-method"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"InputRequests":{}}}"#, "lookalike-key"),
    ];
    for (text, code) in table {
        let fault = parse(text).expect_err(text);
        assert_eq!(fault.code(), code, "{text}");
        assert!(fault.to_string().len() > 15, "a sentence, not a word: {fault}");
    }
}

#[test]
fn unknown_members_pass() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{"Name":"a","NAME":"b"},"trace":[1]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","task":{},"x":1,"inputResponses":5}}"#,
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn ids_are_one_whatever_their_spelling() {
    assert_eq!(id(r#""\u0061/b""#), id(r#""a\/b""#));
    assert_eq!(id(r#""é""#), id(r#""\u00e9""#));
    assert_ne!(id("1"), id("\"1\""));
    assert_eq!(id("12345678901234567890123").as_json(), "12345678901234567890123");
    for json in ["", "-", "-0", "01", "1.0", "1e3", "null", "true", "{}", "\"open", "\"a\"b", "+1", " 1"] {
        assert_eq!(Id::from_json(json), None, "{json}");
    }
    assert_eq!(Id::from_json(&format!("\"{}\"", "x".repeat(MAX_ID_BYTES))), None);
}

#[test]
fn a_call_is_read_after_its_escapes() {
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools\/c\u0061ll","params":{"n\u0061me":"wr\u0069te","arguments": {"p": 1.0} ,"_meta":{"claudecode/toolUseId":"toolu_1","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"claude-code","version":"2.1"}}}}"#;
    let message = parse(text).unwrap();
    assert_eq!(message.subject(), Subject::ToolCall { name: "write", arguments: Some(r#"{"p": 1.0}"#) });
    assert_eq!(message.tool_use_id(), Some("toolu_1"));
    assert_eq!(message.protocol_version(), Some("2026-07-28"));
    assert_eq!(message.client_info(), Some(("claude-code", "2.1")));
}

#[test]
fn subjects_of_the_other_methods() {
    let subject = |method: &str, params: &str| {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        format!("{:?}", parse(&text).unwrap().subject())
    };
    assert_eq!(subject("tools/list", "{}"), "List { list: Tools, first_page: true }");
    assert_eq!(subject("tools/list", r#"{"cursor":""}"#), "List { list: Tools, first_page: false }");
    assert_eq!(
        subject("resources/templates/list", "{}"),
        "List { list: ResourceTemplates, first_page: true }"
    );
    assert_eq!(subject("initialize", r#"{"clientInfo":{"name":"c"}}"#), "Initialize");
    assert_eq!(subject("server/discover", "{}"), "Discover");
    assert_eq!(
        subject(
            "subscriptions/listen",
            r#"{"notifications":{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["a:\u0062"]}}"#
        ),
        r#"Listen { changes: Changes { tools: true, prompts: false, resources: false }, resources: ["a:b"] }"#
    );
    assert_eq!(
        subject("subscriptions/listen", "{}"),
        "Listen { changes: Changes { tools: false, prompts: false, resources: false }, resources: [] }"
    );
    assert_eq!(
        subject("notifications/cancelled", r#"{"requestId":"x"}"#),
        r#"Cancelled { request: Some(Id("\"x\"")) }"#
    );
    assert_eq!(subject("resources/read", r#"{"uri":"file:\/\/\/a"}"#), r#"Resource { uri: "file:///a" }"#);
    assert_eq!(subject("resources/subscribe", r#"{"uri":"a:b"}"#), r#"Resource { uri: "a:b" }"#);
    assert_eq!(subject("resources/unsubscribe", r#"{"uri":"a:b"}"#), "Other");
    assert_eq!(
        subject("prompts/get", r#"{"name":"p","arguments":{"a":"b"}}"#),
        r#"Prompt { name: "p", arguments: Some("{\"a\":\"b\"}") }"#
    );
    assert_eq!(
        subject("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#),
        r#"Completion { prompt: Some("p"), resource: None }"#
    );
    assert_eq!(
        subject("completion/complete", r#"{"ref":{"type":"x","name":"p","uri":"u"}}"#),
        r#"Completion { prompt: Some("p"), resource: Some("u") }"#
    );
    assert_eq!(subject("tasks/result", r#"{"taskId":"t"}"#), r#"Task { id: Some("t") }"#);
    assert_eq!(subject("tasks/get", r#"{"taskId":7}"#), "Task { id: None }");
}

#[test]
fn a_task_is_known_by_the_answer_that_made_it() {
    for (result, task) in [
        (r#"{"task":{"taskId":"t-1","status":"working"}}"#, Some("t-1")),
        (r#"{"resultType":"task","taskId":"t-\u0032","status":"working"}"#, Some("t-2")),
        (r#"{"taskId":"t-3","status":"working"}"#, None),
        (r#"{"task":{"taskId":3}}"#, None),
        (r#"{"content":[]}"#, None),
    ] {
        let message = parse(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)).unwrap();
        assert_eq!(message.made_task().as_deref(), task, "{result}");
    }
}

#[test]
fn the_client_names_itself_in_initialize() {
    let text = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":{"name":"claude-code","version":"2.1.328"}}}"#;
    let message = parse(text).unwrap();
    assert_eq!(message.client_info(), Some(("claude-code", "2.1.328")));
    assert_eq!(message.protocol_version(), None, "the legacy version is the session's, not the request's");
}

#[test]
fn line_breaks_between_tokens_become_spaces_and_nothing_moves() {
    let text = "{\r\n \"jsonrpc\":\"2.0\",\"id\":1,\r\"method\":\"tools/call\",\"params\":{\n\"name\":\"a\\n\",\"arguments\":{\r}}}";
    let message = parse(text).unwrap().on_one_line();
    assert_eq!(message.subject(), Subject::ToolCall { name: "a\n", arguments: Some("{ }") });
    assert_eq!(message.into_bytes(), text.replace(['\n', '\r'], " ").into_bytes());
}

#[test]
fn what_could_not_be_read_comes_back() {
    let bytes = b"{\"id\":1,\xff}".to_vec();
    let (why, back) = Message::parse_or_return(bytes.clone()).unwrap_err();
    assert_eq!((why.code(), back), ("not-utf8", bytes));
}

/// JSON values as text, with the odd spacing and spelling that real peers use.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("-0.50e+2".to_owned()),
        Just("9007199254740993".to_owned()),
        "[a-zé\u{2028}]{0,6}".prop_map(|s| format!("\"{s}\\u0041\\/\"")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {} ]", items.join(" , "))),
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let members: Vec<_> =
                    items.iter().enumerate().map(|(n, item)| format!("\"k{n}\" :{item}")).collect();
                format!("{{{}}}", members.join(",\t"))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::parse(bytes);
    }

    #[test]
    fn any_mutation_of_a_call_is_survived(at in 0usize..120, byte: u8) {
        let mut bytes = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write","arguments":{"p":"\u00e9"},"_meta":{}}}"#.to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(message) = Message::parse(bytes.clone()) {
            prop_assert_eq!(message.into_bytes(), bytes);
        }
    }

    #[test]
    fn what_is_read_goes_on_byte_for_byte(value in json_text(), arguments in json_text()) {
        let text = format!(r#" {{"params" : {{"arguments":{{"v":{arguments}}},"name":"a","x":{value}}}, "method":"tools/call","jsonrpc":"2.0","id":1}} "#);
        let message = parse(&text).unwrap();
        let expected = format!("{{\"v\":{arguments}}}");
        prop_assert_eq!(message.subject(), Subject::ToolCall { name: "a", arguments: Some(&expected) });
        prop_assert_eq!(message.into_bytes(), text.into_bytes());
    }
}
