//! What either end may try, by the name of the attack.

use super::*;

fn call(id: &str, name: &str, more: &Value) -> Value {
    let mut message = modern(id, "tools/call", &json!({"name": name, "arguments": {"n": 1}}));
    for (key, value) in more.as_object().unwrap() {
        message["params"][key] = value.clone();
    }
    message
}

/// A call of `t` that waits for an answer of the client's: its id at the server, and the state.
fn suspended(ends: &mut Ends) -> (Value, Value) {
    let at_server = ends.client_says(&call("c", "t", &json!({}))).one_at_server()["id"].clone();
    let asked = ends.server_says(&request("q", "roots/list", &json!({}))).one_at_client();
    (at_server, asked["result"]["requestState"].clone())
}

#[test]
fn forged_request_state_reaches_no_call() {
    let mut ends = Ends::newer_client(&json!({}));
    let (_, state) = suspended(&mut ends);
    let roots = json!({"request": {"roots": [{"uri": "file:///"}]}});
    for forged in [
        json!("portreeve-t1"),
        json!(""),
        json!(7),
        json!(null),
        json!([state]),
        json!(format!("{}x", state.as_str().unwrap())),
    ] {
        let again = call("f", "t", &json!({"requestState": forged, "inputResponses": roots}));
        let answer = ends.client_says(&again).one_at_client();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("f"), &json!(-32602)), "{forged}");
    }
    let unstated = ends.client_says(&call("f", "t", &json!({"inputResponses": roots}))).one_at_client();
    assert_eq!(unstated["error"]["code"], -32602);
    // The true one still works, and once.
    let again = call("g", "t", &json!({"requestState": state, "inputResponses": roots}));
    assert_eq!(ends.client_says(&again).one_at_server()["id"], "q");
    let twice = call("h", "t", &json!({"requestState": state, "inputResponses": roots}));
    assert_eq!(ends.client_says(&twice).one_at_client()["error"]["code"], -32602);
}

/// The gate judges the call that comes again by what it says, so it must be what it was.
#[test]
fn request_state_of_an_allowed_call_carries_on_another_one() {
    let mut ends = Ends::newer_client(&json!({}));
    let (_, state) = suspended(&mut ends);
    let with = json!({"requestState": state, "inputResponses": {"request": {"roots": []}}});
    let mut others = [
        call("a", "u", &with),
        call("b", "t", &with),
        call("c", "t", &with),
        modern("d", "prompts/get", &json!({"name": "t"})),
    ];
    others[1]["params"]["arguments"] = json!({"n": 2});
    others[2]["params"]["task"] = json!({});
    others[3]["params"]["requestState"] = state.clone();
    for other in others {
        let answer = ends.client_says(&other).one_at_client();
        assert_eq!(answer["error"]["code"], -32602, "{other}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("another call"), "{answer}");
    }
    // Written in another order it is the same.
    let again = format!(
        r#"{{"method":"tools/call","params":{{"requestState":{state},"arguments":{{"n":1}},"inputResponses":{{"request":{{"roots":[]}}}},"name":"t","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}},"id":"e","jsonrpc":"2.0"}}"#
    );
    let steps = ends.bridge.client_says(again.into_bytes());
    assert_eq!(ends.take(steps).one_at_server(), result(&json!("q"), &json!({"roots": []})));
}

/// The client may use the id of a call anew as soon as it was answered by a question.
#[test]
fn id_of_a_suspended_call_is_used_for_another_one() {
    let mut ends = Ends::newer_client(&json!({}));
    let (first, _) = suspended(&mut ends);
    let second = ends.client_says(&call("c", "u", &json!({}))).one_at_server()["id"].clone();
    assert_ne!(first, second);
    ends.server_says(&result(&first, &json!({"content": ["first"]})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]), "nobody waits for it");
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}});
    assert_eq!(ends.client_says(&cancel).one_at_server()["params"]["requestId"], second);
}

#[test]
fn calls_suspended_without_end_fill_the_memory() {
    let mut ends = Ends::newer_client(&json!({}));
    for round in 0..200 {
        ends.client_says(&call(&format!("c{round}"), "t", &json!({})));
        ends.server_says(&request(format!("q{round}"), "roots/list", &json!({})));
    }
    let said = ends.at_server();
    let given_up = said.iter().filter(|it| it["error"]["code"] == -32603).count();
    let cancelled = said.iter().filter(|it| it["method"] == "notifications/cancelled").count();
    assert_eq!((given_up, cancelled), (200 - 64, 200 - 64));
    assert_eq!(ends.at_client().len(), 200);
}

#[test]
fn server_asks_for_input_without_end() {
    let (mut ends, _) = Ends::older_client(&json!({}));
    ends.client_says(&request("c", "tools/call", &json!({"name": "t"})));
    let mut rounds = 0;
    let refusal = loop {
        let id = ends.at_server().pop().map(|it| it["id"].clone());
        let Some(id) = id else { break one(ends.at_client()) };
        ends.server_says(&result(&id, &json!({"resultType": "input_required", "requestState": "again"})));
        rounds += 1;
        assert!(rounds < 1000);
    };
    assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!("c"), &json!(-32603)));
    for questions in [
        json!(7),
        json!({"a": {"method": "vendor/x"}}),
        json!({"a": {"method": "roots/list", "params": 5}}),
        json!({"a": 1}),
    ] {
        ends.client_says(&request("d", "tools/call", &json!({"name": "t"}))).at_server();
        let asked = json!({"resultType": "input_required", "inputRequests": questions});
        let refusal = ends.server_says(&result(&json!("d"), &asked)).one_at_client();
        assert_eq!(refusal["error"]["code"], -32603, "{refusal}");
    }
}

#[test]
fn cancelled_round_is_not_made_again() {
    let (mut ends, _) = Ends::older_client(&json!({}));
    ends.client_says(&request("c", "tools/call", &json!({"name": "t"}))).at_server();
    let asks = json!({"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}}});
    let question = ends.server_says(&result(&json!("c"), &asks)).one_at_client();
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}});
    let told = ends.client_says(&cancel).one_at_client();
    assert_eq!(
        (&told["method"], &told["params"]["requestId"]),
        (&json!("notifications/cancelled"), &question["id"])
    );
    // An answer that was on its way goes nowhere.
    ends.client_says(&result(&question["id"], &json!({"roots": []})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]));
    // Cancelled in its second round, the server knows it by another id, and its late answer is not heard.
    ends.client_says(&request("d", "tools/call", &json!({"name": "t"}))).at_server();
    let question = ends.server_says(&result(&json!("d"), &asks)).one_at_client();
    let again = ends.client_says(&result(&question["id"], &json!({"roots": []}))).one_at_server();
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "d"}});
    assert_eq!(ends.client_says(&cancel).one_at_server()["params"]["requestId"], again["id"]);
    ends.server_says(&result(&again["id"], &json!({"resultType": "complete"})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]));
}

/// The two id spaces are told apart, so that what one end learns is of no use towards the other.
#[test]
fn ids_of_the_bridge_are_guessed_by_neither_end() {
    let (mut ends, listen) = Ends::older_client(&json!({"tools": {"listChanged": true}}));
    let at_server = listen.unwrap();
    ends.client_says(&request("c", "tools/call", &json!({"name": "t"}))).at_server();
    let asks = json!({"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}}});
    let at_client = ends.server_says(&result(&json!("c"), &asks)).one_at_client()["id"].clone();
    let space = |id: &Value| id.as_str().unwrap().rsplit_once('-').unwrap().0.to_owned();
    assert_ne!(space(&at_server), space(&at_client));
    // The server asks under an id as it sees ours: that is the client's to answer, and answers nothing of ours.
    let asked = request(at_server.clone(), "roots/list", &json!({}));
    assert_eq!(ends.server_says(&asked).one_at_client(), asked);
    let answer = result(&at_server, &json!({"roots": []}));
    assert_eq!(ends.client_says(&answer).one_at_server(), answer);
}

#[test]
fn server_that_claims_to_be_modern_after_the_handshake_is_heard_as_it_speaks() {
    let mut ends = Ends::new();
    ends.client_says(&hello()).at_server();
    let lie = result(
        &json!(0),
        &json!({"protocolVersion": "2026-07-28", "capabilities": {}, "serverInfo": {"name": "x", "version": ""}}),
    );
    assert_eq!(ends.server_says(&lie).one_at_client(), lie);
    assert!(ends.bridge.is_agreed());
    let later = unsupported(&json!(1));
    let call = request(1, "tools/call", &json!({"name": "t"}));
    assert_eq!(ends.client_says(&call).one_at_server(), call);
    assert_eq!(ends.server_says(&later).one_at_client(), later, "nothing is made again for it");
}

/// It refuses `initialize` as a modern server would, and then speaks as it likes.
#[test]
fn server_that_pins_an_era_and_lies_gains_nothing_by_it() {
    let (mut ends, _) = Ends::older_client(&json!({}));
    // A question by request, which its era does not have: the client judges it as any other.
    let asks = request("q", "sampling/createMessage", &json!({}));
    assert_eq!(ends.server_says(&asks).one_at_client(), asks);
    // An answer to what nobody asked.
    let unasked = result(
        &json!("never"),
        &json!({"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}}}),
    );
    assert_eq!(ends.server_says(&unasked).one_at_client(), unasked, "which the gate drops");
    // A subscription that is not ours.
    let told = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": "x"}}});
    assert_eq!(ends.server_says(&told).one_at_client(), told);
    // And an older one that answers as if it were newer is taken for what it showed itself to be.
    let mut ends = Ends::newer_client(&json!({}));
    let at_server = ends.client_says(&call("c", "t", &json!({}))).one_at_server()["id"].clone();
    let lie = json!({"resultType": "input_required", "requestState": "mine", "content": []});
    assert_eq!(
        ends.server_says(&result(&at_server, &lie)).one_at_client()["result"]["resultType"],
        "complete"
    );
}

#[test]
fn client_that_mixes_eras_in_one_process_is_kept_to_the_one_it_began_with() {
    let mut ends = Ends::newer_client(&json!({}));
    for mixed in
        [hello(), request("m", "tools/call", &json!({"name": "t"})), request("m", "ping", &json!({}))]
    {
        let answer = ends.client_says(&mixed).one_at_client();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&mixed["id"], &json!(-32602)), "{mixed}");
    }
    ends.client_says(&result(&json!("q"), &json!({})));
    assert_eq!((ends.at_client(), ends.at_server()), (vec![], vec![]), "nobody asked it anything");
    // The other way round the server speaks what the client says, so it is the server's to answer.
    let (mut ends, _) = Ends::older_client(&json!({}));
    let mixed = call("m", "t", &json!({}));
    assert_eq!(ends.client_says(&mixed).one_at_server(), mixed);
    let answer = result(&json!("m"), &json!({"resultType": "input_required", "requestState": "s"}));
    assert_eq!(ends.server_says(&answer).one_at_client(), answer, "its rounds are its own");
}

#[test]
fn answer_that_cannot_be_read_leaves_a_bridged_call_open() {
    let mut ends = Ends::newer_client(&json!({}));
    let at_server = ends.client_says(&call("c", "t", &json!({}))).one_at_server()["id"].clone();
    let broken = format!(r#"{{"jsonrpc":"2.0","id":{at_server},"result":{{"a":1,"a":2}}}}"#);
    let steps = ends.bridge.server_says(Line::Whole(broken.clone().into_bytes()), None);
    let [Step::ToClient { line: Line::Whole(first), .. }, Step::ToClient { line: Line::Whole(second), .. }] =
        steps.as_slice()
    else {
        panic!("{steps:?}")
    };
    assert_eq!(first, broken.as_bytes(), "the gate records it for what it is");
    assert_eq!(read(second)["id"], "c");
    let at_server = ends.client_says(&call("d", "t", &json!({}))).one_at_server()["id"].clone();
    let head = format!(r#"{{"jsonrpc":"2.0","id":{at_server},"result":{{"x":""#).into_bytes();
    let steps = ends.bridge.server_says(Line::Oversize { head, tail: Vec::new(), bytes: 1 << 30 }, None);
    assert_eq!(ends.take(steps).at_client()[1]["id"], "d");
}
