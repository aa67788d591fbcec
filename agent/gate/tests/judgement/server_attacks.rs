//! What a hostile server tries: each test is named after the attack, and fails if the attack works.

use crate::stage::{Stage, call, heard, result, to_client};
use gate::Release;
use serde_json::json;

#[test]
fn response_to_a_request_never_made() {
    let mut stage = Stage::new();
    for text in [result(1, r#"{"tools":[{"name":"delete_file"}]}"#), result(2, r#"{"content":[]}"#)] {
        assert_eq!(stage.server(&text), Release::Nothing);
        assert_eq!(stage.client(&text), Release::Nothing);
    }
    assert_eq!(stage.malformed(), ["unasked-response"; 4]);
    let _ = stage.client(&call(3, "read_file", "{}"));
    assert_eq!(stage.server(&result(3, "{}")), to_client(&result(3, "{}")));
    assert_eq!(stage.server(&result(3, r#"{"content":"again"}"#)), Release::Nothing, "an answer counts once");
}

#[test]
fn refused_call_is_answered_by_the_server_all_the_same() {
    let mut stage = Stage::new();
    let _ = stage.client(&call(1, "delete_file", "{}"));
    assert_eq!(stage.server(&result(1, r#"{"content":[]}"#)), Release::Nothing);
}

#[test]
fn list_entry_the_filter_cannot_read_is_hidden() {
    let mut stage = Stage::new();
    let _ = stage.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let list = r#"{"tools":[{"name":["read_file"]},{"name":"read_file","Name":"delete_file"},{"n\u0061me":"delete_file"},"read_file",{"name":"read_file","inputSchema":7}]}"#;
    let release = stage.server(&result(1, list));
    assert_eq!(heard(&release)["result"]["tools"], json!([{"name":"read_file","inputSchema":7}]));
    assert_eq!(stage.listed(), (1, 4));
}

#[test]
fn server_prints_noise_on_stdout_without_end() {
    let mut stage = Stage::new();
    for n in 0..5000 {
        assert_eq!(stage.server(&format!("[INFO] line {n}")), Release::Nothing);
    }
    assert_eq!(stage.malformed().len(), 20 + 8, "the first twenty, then 32, 64, … 4096");
    let _ = stage.client(&call(1, "read_file", "{}"));
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
}

#[test]
fn server_reuses_an_id_to_confuse_the_clients_answers() {
    let mut stage = Stage::new();
    let asks = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
    assert_eq!(stage.server(asks), to_client(asks));
    let again = r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}"#;
    assert_eq!(stage.server(again), Release::Nothing);
    assert_eq!(stage.malformed(), ["id-in-use"]);
}

#[test]
fn attack_a_request_of_the_servers_that_cannot_be_read_is_never_answered() {
    let mut stage = Stage::new();
    let _ = stage.server(r#"{"jsonrpc":"2.0","id":"open","method":"roots/list"}"#);
    for (text, code) in [
        (r#"{"jsonrpc":"2.0","id":"s1","method":"roots/list","params":{"a":1,"a":2}}"#, "duplicate-key"),
        (r#"{"jsonrpc":"2.0","id":"s1","method":"roots/list","params":[]}"#, "bad-params"),
        (r#"{"jsonrpc":"2.0","id":"s1","method":"Roots/list"}"#, "lookalike-method"),
    ] {
        let Release::ToServer(told) = stage.server(text) else { panic!("{text}") };
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!((&told["id"], told["error"]["code"].is_number()), (&json!("s1"), true), "{told}");
        assert_eq!(stage.malformed().last(), Some(&code));
    }
    for text in [
        r#"{"jsonrpc":"2.0","method":"notifications/x","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":"open","method":"roots/list","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":7.5,"method":"roots/list"}"#,
    ] {
        assert_eq!(stage.server(text), Release::Nothing, "{text}");
    }
}
