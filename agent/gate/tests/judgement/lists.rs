//! Tool lists: what is shown, and what happens when policy changes under a client that has listed.

use crate::stage::{POLICY, Stage, error, heard, modern, result, rules, to_client, to_server};
use gate::Release;
use policy::Ruleset;
use serde_json::json;

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const TOOLS: &str = r#"{"tools":[{"name":"read_file","x":1.0},{"name":"write_file"},{"name":"delete_file"},{"name":"run"}],"nextCursor":"\u0061=="}"#;

fn listed(stage: &mut Stage) -> Release {
    assert_eq!(stage.client(LIST), to_server(LIST));
    stage.server(&result(1, TOOLS))
}

#[test]
fn refused_tools_are_absent_and_every_other_byte_is_there() {
    let mut stage = Stage::new();
    let shown = r#"{"tools":[{"name":"read_file","x":1.0},{"name":"write_file"}],"nextCursor":"\u0061=="}"#;
    assert_eq!(listed(&mut stage), to_client(&result(1, shown)));
    assert_eq!(stage.listed(), (2, 2));
}

#[test]
fn in_monitor_mode_the_list_is_the_servers_own() {
    let mut stage = Stage::under(rules(&POLICY.replace("\"enforce\"", "\"monitor\""), 7));
    assert_eq!(listed(&mut stage), to_client(&result(1, TOOLS)));
}

#[test]
fn a_later_page_is_filtered_too_and_may_become_empty() {
    let mut stage = Stage::new();
    let _ = listed(&mut stage);
    let next = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"a=="}}"#;
    assert_eq!(stage.client(next), to_server(next));
    let page = result(2, r#"{"nextCursor":"","tools":[{"name":"delete_all"}]}"#);
    assert_eq!(stage.server(&page), to_client(&result(2, r#"{"nextCursor":"","tools":[]}"#)));
}

#[test]
fn a_public_list_of_2026_becomes_private() {
    let mut stage = Stage::new();
    let list = modern("1", "tools/list", "");
    assert_eq!(stage.client(&list), to_server(&list));
    let page = |tools: &str, scope: &str| {
        result(
            1,
            &format!(r#"{{"resultType":"complete","tools":[{tools}],"ttlMs":5,"cacheScope":"{scope}"}}"#),
        )
    };
    let release = stage.server(&page(r#"{"name":"run"},{"name":"read_file"}"#, "public"));
    assert_eq!(release, to_client(&page(r#"{"name":"read_file"}"#, "private")));
}

#[test]
fn a_list_that_cannot_be_checked_is_not_shown() {
    for tools in [r#"{"tools":"all"}"#, r#"{"Tools":[{"name":"run"}],"tools":[]}"#, "[]", "{}"] {
        let mut stage = Stage::new();
        assert_eq!(stage.client(LIST), to_server(LIST));
        let (code, message) = error(&stage.server(&result(1, tools)), &json!(1));
        assert_eq!(code, -32603, "{message}");
        assert_eq!(stage.malformed(), ["unreadable-list"]);
    }
}

#[test]
fn an_error_in_place_of_a_list_passes() {
    let mut stage = Stage::new();
    assert_eq!(stage.client(LIST), to_server(LIST));
    let answer = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no tools"}}"#;
    assert_eq!(stage.server(answer), to_client(answer));
}

#[test]
fn a_change_of_policy_is_told_to_who_has_listed_and_sees_a_difference() {
    let wider = POLICY.replace(r#"["read_file", "list_*"]"#, r#"["read_file", "list_*", "run"]"#);
    let mut stage = Stage::new();
    assert_eq!(stage.policy_changes_to(rules(&wider, 8)), [], "who has not listed is not told");

    let mut stage = Stage::new();
    let _ = listed(&mut stage);
    let same = POLICY.replace("it@acme.example", "desk@acme.example");
    assert_eq!(stage.policy_changes_to(rules(&same, 8)), [], "the same tools are no news");
    let told = stage.policy_changes_to(rules(&wider, 9));
    assert_eq!(told, [to_client(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)]);
    assert_eq!(stage.policy_changes_to(rules(&wider, 10)), [], "once is enough");
    assert_eq!(stage.policy_changes_to(Ruleset::lockdown("No policy.")).len(), 1);
}

#[test]
fn a_client_is_told_to_expect_changes_of_the_list() {
    for method in ["initialize", "server/discover"] {
        let mut stage = Stage::new();
        let _ = stage.client(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#));
        let answer = |tools: &str| result(1, &format!(r#"{{"x":1.0,"capabilities":{{"tools":{tools}}}}}"#));
        let announced = to_client(&answer(r#"{"listChanged":true}"#));
        assert_eq!(stage.server(&answer(r#"{"listChanged":false}"#)), announced, "{method}");
    }
}

fn listening(stage: &mut Stage) {
    let listen = modern("\"l\"", "subscriptions/listen", r#""notifications":{"toolsListChanged":true}"#);
    assert_eq!(stage.client(&listen), to_server(&listen));
}

#[test]
fn an_acknowledgement_honours_changes_of_the_list() {
    let mut stage = Stage::new();
    listening(&mut stage);
    let acknowledged = |id: &str, honoured: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{{honoured}}},"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        )
    };
    let honoured = acknowledged("\"l\"", r#""toolsListChanged":true"#);
    assert_eq!(stage.server(&acknowledged("\"l\"", "")), to_client(&honoured));
    assert_eq!(stage.server(&honoured), to_client(&honoured));
    let foreign = acknowledged("7", "");
    assert_eq!(stage.server(&foreign), to_client(&foreign));
}

#[test]
fn where_the_server_knows_no_subscriptions_the_guard_serves_the_tool_list() {
    let mut stage = Stage::new();
    listening(&mut stage);
    let error = r#"{"jsonrpc":"2.0","id":"l","error":{"code":-32601,"message":"Method not found"}}"#;
    let told = heard(&stage.server(error));
    assert_eq!(told["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(told["params"]["notifications"]["toolsListChanged"], true);
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "l");
    assert_eq!(stage.server(error), Release::Nothing, "the server has answered");

    let list = modern("1", "tools/list", "");
    let _ = stage.client(&list);
    let _ = stage.server(&result(1, TOOLS));
    let told = stage.policy_changes_to(Ruleset::lockdown("No policy."));
    assert_eq!(heard(&told[0])["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "l");

    let ended = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#;
    assert_eq!(stage.client(ended), to_server(ended));
    assert_eq!(stage.policy_changes_to(rules(POLICY, 9)), []);
}

#[test]
fn another_error_of_a_subscription_passes() {
    let mut stage = Stage::new();
    listening(&mut stage);
    let error = r#"{"jsonrpc":"2.0","id":"l","error":{"code":-32602,"message":"bad filter"}}"#;
    assert_eq!(stage.server(error), to_client(error));
}

#[test]
fn in_2026_a_change_is_told_on_each_subscription_that_asked() {
    let mut stage = Stage::new();
    for (id, filter) in [("\"listen:0\"", "true"), ("5", "true"), ("6", "false")] {
        let notifications = format!(r#""notifications":{{"toolsListChanged":{filter}}}"#);
        let listen = modern(id, "subscriptions/listen", &notifications);
        assert_eq!(stage.client(&listen), to_server(&listen));
    }
    let list = modern("1", "tools/list", "");
    assert_eq!(stage.client(&list), to_server(&list));
    let _ = stage.server(&result(1, TOOLS));
    let ended = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
    assert_eq!(stage.client(ended), to_server(ended));

    let told = stage.policy_changes_to(Ruleset::lockdown("No policy."));
    assert_eq!(told.len(), 1, "{told:?}");
    let told = heard(&told[0]);
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "listen:0");
}

#[test]
fn a_new_first_page_forgets_the_tools_of_the_old_list() {
    let mut stage = Stage::new();
    let _ = listed(&mut stage);
    assert_eq!(
        stage.client(&LIST.replace("\"id\":1", "\"id\":2")),
        to_server(&LIST.replace("\"id\":1", "\"id\":2"))
    );
    let _ = stage.server(&result(2, r#"{"tools":[{"name":"read_file"}]}"#));
    let wider = POLICY.replace(r#"["read_file", "list_*"]"#, r#"["read_file", "run"]"#);
    assert_eq!(stage.policy_changes_to(rules(&wider, 8)), [], "the server has no `run` any more");
}
