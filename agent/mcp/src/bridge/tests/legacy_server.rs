//! A client of 2026-07-28 in front of an older server.

use super::*;

const META: &str = "io.modelcontextprotocol/subscriptionId";

fn everything() -> Value {
    json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": false}, "logging": {}})
}

/// A call that is at the server, by its id there.
fn open_call(ends: &mut Ends, id: &str) -> Value {
    let call = ends
        .client_says(&modern(id, "tools/call", &json!({"name": "t", "arguments": {"n": 1}})))
        .one_at_server();
    call["id"].clone()
}

#[test]
fn requests_lose_what_only_a_newer_server_understands_and_results_get_what_a_newer_client_needs() {
    let mut ends = Ends::newer_client(&everything());
    let mut list = modern(5, "tools/list", &json!({"cursor": "c"}));
    list["params"]["_meta"]["progressToken"] = json!(7);
    let sent = ends.client_says(&list).one_at_server();
    assert_eq!(sent["params"], json!({"cursor": "c", "_meta": {"progressToken": 7}}));
    assert_ne!(sent["id"], json!(5));
    let answer =
        ends.server_says(&result(&sent["id"], &json!({"tools": [], "nextCursor": "n"}))).one_at_client();
    assert_eq!(
        answer,
        result(
            &json!(5),
            &json!({"tools": [], "nextCursor": "n", "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "older", "version": "2"}}})
        )
    );
    let at_server = open_call(&mut ends, "c");
    let answer = ends
        .server_says(&result(&at_server, &json!({"content": [], "_meta": {"k": 1}, "isError": true})))
        .one_at_client();
    assert_eq!(answer["id"], "c");
    assert_eq!(answer["result"]["_meta"]["k"], 1);
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"].get("ttlMs"), None, "a call's result is not to be cached");
}

#[test]
fn errors_of_the_older_era_become_those_of_the_newer() {
    let mut ends = Ends::newer_client(&everything());
    for (said, heard) in [(-32002, -32602), (-32601, -32601), (-32603, -32603), (7, 7)] {
        let at_server =
            ends.client_says(&modern(1, "resources/read", &json!({"uri": "x:y"}))).one_at_server();
        let answer = ends.server_says(&refused(&at_server["id"], said)).one_at_client();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(heard)));
    }
}

#[test]
fn a_revision_to_come_is_answered_by_the_one_that_is_spoken() {
    let mut ends = Ends::newer_client(&everything());
    for method in ["tools/call", "server/discover", "nobody/knows"] {
        let mut later = modern(7, method, &json!({"name": "t"}));
        later["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
        let refused = ends.client_says(&later).one_at_client();
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(7), &json!(-32022)), "{method}");
        let data = json!({"supported": ["2026-07-28"], "requested": "2099-01-01"});
        assert_eq!(refused["error"]["data"], data, "{method}");
    }
    open_call(&mut ends, "after");
}

#[test]
fn discovery_is_answered_from_the_handshake() {
    let mut ends = Ends::newer_client(&json!({"tools": {}, "tasks": {"list": {}}}));
    let answer = ends.client_says(&modern(1, "server/discover", &json!({}))).one_at_client();
    assert_eq!(
        answer["result"],
        json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
               "ttlMs": 0, "cacheScope": "private", "instructions": "Be kind.",
               "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "older", "version": "2"}}})
    );
    let tasks = ends.client_says(&modern(2, "tasks/get", &json!({"taskId": "x"}))).one_at_client();
    assert_eq!(tasks["error"]["code"], -32601);
}

#[test]
fn the_log_level_of_a_request_is_told_before_it_and_messages_are_for_requests_that_asked() {
    let mut ends = Ends::newer_client(&everything());
    let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}});
    let quiet = open_call(&mut ends, "quiet");
    ends.server_says(&log);
    assert_eq!(ends.at_client(), Vec::<Value>::new(), "nobody asked for it");
    ends.server_says(&result(&quiet, &json!({"content": []}))).at_client();
    let mut loud = modern("loud", "tools/call", &json!({"name": "t"}));
    loud["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("debug");
    let sent = ends.client_says(&loud).at_server();
    assert_eq!(
        (&sent[0]["method"], &sent[0]["params"]),
        (&json!("logging/setLevel"), &json!({"level": "debug"}))
    );
    assert_eq!(sent[1]["method"], "tools/call");
    ends.server_says(&result(&sent[0]["id"], &json!({})));
    assert_eq!(ends.server_says(&log).one_at_client(), log);
    loud["id"] = json!("loud-2");
    assert_eq!(ends.client_says(&loud).at_server().len(), 1, "it knows the level already");
}

#[test]
fn a_subscription_is_acknowledged_with_what_the_server_can_tell_and_told_on_its_own_stream() {
    let mut ends = Ends::newer_client(&everything());
    let filter = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true,
                        "resourcesListChanged": true, "resourceSubscriptions": ["x:1", "x:2"]}});
    ends.client_says(&modern("listen:0", "subscriptions/listen", &filter));
    assert!(ends.at_client().is_empty(), "not before the server has answered");
    let asked = ends.at_server();
    assert_eq!(asked.len(), 2);
    ends.server_says(&result(&asked[0]["id"], &json!({}))).server_says(&refused(&asked[1]["id"], -32602));
    let acknowledged = ends.one_at_client();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["_meta"][META], "listen:0");
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({"toolsListChanged": true, "resourceSubscriptions": [asked[0]["params"]["uri"]]})
    );
    // Another one, for tools alone, whose id is a number.
    ends.client_says(&modern(
        8,
        "subscriptions/listen",
        &json!({"notifications": {"toolsListChanged": true}}),
    ));
    assert_eq!(ends.one_at_client()["params"]["_meta"][META], 8);
    ends.server_says(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    let told = ends.at_client();
    let on: Vec<_> = told.iter().map(|it| it["params"]["_meta"][META].clone()).collect();
    assert_eq!(on, [json!("listen:0"), json!(8)]);
    let updated = |uri: &str| json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
    let told = ends.server_says(&updated(asked[0]["params"]["uri"].as_str().unwrap())).one_at_client();
    assert_eq!(
        (&told["params"]["_meta"][META], &told["params"]["uri"]),
        (&json!("listen:0"), &asked[0]["params"]["uri"])
    );
    for unasked in [updated("y:9"), json!({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"})]
    {
        ends.server_says(&unasked);
        assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]), "{unasked}");
    }
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "listen:0"}});
    let unsubscribed = ends.client_says(&cancel).one_at_server();
    assert_eq!(
        (&unsubscribed["method"], &unsubscribed["params"]),
        (&json!("resources/unsubscribe"), &asked[0]["params"])
    );
}

#[test]
fn a_question_of_the_servers_is_the_answer_to_the_call_and_the_call_goes_on_when_it_comes_again() {
    let mut ends = Ends::newer_client(&everything());
    let at_server = open_call(&mut ends, "c");
    let question = request(
        "q",
        "elicitation/create",
        &json!({"message": "Who?", "requestedSchema": {"type": "object"}}),
    );
    let asked = ends.server_says(&question).one_at_client();
    assert_eq!((&asked["id"], &asked["result"]["resultType"]), (&json!("c"), &json!("input_required")));
    let requests = asked["result"]["inputRequests"].as_object().unwrap();
    let (key, input) = requests.iter().next().unwrap();
    assert_eq!(*input, json!({"method": "elicitation/create", "params": question["params"]}));
    let again = |id: &str, responses: Value| {
        modern(
            id,
            "tools/call",
            &json!({"name": "t", "arguments": {"n": 1}, "inputResponses": responses,
               "requestState": asked["result"]["requestState"]}),
        )
    };
    let answered = ends.client_says(&again("c2", json!({key: {"action": "decline"}}))).one_at_server();
    assert_eq!(answered, result(&json!("q"), &json!({"action": "decline"})));
    let done = ends.server_says(&result(&at_server, &json!({"content": []}))).one_at_client();
    assert_eq!((&done["id"], &done["result"]["resultType"]), (&json!("c2"), &json!("complete")));
}

#[test]
fn questions_that_come_at_once_are_put_one_after_the_other() {
    let mut ends = Ends::newer_client(&everything());
    let at_server = open_call(&mut ends, "c");
    ends.server_says(&request(1, "roots/list", &json!({}))).server_says(&request(
        2,
        "roots/list",
        &json!({}),
    ));
    // It answers without waiting for the second.
    let first = ends.one_at_client();
    let again = |id: &str, asked: &Value, responses: Value| {
        modern(
            id,
            "tools/call",
            &json!({"name": "t", "arguments": {"n": 1}, "inputResponses": responses,
               "requestState": asked["result"]["requestState"]}),
        )
    };
    let roots = json!({"request": {"roots": []}});
    ends.client_says(&again("c2", &first, roots.clone()));
    assert_eq!(ends.at_server(), [result(&json!(1), &json!({"roots": []}))]);
    let second = one(ends.at_client());
    assert_eq!((&second["id"], &second["result"]["resultType"]), (&json!("c2"), &json!("input_required")));
    // Without the answer it is asked again.
    let third = ends.client_says(&again("c3", &second, json!({}))).one_at_client();
    assert_eq!((&third["id"], &third["result"]["resultType"]), (&json!("c3"), &json!("input_required")));
    ends.server_says(&result(&at_server, &json!({"content": []})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]));
    ends.client_says(&again("c4", &third, roots));
    assert_eq!(ends.at_server(), [result(&json!(2), &json!({"roots": []}))]);
    assert_eq!(one(ends.at_client())["result"]["resultType"], "complete");
}

#[test]
fn what_cannot_be_asked_is_refused_towards_the_server() {
    let mut ends = Ends::newer_client(&everything());
    let ask = |id: u64, method: &str| request(id, method, &json!({}));
    let none_open = ends.server_says(&ask(1, "elicitation/create")).one_at_server();
    assert!(none_open["error"]["message"].as_str().unwrap().contains("2026-07-28"), "{none_open}");
    open_call(&mut ends, "c");
    for method in ["sampling/createMessage", "vendor/x"] {
        assert_eq!(ends.server_says(&ask(2, method)).one_at_server()["error"]["code"], -32601, "{method}");
    }
    assert_eq!(ends.server_says(&ask(3, "ping")).one_at_server(), result(&json!(3), &json!({})));
}

#[test]
fn an_address_to_visit_first_is_asked_for_and_then_the_call_is_made_anew() {
    let mut ends = Ends::newer_client(&everything());
    let at_server = open_call(&mut ends, "c");
    let visit = json!({"mode": "url", "url": "https://sign.in", "message": "Sign in", "elicitationId": "e"});
    let refusal = json!({"jsonrpc": "2.0", "id": at_server, "error": {"code": -32042, "message": "first",
                         "data": {"elicitations": [visit]}}});
    let asked = ends.server_says(&refusal).one_at_client();
    assert_eq!(
        asked["result"]["inputRequests"]["request"],
        json!({"method": "elicitation/create", "params": visit})
    );
    let again = modern(
        "c2",
        "tools/call",
        &json!({"name": "t", "arguments": {"n": 1},
        "inputResponses": {"request": {"action": "accept"}}, "requestState": asked["result"]["requestState"]}),
    );
    let anew = ends.client_says(&again).one_at_server();
    assert_eq!(anew["params"], json!({"name": "t", "arguments": {"n": 1}}));
    let mut cannot = modern("d", "tools/call", &json!({"name": "t"}));
    cannot["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let sent = ends.client_says(&cannot).one_at_server();
    let mut refusal = refusal;
    refusal["id"] = sent["id"].clone();
    let answer = ends.server_says(&refusal).one_at_client();
    assert_eq!(answer["error"]["code"], -32021);
    assert_eq!(answer["error"]["data"]["requiredCapabilities"], json!({"elicitation": {"url": {}}}));
}
