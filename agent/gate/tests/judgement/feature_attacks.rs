//! Attacks on what is judged beside tools: each test is named after the attack, and fails if it works.

use crate::stage::{POLICY, Stage, error, heard, modern, result, rules, to_server};
use gate::{EntryKind, Release};
use serde_json::json;

/// Nothing reaches the server, and the fault has this name.
#[track_caller]
fn refused_as(method: &str, params: &str, code: &str) {
    let mut stage = Stage::new();
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    let release = stage.client(&text);
    assert_eq!(error(&release, &json!(1)).0, -32600, "{text}");
    assert_eq!(stage.malformed(), [code], "{text}");
}

#[test]
fn lookalike_of_uri_names_another_resource() {
    for key in ["Uri", "URI", "uri\\u0000", "uri\\u0000x", " uri", "u\\u200bri", "\\ufeffuri"] {
        let params = format!(r#"{{"uri":"file:///work/a","{key}":"file:///etc/passwd"}}"#);
        for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"] {
            refused_as(method, &params, "lookalike-key");
        }
    }
}

#[test]
fn duplicate_uri_ref_or_name_is_read_twice() {
    refused_as("resources/read", r#"{"uri":"file:///work/a","uri":"file:///etc/passwd"}"#, "duplicate-key");
    refused_as("resources/read", r#"{"uri":"file:///work/a","\u0075ri":"file:///etc/x"}"#, "duplicate-key");
    refused_as(
        "completion/complete",
        r#"{"ref":{"name":"review_x"},"ref":{"name":"deploy"},"argument":{}}"#,
        "duplicate-key",
    );
    refused_as("completion/complete", r#"{"ref":{"name":"review_x","name":"deploy"}}"#, "duplicate-key");
    refused_as("prompts/get", r#"{"name":"review_x","name":"deploy"}"#, "duplicate-key");
    refused_as("tasks/result", r#"{"taskId":"a","taskId":"b"}"#, "duplicate-key");
}

#[test]
fn lookalike_of_ref_name_task_or_filter_slips_past() {
    refused_as(
        "completion/complete",
        r#"{"ref":{"name":"review_x"},"Ref":{"name":"deploy"}}"#,
        "lookalike-key",
    );
    refused_as("completion/complete", r#"{"ref":{"name":"review_x","Name":"deploy"}}"#, "lookalike-key");
    refused_as("completion/complete", r#"{"ref":{"uri":"file:///work/a","uri\u0000":"x"}}"#, "lookalike-key");
    refused_as("prompts/get", r#"{"name":"review_x","NAME":"deploy"}"#, "lookalike-key");
    refused_as("tasks/result", r#"{"taskId":"a","TaskID":"b"}"#, "lookalike-key");
    refused_as(
        "subscriptions/listen",
        r#"{"notifications":{"resourcesubscriptions":["file:///etc/passwd"]}}"#,
        "lookalike-key",
    );
}

#[test]
fn name_or_uri_of_another_type_falls_past_the_judge() {
    for uri in [r#"["file:///work/a"]"#, "{}", "null", "1"] {
        refused_as("resources/read", &format!(r#"{{"uri":{uri}}}"#), "resource-without-uri");
        refused_as("prompts/get", &format!(r#"{{"name":{uri}}}"#), "prompt-without-name");
        refused_as("completion/complete", &format!(r#"{{"ref":{{"uri":{uri}}}}}"#), "bad-reference");
    }
    for list in [r#""file:///etc/passwd""#, r#"[["file:///etc/passwd"]]"#, r#"{"a":"file:///etc/passwd"}"#] {
        let params = format!(r#"{{"notifications":{{"resourceSubscriptions":{list}}}}}"#);
        refused_as("subscriptions/listen", &params, "bad-subscriptions");
    }
}

#[test]
fn method_in_another_case_or_with_blanks_is_another_method_to_the_judge_only() {
    for method in [
        "Resources/Read",
        "resources/read\\u0000",
        " prompts/get",
        "completion/complete\\u200b",
        "TASKS/RESULT",
        "resources\\/Subscribe",
    ] {
        refused_as(method, r#"{"uri":"file:///etc/passwd"}"#, "lookalike-method");
    }
}

#[test]
fn resource_or_prompt_asked_for_by_a_notification() {
    for method in ["resources/read", "resources/subscribe", "prompts/get", "completion/complete"] {
        let mut stage = Stage::new();
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"uri":"file:///work/a","name":"review_x","ref":{{"name":"review_x"}}}}}}"#
        );
        assert_eq!(stage.client(&text), Release::Nothing, "{method}");
        assert_eq!(stage.malformed(), ["call-without-id"]);
    }
}

#[test]
fn uri_in_an_odd_form_means_another_file_to_the_server() {
    for uri in [
        "file:///work/../etc/passwd",
        "file:///work/%2e%2e/etc/passwd",
        "file:///work/%252e%252e/etc/passwd",
        "file:///work/..%2fetc/passwd",
        "file:///work\\\\..\\\\etc",
        "file:///work/\\u0000/../../etc",
        "file:///work/\\u202e/x",
        "file://localhost/work/a",
        "FILE:///work/a",
        "file:///work/secret%2fkey",
        "file:///work//secret/key",
        "file:///work/%73ecret/key",
        "file:///work/SECRET/key",
        " file:///work/a",
    ] {
        let mut stage = Stage::new();
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"{uri}"}}}}"#);
        assert_eq!(error(&stage.client(&text), &json!(1)).0, -32003, "{uri}");
        let listen = modern(
            "2",
            "subscriptions/listen",
            &format!(r#""notifications":{{"resourceSubscriptions":["{uri}"]}}"#),
        );
        let left = modern("2", "subscriptions/listen", r#""notifications":{"resourceSubscriptions":[]}"#);
        assert_eq!(stage.client(&listen), to_server(&left), "{uri}");
    }
}

#[test]
fn list_entry_of_another_type_passes_the_filter() {
    for (method, list, left) in [
        (
            "prompts/list",
            r#"{"prompts":[{"name":["review_a"]},{"name":"review_b","Name":"deploy"},"review_c",{"title":"x"},{"name":"review_d"}]}"#,
            json!({"prompts": [{"name": "review_d"}]}),
        ),
        (
            "resources/list",
            r#"{"resources":[{"name":"a"},{"uri":7},{"uri":"file:///work/a","URI":"file:///etc"},{"uri":"file:///work/b"},null]}"#,
            json!({"resources": [{"uri": "file:///work/b"}]}),
        ),
        (
            "resources/templates/list",
            r#"{"resourceTemplates":[{"uri":"file:///work/a"},{"uriTemplate":"file:///work/{a}","uritemplate":"x"},{"uriTemplate":"file:///work/{b}"}]}"#,
            json!({"resourceTemplates": [{"uriTemplate": "file:///work/{b}"}]}),
        ),
    ] {
        let mut stage = Stage::new();
        let _ = stage.client(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#));
        assert_eq!(heard(&stage.server(&result(1, list)))["result"], left);
    }
    let mut stage = Stage::new();
    let _ = stage.client(r#"{"jsonrpc":"2.0","id":1,"method":"prompts/list"}"#);
    let folded = result(1, r#"{"prompts":[],"Prompts":[{"name":"deploy"}]}"#);
    assert_eq!(error(&stage.server(&folded), &json!(1)).0, -32603);
}

#[test]
fn input_requests_under_a_lookalike_key_pass_the_judge() {
    for key in ["InputRequests", "inputrequests", "inputRequests\\u0000", "input\\u200bRequests"] {
        let mut stage = Stage::new();
        let _ = stage.client(&modern("1", "tools/call", r#""name":"read_file""#));
        let answer = result(
            1,
            &format!(
                r#"{{"resultType":"input_required","{key}":{{"a":{{"method":"sampling/createMessage"}}}}}}"#
            ),
        );
        assert_eq!(error(&stage.server(&answer), &json!(1)).0, -32603, "{key}");
        assert_eq!(stage.malformed(), ["lookalike-key"]);
    }
}

/// The model is shown an allowed tool's name in other letters and calls that.
#[test]
fn tool_name_in_letters_of_other_scripts_imitates_an_allowed_one() {
    let mut stage = Stage::new();
    let _ = stage.client(r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#);
    let _ = stage
        .server(r#"{"jsonrpc":"2.0","id":"l","result":{"tools":[{"name":"read_file"},{"name":"run"}]}}"#);
    for (id, name) in (1..).zip([
        "re\\u0430d_file",
        "READ_FILE",
        "read_\\ufb01le",
        "read_file\\u200b",
        "r\\u0435\\u0430d_f\\u0456le",
    ]) {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}"}}}}"#);
        assert_eq!(error(&stage.client(&text), &json!(id)).0, -32003, "{name}");
        let EntryKind::Malformed { code, message, from_client } = &stage.last().kind else {
            panic!("{name}: {:?}", stage.last())
        };
        assert_eq!((code.as_str(), from_client), ("lookalike-name", &true));
        assert!(message.contains("\"read_file\""), "{message}");
    }
    let before = stage.book.entries.len();
    for (id, name) in (20..).zip(["format_disk", "r\\u00e9sum\\u00e9", "\\u0440\\u0443\\u0441"]) {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}"}}}}"#);
        let _ = stage.client(&text);
    }
    assert_eq!(stage.book.entries.len(), before + 3, "a name of its own imitates nothing");
}

#[test]
fn refused_resource_is_asked_for_as_a_template_of_its_own() {
    let mut stage = Stage::under(rules(POLICY, 7));
    for uri in ["file:///etc/{x}", "file:///work/secret/{x}", "{+any}:///etc"] {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"{uri}"}}}}"#);
        assert_eq!(error(&stage.client(&text), &json!(1)).0, -32003, "{uri}");
    }
}
