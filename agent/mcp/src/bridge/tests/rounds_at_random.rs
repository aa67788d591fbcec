//! Whatever order things come in: every request of the client's is answered once, the server sees no id
//! twice, and nothing of one side's ids is seen by the other.

use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

#[derive(Debug, Clone)]
enum Move {
    Call,
    /// The server answers, asks within, or refuses the n-th open request.
    Answer(usize),
    Ask(usize),
    Refuse(usize),
    /// The client comes again, or cancels.
    Again(usize),
    Cancel(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => Just(Move::Call),
        3 => (0..8usize).prop_map(Move::Answer),
        3 => (0..8usize).prop_map(Move::Ask),
        1 => (0..8usize).prop_map(Move::Refuse),
        3 => (0..8usize).prop_map(Move::Again),
        1 => (0..8usize).prop_map(Move::Cancel),
    ];
    prop::collection::vec(one, 1..60)
}

fn nth<T: Clone>(of: &[T], n: usize) -> Option<T> {
    (!of.is_empty()).then(|| of[n % of.len()].clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_newer_clients_requests_are_answered_once(moves in moves()) {
        let mut ends = Ends::newer_client(&json!({}));
        let (mut next, mut seen) = (0, HashSet::new());
        let (mut open, mut at_server, mut states) = (Vec::<Value>::new(), Vec::<Value>::new(), Vec::<Value>::new());
        for step in moves {
            next += 1;
            match step {
                Move::Call => { ends.client_says(&modern(next, "tools/call", &json!({"name": "t"}))); open.push(json!(next)); }
                Move::Again(n) => if let Some(state) = nth(&states, n) {
                    states.retain(|it| *it != state);
                    let params = json!({"name": "t", "requestState": state, "inputResponses": {"request": {"roots": []}}});
                    ends.client_says(&modern(next, "tools/call", &params));
                    open.push(json!(next));
                },
                Move::Cancel(n) => if let Some(id) = nth(&open, n) {
                    open.retain(|it| *it != id);
                    ends.client_says(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
                },
                Move::Answer(n) => if let Some(id) = nth(&at_server, n) {
                    at_server.retain(|it| *it != id);
                    ends.server_says(&result(&id, &json!({"content": []})));
                },
                Move::Refuse(n) => if let Some(id) = nth(&at_server, n) {
                    at_server.retain(|it| *it != id);
                    ends.server_says(&refused(&id, -32603));
                },
                Move::Ask(_) => { ends.server_says(&request(next, "roots/list", &json!({}))); }
            }
            for said in ends.at_client() {
                let id = said["id"].clone();
                prop_assert!(open.contains(&id), "answered twice, or never asked: {said}");
                open.retain(|it| *it != id);
                prop_assert!(said.get("error").is_some() || said["result"]["resultType"].is_string());
                if said["result"]["resultType"] == "input_required" {
                    states.push(said["result"]["requestState"].clone());
                }
            }
            for said in ends.at_server() {
                if said["method"] == "tools/call" {
                    prop_assert!(seen.insert(said["id"].to_string()), "an id was used twice: {said}");
                    at_server.push(said["id"].clone());
                }
            }
        }
    }

    #[test]
    fn an_older_clients_requests_are_answered_once(moves in moves()) {
        let (mut ends, _) = Ends::older_client(&json!({}));
        let (mut next, mut seen) = (100, HashSet::new());
        let (mut open, mut at_server) = (Vec::<Value>::new(), Vec::<Value>::new());
        let mut questions = HashMap::new();
        for step in moves {
            next += 1;
            match step {
                Move::Call => { ends.client_says(&request(next, "tools/call", &json!({"name": "t"}))); open.push(json!(next)); }
                Move::Again(n) => {
                    let mut ids: Vec<String> = questions.keys().cloned().collect();
                    ids.sort();
                    if let Some(id) = nth(&ids, n) {
                        let id: Value = questions.remove(&id).unwrap();
                        ends.client_says(&result(&id, &json!({"roots": []})));
                    }
                }
                Move::Cancel(n) => if let Some(id) = nth(&open, n) {
                    open.retain(|it| *it != id);
                    at_server.retain(|it| *it != id);
                    ends.client_says(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
                },
                Move::Answer(n) => if let Some(id) = nth(&at_server, n) {
                    at_server.retain(|it| *it != id);
                    ends.server_says(&result(&id, &json!({"resultType": "complete", "content": []})));
                },
                Move::Refuse(n) => if let Some(id) = nth(&at_server, n) {
                    at_server.retain(|it| *it != id);
                    ends.server_says(&refused(&id, -32603));
                },
                Move::Ask(n) => if let Some(id) = nth(&at_server, n) {
                    at_server.retain(|it| *it != id);
                    let asks = json!({"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}, "b": {"method": "roots/list"}}});
                    ends.server_says(&result(&id, &asks));
                },
            }
            for said in ends.at_client() {
                let id = said["id"].clone();
                match said["method"].as_str() {
                    Some("notifications/cancelled") => { questions.remove(&said["params"]["requestId"].to_string()); }
                    Some(_) => { questions.insert(id.to_string(), id); }
                    None => {
                        prop_assert!(open.contains(&id), "answered twice, or never asked: {said}");
                        open.retain(|it| *it != id);
                    }
                }
            }
            for said in ends.at_server() {
                if said["method"] == "tools/call" {
                    prop_assert!(seen.insert(said["id"].to_string()), "an id was used twice: {said}");
                    at_server.push(said["id"].clone());
                }
            }
        }
    }

    /// Nothing that a server says makes a panic, or a message that fails the strict scan.
    #[test]
    fn odd_words_of_a_server_make_no_odd_words_of_ours(
        lines in prop::collection::vec((0..14usize, 0..14usize, 0..3usize), 1..12),
    ) {
        let odd = [
            "null", "7", "[]", "{}", "\"\"", "{\"resultType\":\"input_required\"}",
            "{\"resultType\":\"input_required\",\"inputRequests\":7,\"requestState\":{}}",
            "{\"resultType\":\"input_required\",\"inputRequests\":{\"\":{\"method\":\"roots/list\"}}}",
            "{\"resultType\":[],\"_meta\":7,\"ttlMs\":\"x\",\"tools\":7}",
            "{\"code\":-32022,\"message\":7,\"data\":{\"supported\":7}}",
            "{\"code\":-32042,\"message\":\"m\",\"data\":{\"elicitations\":[{}]}}",
            "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":7}",
            "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":[],\"serverInfo\":7}",
            "{\"notifications\":7,\"uri\":[],\"requestId\":\"c\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"c\"}}",
        ];
        let frames: [&str; 4] = ["result", "error", "params", "params"];
        let phases: [fn() -> Ends; 3] =
            [Ends::new, || Ends::older_client(&json!({"tools": {"listChanged": true}})).0, || Ends::newer_client(&json!({}))];
        let methods = ["notifications/cancelled", "notifications/subscriptions/acknowledged", "roots/list"];
        for phase in phases {
            let mut ends = phase();
            ends.client_says(&modern("c", "tools/call", &json!({"name": "t"})));
            ends.client_says(&request("d", "tools/list", &json!({})));
            for (first, second, method) in &lines {
                for (frame, json) in frames.iter().zip([first, second, first, second]) {
                    let known: Vec<Value> = ends.at_server().into_iter().map(|it| it["id"].clone()).collect();
                    let id = known.into_iter().find(|id| !id.is_null()).unwrap_or_else(|| json!("d"));
                    let method = if *frame == "params" { format!("\"method\":\"{}\",", methods[*method]) } else { String::new() };
                    let line = format!(r#"{{"jsonrpc":"2.0","id":{id},{method}"{frame}":{}}}"#, odd[*json]);
                    let steps = ends.bridge.server_says(Line::Whole(line.clone().into_bytes()), None);
                    for step in steps {
                        let bytes = match step {
                            Step::ToServer(bytes) | Step::AskServer(bytes) | Step::ToClient { line: Line::Whole(bytes), .. } => bytes,
                            Step::ToClient { .. } => continue,
                        };
                        prop_assert!(bytes == line.as_bytes() || crate::Message::parse(bytes.clone()).is_ok(), "{line}");
                    }
                }
            }
        }
    }
}
