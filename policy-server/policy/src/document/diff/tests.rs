use crate::document::Document;

const OLD: &str = r#"
    [servers.github]
    match = ["npm:@acme/github"]
    [roles.engineering]
    members = ["alice@acme.example", "bob@acme.example"]
    [[grants]]
    name = "read"
    roles = ["engineering"]
    servers = ["github"]
    tools = ["get_*"]
"#;

fn changes(edit: impl Fn(String) -> String) -> Vec<String> {
    let parse = |text: &str| Document::parse(text).expect("the document is sound");
    parse(OLD).changes_to(&parse(&edit(OLD.to_owned())))
}

#[test]
fn no_change_says_nothing() {
    assert!(changes(|text| format!("# a comment\n{text}")).is_empty());
}

#[test]
fn who_gains_and_who_loses_is_said_in_words() {
    for (from, to, expected) in [
        (
            "\"bob@",
            "\"carol@",
            vec![
                "Role `engineering` gains `carol@acme.example`.",
                "Role `engineering` loses `bob@acme.example`.",
            ],
        ),
        (
            "[\"get_*\"]",
            "[\"get_*\", \"create_issue\"]",
            vec!["Grant `read` now also covers tool `create_issue`."],
        ),
        (
            "\"get_*\"",
            "\"get_me\"",
            vec![
                "Grant `read` now also covers tool `get_me`.",
                "Grant `read` no longer covers tool `get_*`.",
            ],
        ),
        ("tools =", "effect = \"deny\"\ntools =", vec!["Grant `read` denies from now on what it allowed."]),
        (
            "tools =",
            "when = 'context.args.a == 1'\ntools =",
            vec!["Grant `read` holds only when `context.args.a == 1` from now on; it held always."],
        ),
        (
            "name = \"read\"",
            "name = \"look\"",
            vec![
                "Grant `read` is gone: `engineering` may no longer, by it, call `get_*` on `github`.",
                "New grant `look`: `engineering` may call `get_*` on `github`.",
            ],
        ),
        (
            "tools =",
            "resources = [\"repo://*\"]\nclient-features = [\"*\"]\ntools =",
            vec![
                "Grant `read` now also covers resource `repo://*`.",
                "Grant `read` now also covers client feature `*`.",
            ],
        ),
        (
            "name = \"read\"\n",
            "name = \"look\"\nprompts = [\"*\"]\nresources = [\"repo://*\"]\n",
            vec![
                "Grant `read` is gone: `engineering` may no longer, by it, call `get_*` on `github`.",
                "New grant `look`: `engineering` may call `get_*`, read `repo://*` and get every prompt on `github`.",
            ],
        ),
        (
            "[[grants]]",
            "[[grants]]\nname = \"none\"\nroles = [\"engineering\"]\nservers = [\"github\"]\neffect = \"deny\"\n[[grants]]",
            vec!["New grant `none`: `engineering` may never use anything on `github`."],
        ),
        (
            "[servers.github]",
            "[door]\nhttps = true\n[[redact]]\nname = \"r\"\nsecrets = true\nfields = [\"a\"]\nin = \"results\"\n[servers.github]\ndefinitions = \"hold\"",
            vec![
                "The HTTP door of each machine is open for HTTPS only from now on.",
                "Of server `github`, definitions that changed are held back until somebody approves them from now on.",
                "New redaction `r`: secrets and fields `a` in results of every server, replaced by `[redacted]`.",
            ],
        ),
        (
            "[servers.github]",
            "[defaults]\nmode = \"enforce\"\n[servers.github]\nmode = \"monitor\"",
            vec![
                "What no grant covers is refused from now on; it was only recorded.",
                "Server `github` is only monitored from now on.",
            ],
        ),
    ] {
        assert_eq!(changes(|text| text.replacen(from, to, 1)), expected, "{from} -> {to}");
    }
}
