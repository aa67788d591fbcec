//! Tasks: what is asked about one later is judged by the tool that made it.

use crate::stage::{POLICY, Stage, call, error, modern, result, rules, to_client, to_server};
use gate::{EntryKind, Release};
use policy::Outcome;
use serde_json::json;

fn about(id: u64, method: &str, task: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"taskId":"{task}"}}}}"#)
}

/// A call that was answered by a task, in either era's shape.
fn with_task(stage: &mut Stage, made: &str) {
    let text = call(1, "read_file", "{}");
    assert_eq!(stage.client(&text), to_server(&text));
    assert_eq!(stage.server(&result(1, made)), to_client(&result(1, made)));
}

const MADE: [&str; 2] = [
    r#"{"task":{"taskId":"t-1","status":"working"}}"#,
    r#"{"resultType":"task","taskId":"t-1","status":"working"}"#,
];

#[test]
fn a_task_goes_on_while_its_tool_is_allowed_and_its_result_is_on_record() {
    for made in MADE {
        let mut stage = Stage::new();
        with_task(&mut stage, made);
        let before = stage.book.entries.len();
        for (id, method) in (2..).zip(["tasks/get", "tasks/cancel"]) {
            let text = about(id, method, "t-1");
            assert_eq!(stage.client(&text), to_server(&text));
        }
        assert_eq!(stage.book.entries.len(), before, "a poll is nothing to record");
        for (id, method) in (10..).zip(["tasks/result", "tasks/update"]) {
            let text = about(id, method, "t-1");
            assert_eq!(stage.client(&text), to_server(&text));
            let EntryKind::Call { outcome, rule, .. } = &stage.last().kind else { panic!() };
            assert_eq!((*outcome, rule.as_str()), (Outcome::Allowed, "reading"));
            assert_eq!(stage.last().tool.as_deref(), Some("read_file"));
        }
    }
}

#[test]
fn a_task_of_a_tool_that_policy_took_away_gives_nothing_more_and_may_be_cancelled() {
    for made in MADE {
        let mut stage = Stage::new();
        with_task(&mut stage, made);
        let _ = stage.policy_changes_to(rules(&POLICY.replace("\"read_file\", ", ""), 8));
        for (id, method) in (2..).zip(["tasks/get", "tasks/result", "tasks/update"]) {
            let (code, message) = error(&stage.client(&about(id, method, "t-1")), &json!(id));
            assert_eq!(code, -32003);
            assert!(message.contains("the tool \"read_file\""), "{message}");
        }
        let cancel = about(9, "tasks/cancel", "t-1");
        assert_eq!(stage.client(&cancel), to_server(&cancel));
    }
}

#[test]
fn a_task_that_nobody_saw_made_is_a_method() {
    let mut stage = Stage::new();
    with_task(&mut stage, MADE[0]);
    let other = about(2, "tasks/result", "t-2");
    assert_eq!(stage.client(&other), to_server(&other));
    let denied = POLICY.replace("vendor/wipe*", "tasks/*");
    let _ = stage.policy_changes_to(rules(&denied, 8));
    for (id, task) in [(3, "t-1"), (4, "t-2")] {
        let (_, message) = error(&stage.client(&about(id, "tasks/result", task)), &json!(id));
        assert!(message.contains("\"no-wiping\""), "a rule about the method counts for both: {message}");
    }
}

#[test]
fn another_answer_under_a_tasks_id_does_not_move_it_to_a_tool_that_is_allowed() {
    let mut stage = Stage::under(rules(&POLICY.replace("\"list_*\"]", "\"list_*\", \"run\"]"), 7));
    let _ = stage.client(&call(1, "run", "{}"));
    let _ = stage.server(&result(1, MADE[0]));
    let _ = stage.client(&call(2, "read_file", "{}"));
    let _ = stage.server(&result(2, MADE[0]));
    let _ = stage.policy_changes_to(rules(POLICY, 8));
    assert_eq!(error(&stage.client(&about(3, "tasks/result", "t-1")), &json!(3)).0, -32003);
}

#[test]
fn what_a_finished_task_asks_of_the_client_is_judged() {
    let mut stage = Stage::new();
    with_task(&mut stage, MADE[1]);
    let poll = modern("2", "tasks/get", r#""taskId":"t-1""#);
    assert_eq!(stage.client(&poll), to_server(&poll));
    let asks = result(
        2,
        r#"{"resultType":"complete","status":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{}}}}"#,
    );
    assert_eq!(error(&stage.server(&asks), &json!(2)).0, 40300);
}

#[test]
fn a_servers_poll_of_the_clients_task_is_judged_as_what_made_it() {
    let mut stage = Stage::under(rules(&POLICY.replace("[\"roots\"]", "[\"roots\", \"sampling\"]"), 7));
    let asks = r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"task":{}}}"#;
    assert_eq!(stage.server(asks), to_client(asks));
    assert_eq!(stage.client(&result(1, MADE[0])), to_server(&result(1, MADE[0])));
    let poll = about(2, "tasks/result", "t-1");
    assert_eq!(stage.server(&poll), to_client(&poll));
    let _ = stage.policy_changes_to(rules(POLICY, 8));
    let Release::ToServer(answer) = stage.server(&about(3, "tasks/result", "t-1")) else { panic!() };
    assert!(String::from_utf8(answer.into_bytes()).unwrap().contains("\"error\""));
}
