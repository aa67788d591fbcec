//! What a document's author is told without its being a fault.

use policy::Document;

const HEAD: &str = r#"[servers.files]
match = ["npm:files"]
[roles.staff]
members = ["*"]
[[grants]]
name = "g"
roles = ["staff"]
servers = ["files"]
tools = ["read_*"]
"#;

/// Without what every document is told whose grants are of tools alone.
fn advice(rest: &str) -> Vec<String> {
    all_advice(rest).into_iter().filter(|text| !text.contains("no grant speaks of")).collect()
}

fn all_advice(rest: &str) -> Vec<String> {
    let document = Document::parse(&format!("{HEAD}{rest}")).expect(rest);
    document.advice().iter().map(ToString::to_string).collect()
}

#[test]
fn a_folder_in_a_condition_is_advised_to_exclude_climbing_out_of_it() {
    for (condition, expected) in [
        (r#"context.args.path like "/x/*""#, true),
        (r#"context.args has path && context.args.path like "/x/*""#, true),
        (r#"context.args.path like "/x/*" && !(context.args.path like "*..*")"#, false),
        (r#"context.args.path like "/x/*" && !(context.args.path like "*/../*")"#, false),
        (r#"context.args.path like "*.txt""#, false),
        (r#"context.args.path == "/x/y""#, false),
        (r#"context.tool like "x/*""#, false),
    ] {
        let advice = advice(&format!("when = '{condition}'\n"));
        assert_eq!(advice.len(), usize::from(expected), "{condition}: {advice:?}");
        for text in advice {
            assert!(text.starts_with("6:8: ") && text.contains("`/x/../elsewhere`"), "{text}");
            assert!(text.contains(r#"add: && !(context.args.path like "*..*")"#), "{text}");
        }
    }
}

#[test]
fn an_allow_that_a_deny_takes_back_whole_is_pointed_out() {
    for (deny, expected) in [
        ("", true),
        ("tools = [\"read_*\"]", true),
        ("tools = [\"read_file\"]", false),
        ("when = 'context.args has path'", false),
    ] {
        let text = format!(
            "[[grants]]\nname = \"d\"\neffect = \"deny\"\nroles = [\"staff\"]\nservers = [\"files\"]\n{deny}\n"
        );
        assert_eq!(!advice(&text).is_empty(), expected, "{deny}");
    }
}

fn advised(rest: &str, word: &str) -> bool {
    all_advice(rest).iter().any(|text| text.contains(word))
}

#[test]
fn a_server_with_tools_and_nothing_of_its_resources_is_pointed_out_once() {
    assert!(advised("", "no grant speaks of the resources or prompts of server `files`"));
    assert!(!advised("prompts = [\"*\"]\n", "no grant speaks of"));
    let deny = "[[grants]]\nname = \"d\"\neffect = \"deny\"\nroles = [\"staff\"]\nservers = [\"files\"]\nresources = [\"*\"]\n";
    assert!(!advised(deny, "no grant speaks of"), "a deny says what is meant, too");
    let more =
        "[[grants]]\nname = \"h\"\nroles = [\"staff\"]\nservers = [\"files\"]\ntools = [\"write_*\"]\n";
    assert_eq!(all_advice(more).len(), 1, "{:?}", all_advice(more));
}

#[test]
fn a_redaction_of_everything_is_pointed_out() {
    let redact = |pattern: &str| format!("[[redact]]\nname = \"r\"\npatterns = ['{pattern}']\n");
    assert!(advised(&redact("(?s).+"), "redaction `r` takes out every text"));
    assert!(!advised(&redact("[0-9]+"), "takes out every text"));
}

#[test]
fn a_star_in_the_host_of_a_resource_is_pointed_out() {
    assert!(advised("resources = [\"https://*.acme.example/*\"]\n", "stands for any text, also for a `/`"));
    for fine in ["https://acme.example/*", "file:///*", "*", "*.md", "memo://*"] {
        assert!(!advised(&format!("resources = [\"{fine}\"]\n"), "stands for any text"), "{fine}");
    }
}

#[test]
fn a_condition_that_asks_for_the_tool_of_something_else_is_pointed_out() {
    let grant = |lists: &str, when: &str| {
        format!(
            "[[grants]]\nname = \"h\"\nroles = [\"staff\"]\nservers = [\"files\"]\n{lists}\nwhen = '{when}'\n"
        )
    };
    let word = "`context.tool` is empty for what is no tool";
    assert!(advised(&grant("resources = [\"*\"]", "context.tool != \"x\""), word));
    assert!(!advised(&grant("tools = [\"*\"]", "context.tool != \"x\""), word));
    assert!(!advised(&grant("resources = [\"*\"]", "context.name != \"x\""), word));
}

#[test]
fn a_deny_of_everything_that_looks_at_arguments_is_pointed_out() {
    let deny = |rest: &str| {
        format!(
            "[[grants]]\nname = \"d\"\neffect = \"deny\"\nroles = [\"staff\"]\nservers = [\"files\"]\n{rest}\n"
        )
    };
    let word = "also looks at the arguments of every method";
    assert!(advised(&deny("when = 'context.args.path like \"/x*\"'"), word));
    assert!(!advised(&deny("when = 'context.args has path && context.args.path like \"/x*\"'"), word));
    assert!(!advised(&deny("when = 'context.client == \"x\"'"), word));
    assert!(!advised(&deny("tools = [\"*\"]\nwhen = 'context.args.path like \"/x*\"'"), word));
}
