//! An older client in front of a server of 2026-07-28.

use super::*;

#[test]
fn the_handshake_is_answered_from_what_the_server_says_to_discovery() {
    let mut ends = Ends::new();
    ends.client_says(&hello()).at_server();
    let probe = ends.server_says(&unsupported(&json!(0))).one_at_server();
    assert_eq!(probe["method"], "server/discover");
    let meta = &probe["params"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "old");
    let capabilities = json!({"tools": {"listChanged": true}, "logging": {}});
    let answer = ends.server_says(&discovered(&probe["id"], &capabilities)).one_at_client();
    assert_eq!(
        answer,
        result(
            &json!(0),
            &json!({"protocolVersion": "2025-06-18", "capabilities": capabilities,
                    "serverInfo": {"name": "newer", "version": "3"}, "instructions": "Be kind."})
        )
    );
    for (asked, given) in
        [("2024-11-05", "2024-11-05"), ("2026-07-28", "2025-11-25"), ("1999-01-01", "2025-11-25")]
    {
        let mut again = hello();
        again["params"]["protocolVersion"] = json!(asked);
        assert_eq!(ends.client_says(&again).one_at_client()["result"]["protocolVersion"], given);
    }
}

#[test]
fn each_request_says_what_the_handshake_said_and_keeps_its_other_bytes() {
    let (mut ends, _) = Ends::older_client(&json!({"tools": {}}));
    let said = r#"{ "id":7 ,"jsonrpc":"2.0","method":"tools\/list","params":{"x":[1.10,1e3],"_meta":{"progressToken":9}} }"#;
    let steps = ends.bridge.client_says(said.as_bytes().to_vec());
    let [Step::ToServer(bytes) | Step::AskServer(bytes)] = steps.as_slice() else { panic!("{steps:?}") };
    let expected = r#"{ "id":7 ,"jsonrpc":"2.0","method":"tools\/list","params":{"x":[1.10,1e3],"_meta":{"progressToken":9,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"roots":{"listChanged":true}},"io.modelcontextprotocol/clientInfo":{"name":"old","version":"1"}}} }"#;
    assert_eq!(String::from_utf8_lossy(bytes), expected);
    let bare =
        ends.client_says(&json!({"jsonrpc": "2.0", "id": 8, "method": "prompts/list"})).one_at_server();
    assert_eq!(bare["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
}

#[test]
fn what_the_newer_era_has_no_words_for_is_answered_in_the_servers_place() {
    let (mut ends, _) = Ends::older_client(&json!({}));
    let ping = request(1, "ping", &json!({}));
    assert_eq!(ends.client_says(&ping).one_at_client(), result(&json!(1), &json!({})));
    for (level, code) in
        [(json!("loud"), json!(-32602)), (json!(7), json!(-32602)), (json!("debug"), Value::Null)]
    {
        let answer =
            ends.client_says(&request(2, "logging/setLevel", &json!({"level": level}))).one_at_client();
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    let call = ends.client_says(&request(3, "tools/call", &json!({"name": "t"}))).one_at_server();
    assert_eq!(call["params"]["_meta"]["io.modelcontextprotocol/logLevel"], "debug");
    for method in ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"] {
        let answer = ends.client_says(&request(4, method, &json!({"taskId": "t"}))).one_at_client();
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("2026-07-28"), "{answer}");
    }
    for method in ["notifications/roots/list_changed", "notifications/progress"] {
        ends.client_says(&json!({"jsonrpc": "2.0", "method": method}));
        assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]), "{method}");
    }
    let unknown = json!({"jsonrpc": "2.0", "method": "notifications/vendor/x", "params": {"a": 1}});
    assert_eq!(ends.client_says(&unknown).one_at_server(), unknown);
}

#[test]
fn results_pass_as_they_are_but_for_what_older_clients_choke_on() {
    let (mut ends, _) = Ends::older_client(&json!({}));
    ends.client_says(&request(1, "tools/list", &json!({}))).at_server();
    let tool =
        |schema: Value| json!({"name": "t", "inputSchema": {"type": "object"}, "outputSchema": schema});
    let list = |first: Value, second: Value| {
        result(
            &json!(1),
            &json!({"resultType": "complete", "ttlMs": 1, "cacheScope": "public", "tools": [first, second]}),
        )
    };
    let object = tool(json!({"type": "object"}));
    let answer = ends.server_says(&list(tool(json!({"type": "array"})), object.clone())).one_at_client();
    assert_eq!(answer, list(json!({"name": "t", "inputSchema": {"type": "object"}}), object));
    for (content, kept) in
        [(json!({"a": 1}), true), (json!([1]), false), (json!(null), false), (json!(7), false)]
    {
        ends.client_says(&request(2, "tools/call", &json!({"name": "t"}))).at_server();
        let said = result(
            &json!(2),
            &json!({"resultType": "complete", "content": [], "structuredContent": content}),
        );
        let heard = ends.server_says(&said).one_at_client();
        assert_eq!(heard["result"].get("structuredContent").is_some(), kept, "{heard}");
        assert_eq!(heard["result"]["resultType"], "complete");
    }
    ends.client_says(&request(3, "tools/call", &json!({"name": "t"}))).at_server();
    let task = result(&json!(3), &json!({"resultType": "task", "taskId": "x"}));
    let refusal = ends.server_says(&task).one_at_client();
    assert!(refusal["error"]["message"].as_str().unwrap().contains("2026-07-28"), "{refusal}");
}

#[test]
fn an_announced_list_change_is_told_as_it_was_in_the_older_era() {
    let (mut ends, listen) = Ends::older_client(&json!({"tools": {"listChanged": true}, "prompts": {}}));
    let listen = listen.unwrap();
    let meta = json!({"io.modelcontextprotocol/subscriptionId": listen});
    let on = |method: &str, params: Value| {
        let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        message["params"]["_meta"] = meta.clone();
        message
    };
    ends.server_says(&on(
        "notifications/subscriptions/acknowledged",
        json!({"notifications": {"toolsListChanged": true}}),
    ));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]));
    let told = ends.server_says(&on("notifications/tools/list_changed", json!({}))).one_at_client();
    assert_eq!(told, json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {}}));
    // The server ends it: with the client's next request it is opened again.
    ends.server_says(&result(&listen, &json!({"resultType": "complete"})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]));
    ends.client_says(&request(1, "ping", &json!({})));
    let again = ends.at_server();
    assert_eq!(again[0]["method"], "subscriptions/listen");
    assert_ne!(again[0]["id"], listen);
}

#[test]
fn a_server_that_announces_no_changes_is_asked_for_none() {
    let (_, listen) =
        Ends::older_client(&json!({"tools": {"listChanged": false}, "resources": {"subscribe": true}}));
    assert_eq!(listen, None);
}

#[test]
fn resources_are_subscribed_to_by_a_stream_that_takes_the_place_of_the_one_before() {
    let (mut ends, listen) =
        Ends::older_client(&json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}}));
    let acknowledge = |id: &Value, uris: Value| {
        json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
            "notifications": {"toolsListChanged": true, "resourceSubscriptions": uris},
            "_meta": {"io.modelcontextprotocol/subscriptionId": id}}})
    };
    ends.server_says(&acknowledge(&listen.clone().unwrap(), json!([])));
    let first = ends.client_says(&request(1, "resources/subscribe", &json!({"uri": "x:1"}))).one_at_server();
    assert_eq!(
        first["params"]["notifications"],
        json!({"toolsListChanged": true, "resourceSubscriptions": ["x:1"]})
    );
    // Nothing is promised before the server does, and the old stream stays until then.
    ends.server_says(&acknowledge(&first["id"], json!(["x:1"])));
    assert_eq!(ends.at_client(), [result(&json!(1), &json!({}))]);
    let ended = one(ends.at_server());
    assert_eq!(
        (&ended["method"], &ended["params"]["requestId"]),
        (&json!("notifications/cancelled"), &listen.unwrap())
    );
    let updated = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {
        "uri": "x:1", "_meta": {"io.modelcontextprotocol/subscriptionId": first["id"]}}});
    let told = ends.server_says(&updated).one_at_client();
    assert_eq!(told["params"], json!({"uri": "x:1"}));
    // One that the server does not honour is refused.
    let second = ends.client_says(&request(2, "resources/subscribe", &json!({"uri": "x:2"}))).one_at_server();
    ends.server_says(&acknowledge(&second["id"], json!(["x:1"])));
    assert_eq!(one(ends.at_client())["error"]["code"], -32602);
    ends.at_server();
    ends.client_says(&request(3, "resources/unsubscribe", &json!({"uri": "x:1"})));
    assert_eq!(ends.at_client(), [result(&json!(3), &json!({}))]);
    assert_eq!(one(ends.at_server())["params"]["notifications"], json!({"toolsListChanged": true}));
}

fn input_required(id: &Value, state: Option<&str>) -> Value {
    let mut message = result(
        id,
        &json!({"resultType": "input_required", "inputRequests": {
            "who": {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": {"type": "object"}}},
            "where": {"method": "roots/list"}}}),
    );
    if let Some(state) = state {
        message["result"]["requestState"] = json!(state);
    }
    message
}

#[test]
fn what_the_server_wants_to_know_is_asked_by_requests_and_the_call_made_again_with_the_answers() {
    let (mut ends, _) = Ends::older_client(&json!({}));
    let call = request("c", "tools/call", &json!({"name": "t", "arguments": {"n": 1}}));
    let sent = ends.client_says(&call).one_at_server();
    assert_eq!(sent["id"], "c");
    ends.server_says(&input_required(&json!("c"), Some("opaque \"state\"")));
    assert!(ends.at_server().is_empty());
    let mut asked = ends.at_client();
    asked.sort_by_key(|question| question["method"].to_string());
    assert_eq!(asked[0]["method"], "elicitation/create");
    assert_eq!(asked[0]["params"]["message"], "Who?");
    assert_eq!(asked[1]["method"], "roots/list");
    ends.client_says(&result(&asked[1]["id"], &json!({"roots": []})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]));
    let again = ends
        .client_says(&result(&asked[0]["id"], &json!({"action": "accept", "content": {"name": "A"}})))
        .one_at_server();
    assert_ne!(again["id"], "c");
    let mut expected = sent.clone();
    expected["id"] = again["id"].clone();
    expected["params"]["requestState"] = json!("opaque \"state\"");
    expected["params"]["inputResponses"] =
        json!({"who": {"action": "accept", "content": {"name": "A"}}, "where": {"roots": []}});
    assert_eq!(again, expected);
    // A second round without questions goes on at once.
    let more = json!({"resultType": "input_required", "requestState": "2"});
    let third = ends.server_says(&result(&again["id"], &more)).one_at_server();
    assert_eq!(
        (&third["params"]["requestState"], third["params"].get("inputResponses")),
        (&json!("2"), None)
    );
    let done = ends
        .server_says(&result(&third["id"], &json!({"resultType": "complete", "content": []})))
        .one_at_client();
    assert_eq!(done, result(&json!("c"), &json!({"resultType": "complete", "content": []})));
}

#[test]
fn a_person_who_does_not_answer_has_cancelled_and_a_client_that_cannot_ends_the_call() {
    for (feature, ends_call) in [("elicitation/create", false), ("roots/list", true)] {
        let (mut ends, _) = Ends::older_client(&json!({}));
        ends.client_says(&request("c", "tools/call", &json!({"name": "t"}))).at_server();
        ends.server_says(&input_required(&json!("c"), None));
        let asked = ends.at_client();
        let (it, other): (Vec<_>, Vec<_>) = asked.iter().partition(|question| question["method"] == feature);
        ends.client_says(&refused(&it[0]["id"], -32601));
        if ends_call {
            let said = ends.at_client();
            assert_eq!(said[0]["method"], "notifications/cancelled");
            assert_eq!(said[0]["params"]["requestId"], other[0]["id"]);
            assert_eq!((&said[1]["id"], &said[1]["error"]["code"]), (&json!("c"), &json!(-32603)));
        } else {
            let again = ends.client_says(&result(&other[0]["id"], &json!({"roots": []}))).one_at_server();
            assert_eq!(again["params"]["inputResponses"]["who"], json!({"action": "cancel"}));
        }
    }
}
