//! How it is found out which side speaks what.

use super::*;

#[test]
fn ends_of_one_era_hear_each_other_byte_for_byte_and_are_left_alone() {
    let stories: [&[(&str, &str)]; 3] = [
        &[
            (
                "client",
                r#"{ "id":1,"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"2025-11-25"} }"#,
            ),
            ("server", r#"{"result":{"protocolVersion":"2025-11-25", "x":1.0},"jsonrpc":"2.0","id":1}"#),
        ],
        &[
            (
                "client",
                r#"{"id":"d","jsonrpc":"2.0","method":"server\/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            ),
            (
                "server",
                r#"{"result":{"supportedVersions":["2025-11-25", "2026-07-28"]},"jsonrpc":"2.0","id":"d"}"#,
            ),
        ],
        &[
            (
                "client",
                r#"{"id":"l","jsonrpc":"2.0","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            ),
            ("server", r#"{"result":{"resultType" : "complete","tools":[]},"jsonrpc":"2.0","id":"l"}"#),
        ],
    ];
    for story in stories {
        let mut bridge = Bridge::new(text);
        for (side, line) in story {
            let bytes = line.as_bytes().to_vec();
            let steps = match *side {
                "client" => bridge.client_says(bytes.clone()),
                _ => bridge.server_says(Line::Whole(bytes.clone()), None),
            };
            let said: Vec<&[u8]> = steps
                .iter()
                .map(|step| match step {
                    Step::ToServer(bytes)
                    | Step::AskServer(bytes)
                    | Step::ToClient { line: Line::Whole(bytes), .. } => bytes.as_slice(),
                    Step::ToClient { .. } => panic!("{step:?}"),
                })
                .collect();
            assert_eq!(said, [bytes.as_slice()]);
        }
        assert!(bridge.is_agreed(), "{story:?}");
    }
}

/// Claude falls back by itself; anything but the server's own words would change what it does.
#[test]
fn a_client_of_both_eras_hears_the_refused_discovery_and_falls_back_by_itself() {
    for code in [-32601, -32602, -32600, -32000, 40300, 50200] {
        let mut ends = Ends::new();
        let discover = modern("server-discover-probe-1", "server/discover", &json!({}));
        assert_eq!(ends.client_says(&discover).one_at_server(), discover);
        let answer = refused(&json!("server-discover-probe-1"), code);
        assert_eq!(ends.server_says(&answer).one_at_client(), answer);
        assert!(!ends.bridge.is_agreed());
        assert_eq!(ends.client_says(&hello()).one_at_server(), hello());
        let welcome = welcomed(&json!(0), &json!({}));
        assert_eq!(ends.server_says(&welcome).one_at_client(), welcome);
        assert!(ends.bridge.is_agreed(), "{code}");
    }
}

/// Claude waits three seconds for a slow server's answer to discovery, and then says `initialize` as well. What
/// the server makes of that is for Claude to hear, in whatever order it comes.
#[test]
fn a_slow_server_that_is_asked_in_both_eras_at_once_answers_for_itself() {
    for discovery_first in [true, false] {
        let mut ends = Ends::new();
        ends.client_says(&modern("probe", "server/discover", &json!({}))).client_says(&hello()).at_server();
        let mut answers = [discovered(&json!("probe"), &json!({})), unsupported(&json!(0))];
        if !discovery_first {
            answers.reverse();
        }
        for answer in &answers {
            assert_eq!(ends.server_says(answer).one_at_client(), *answer);
        }
        assert!(ends.bridge.is_agreed());
    }
}

#[test]
fn the_server_is_asked_nothing_before_the_client_has_spoken() {
    let mut ends = Ends::new();
    let noise =
        json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}});
    assert_eq!(ends.server_says(&noise).one_at_client(), noise);
    let asks = request("s", "ping", &json!({}));
    assert_eq!(ends.server_says(&asks).one_at_client(), asks);
    let line = ends.bridge.server_says(Line::Whole(b"Starting up...".to_vec()), None);
    assert_eq!(line, [Step::ToClient { line: Line::Whole(b"Starting up...".to_vec()), with: None }]);
}

/// A refusal that has nothing to do with eras, or with an era that is bridged, is the client's to hear.
#[test]
fn a_refused_handshake_passes_where_there_is_nothing_to_bridge() {
    let mut other = unsupported(&json!(0));
    other["error"]["data"]["supported"] = json!(["2025-11-25"]);
    for answer in [refused(&json!(0), -32000), refused(&json!(0), -32603), refused(&json!(0), 50200), other] {
        let mut ends = Ends::new();
        ends.client_says(&hello()).at_server();
        assert_eq!(ends.server_says(&answer).one_at_client(), answer);
    }
    for found in [
        refused(&json!("x"), -32601),
        result(&json!("x"), &json!({"supportedVersions": ["2025-11-25"]})),
        result(&json!("x"), &json!({"supportedVersions": ["2031-01-01"]})),
        result(&json!("x"), &json!({"supportedVersions": 7})),
    ] {
        let mut ends = Ends::new();
        let refusal = refused(&json!(0), -32602);
        ends.client_says(&hello()).at_server();
        let probe = ends.server_says(&refusal).one_at_server();
        assert_eq!(probe["method"], "server/discover");
        let mut found = found;
        found["id"] = probe["id"].clone();
        assert_eq!(ends.server_says(&found).one_at_client(), refusal, "{found}");
    }
}

#[test]
fn a_newer_request_refused_for_its_own_sake_is_the_clients_to_hear() {
    let mut ends = Ends::new();
    let call = modern(1, "tools/call", &json!({"name": "nope"}));
    ends.client_says(&call).at_server();
    let refusal = refused(&json!(1), -32602);
    let probe = ends.server_says(&refusal).one_at_server();
    // What is said meanwhile waits for the verdict.
    let more = modern(2, "tools/list", &json!({}));
    ends.client_says(&more);
    ends.server_says(&discovered(&probe["id"], &json!({})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![refusal], vec![more]));
    assert!(ends.bridge.is_agreed());
}

#[test]
fn requests_made_before_the_handshake_are_made_again_after_it() {
    let mut ends = Ends::new();
    let (first, second) =
        (modern(1, "tools/list", &json!({})), modern(2, "tools/call", &json!({"name": "t"})));
    ends.client_says(&first).client_says(&second).at_server();
    let probe = ends.server_says(&refused(&json!(1), -32602)).one_at_server();
    ends.server_says(&refused(&json!(2), -32000)).server_says(&refused(&probe["id"], -32602));
    let hello = ends.one_at_server();
    assert_eq!(hello["method"], "initialize");
    assert_eq!(hello["params"]["clientInfo"]["name"], "new");
    ends.server_says(&welcomed(&hello["id"], &json!({"tools": {}})));
    let methods: Vec<_> = ends.at_server().iter().map(|it| it["method"].clone()).collect();
    assert_eq!(methods, ["notifications/initialized", "tools/list", "tools/call"]);
}

/// Some servers do not check that they were initialised, and do what they are asked.
#[test]
fn a_call_that_an_older_server_has_made_is_not_made_again() {
    let begun = |method: &str, answer: Value| {
        let mut ends = Ends::new();
        ends.client_says(&modern(1, method, &json!({"name": "t", "uri": "x:y", "cursor": ""}))).at_server();
        let probe = ends.server_says(&answer).one_at_server();
        ends.server_says(&refused(&probe["id"], -32601));
        ends
    };
    let done = result(&json!(1), &json!({"content": []}));
    let answer = begun("tools/call", done.clone()).one_at_client();
    assert_eq!(answer["result"], json!({"content": [], "resultType": "complete"}));
    // An own failure may have come after the deed.
    let failure = refused(&json!(1), -32603);
    assert_eq!(begun("tools/call", failure.clone()).one_at_client(), failure);
    // What only reads is read again: a client that is known may be shown more.
    for method in ["tools/list", "resources/read", "prompts/get"] {
        assert_eq!(begun(method, done.clone()).one_at_server()["method"], "initialize", "{method}");
    }
}

#[test]
fn a_server_that_speaks_no_revision_we_know_is_refused_with_who_speaks_what() {
    for answer in [
        json!({"error": {"code": -32603, "message": "no luck"}}),
        json!({"result": {"protocolVersion": "2019-01-01"}}),
        json!({"result": {"protocolVersion": "2026-07-28"}}),
        json!({"result": {}}),
    ] {
        let mut ends = Ends::new();
        ends.client_says(&modern("d", "server/discover", &json!({})));
        ends.server_says(&refused(&json!("d"), -32601)).at_client();
        ends.client_says(&modern(1, "tools/list", &json!({})));
        let hello = ends.at_server().pop().unwrap();
        let mut answer = answer;
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = hello["id"].clone();
        let refusal = ends.server_says(&answer).one_at_client();
        let why = refusal["error"]["message"].as_str().unwrap();
        assert!(why.contains("2026-07-28") && why.contains("Update the server"), "{why}");
    }
}
