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

fn advice(rest: &str) -> Vec<String> {
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
