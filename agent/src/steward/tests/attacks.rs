use super::*;

#[test]
fn attack_a_guard_with_a_law_of_its_own_is_put_right() {
    for args in [
        r#"["wrap","--policy","/tmp/lax.toml","--name","a","--","npx","x"]"#,
        r#"["wrap","--name","a","--root","/tmp/mine","--","npx","x"]"#,
        r#"["wrap","--name","other","--","npx","x"]"#,
    ] {
        let story =
            Story::with(&format!("{{\"mcpServers\":{{\"a\":{{\"command\":{PROGRAM:?},\"args\":{args}}}}}}}"));
        assert_eq!(story.standings(), ["user/a: Altered"], "{args}");
        assert_eq!(story.apply(), 1);
        assert_eq!(
            story.value()["mcpServers"]["a"]["args"],
            serde_json::json!(["wrap", "--name", "a", "--", "npx", "x"])
        );
    }
}

#[test]
fn attack_a_program_that_bears_our_name() {
    let story = Story::with(
        r#"{"mcpServers":{"a":{"command":"/tmp/portreeve","args":["wrap","--name","a","--","npx","x"]},
        "b":{"command":"/tmp/portreeve","args":["serve-anything"]}}}"#,
    );
    assert_eq!(story.apply(), 2);
    let servers = &story.value()["mcpServers"];
    assert_eq!(servers["a"]["command"], PROGRAM);
    assert_eq!(
        servers["b"]["args"],
        serde_json::json!(["wrap", "--name", "b", "--", "/tmp/portreeve", "serve-anything"])
    );
}

/// The journal is the developer's own file: it can say that we wrote anything.
#[test]
fn attack_a_journal_that_says_we_wrote_another_program() {
    let story = Story::with(r#"{"mcpServers":{"a":{"command":"npx","args":["x"]}}}"#);
    story.write("x/portreeve", "#!/bin/sh\n");
    let theirs = story.path("x/portreeve");
    story.steward.at(theirs.to_str().unwrap()).apply().unwrap();
    assert_eq!(story.standings(), ["user/a: Altered"], "a program that is not ours lives there");
    fs::remove_file(theirs).unwrap();
    assert_eq!(story.standings(), ["user/a: Outdated"], "nothing runs there any more");
    let config = story.config().replace("\"--name\"", "\"--policy\", \"/tmp/lax.toml\", \"--name\"");
    story.write(".claude.json", &config);
    assert_eq!(story.standings(), ["user/a: Altered"], "not our arguments");
}

#[test]
fn names_with_odd_characters_are_names() {
    let names = [
        "",
        "--",
        "--root",
        "-x",
        "a b",
        "a\"b\\c",
        "ünï\u{1F980}",
        "portreeve",
        "wrap",
        "../../x",
        "a\nb",
        "$(id)",
    ];
    let servers: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), serde_json::json!({"command": "x", "args": ["--name", "--"]})))
        .collect();
    let config = serde_json::json!({ "mcpServers": servers }).to_string();
    let story = Story::with(&config);
    assert_eq!(story.apply(), names.len());
    assert_eq!(story.apply(), 0);
    for name in names {
        let args = &story.value()["mcpServers"][name]["args"];
        assert_eq!(*args, serde_json::json!(["wrap", "--name", name, "--", "x", "--name", "--"]));
    }
    story.restore();
    assert_eq!(story.config(), config);
}

#[test]
fn attack_ten_thousand_team_servers() {
    let story = Story::new();
    let servers: Vec<String> = (0..10_000).map(|n| format!("\"s{n}\":{{\"command\":\"c{n}\"}}")).collect();
    story.write("code/.mcp.json", &format!("{{\"mcpServers\":{{{}}}}}", servers.join(",")));
    story.write(".claude/settings.json", "{\"enableAllProjectMcpServers\":true}");
    let config = format!("{{\"projects\":{{{:?}:{{}}}}}}", story.path("code"));
    story.write(".claude.json", &config);
    assert_eq!(story.apply(), 10_000);
    assert_eq!(story.apply(), 0);
    story.restore();
    assert_eq!(story.config(), config);
}

#[test]
fn attack_nesting_without_end() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let story = Story::with(&format!(
        "{{\"mcpServers\":{{\"a\":{{\"command\":\"x\",\"env\":{deep}}}}},\"b\":{deep}}}"
    ));
    let before = story.config();
    assert_eq!(story.apply(), 1);
    assert_eq!(story.apply(), 0);
    story.restore();
    assert_eq!(story.config(), before);
    let story = Story::new();
    story.write("code/.mcp.json", &format!("{{\"mcpServers\":{deep}}}"));
    story.write(".claude.json", &format!("{{\"projects\":{{{:?}:{{}}}}}}", story.path("code")));
    assert_eq!(story.apply(), 0);
}

#[test]
fn something_else_in_the_files_place_is_refused_quickly() {
    let story = Story::new();
    fs::create_dir(story.path(".claude.json")).unwrap();
    assert!(story.trouble().contains("is no ordinary file"));
    fs::remove_dir(story.path(".claude.json")).unwrap();
    let huge = fs::File::create(story.path(".claude.json")).unwrap();
    huge.set_len(65 * 1024 * 1024).unwrap();
    assert!(story.trouble().contains("is larger than 64 MB"));
}

/// `mkfifo` and symbolic links are not everywhere.
#[test]
fn attack_a_pipe_in_the_files_place_does_not_hang() {
    let story = Story::new();
    let made = std::process::Command::new("mkfifo").arg(story.path(".claude.json")).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(story.trouble().contains("is no ordinary file"));
        assert_eq!(story.standings(), Vec::<String>::new());
    }
}

fn link(to: &Path, at: &Path) -> bool {
    std::process::Command::new("ln").arg("-s").args([to, at]).status().is_ok_and(|status| status.success())
}

#[test]
fn a_link_inside_the_home_is_followed_and_stays_a_link() {
    let story = Story::new();
    story.write("dotfiles/claude.json", REAL);
    if !link(Path::new("dotfiles/claude.json"), &story.path(".claude.json")) {
        return;
    }
    assert_eq!(story.apply(), 4);
    assert!(fs::symlink_metadata(story.path(".claude.json")).unwrap().is_symlink());
    assert!(story.read("dotfiles/claude.json").contains(PROGRAM));
    story.restore();
    assert_eq!(story.read("dotfiles/claude.json"), REAL);
}

#[test]
fn attack_a_link_out_of_the_home_is_not_followed() {
    let story = Story::new();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim.json");
    fs::write(&victim, REAL).unwrap();
    if !link(&victim, &story.path(".claude.json")) {
        return;
    }
    assert!(story.trouble().contains("outside of the home folder"));
    assert_eq!(fs::read_to_string(&victim).unwrap(), REAL);
}

#[test]
fn secrets_are_in_no_debug_text_and_in_no_argument() {
    let story = Story::with(REAL);
    story.apply();
    let looks = story.steward.look().unwrap();
    for look in &looks {
        let shown = format!("{:?}", look.rows);
        assert!(!shown.contains("PLANTEDSECRET"), "{shown}");
    }
    for server in story.value()["mcpServers"].as_object().unwrap().values() {
        assert!(!server["args"].to_string().contains("PLANTEDSECRET"));
    }
}

/// The binary was renamed, or somebody's `sed` went over the file.
#[test]
fn a_guard_under_another_name_is_put_right_and_never_wrapped_again() {
    for renamed in ["/opt/portreeve/bin/portreeve-old", "/usr/bin/guard"] {
        let story = Story::with(REAL);
        story.apply();
        let bent = story.config().replace(PROGRAM, renamed);
        story.write(".claude.json", &bent);
        assert!(story.standings().contains(&"user/github: Altered".to_owned()), "{:?}", story.standings());
        assert_eq!(story.apply(), 4);
        assert!(!story.config().contains(renamed), "{}", story.config());
        story.restore();
        assert_eq!(story.value(), serde_json::from_str::<Value>(REAL).unwrap(), "after the repair");
        story.apply();
        story.write(".claude.json", &story.config().replace(PROGRAM, renamed));
        assert_eq!(story.restore().entries, 4);
        assert_eq!(story.value(), serde_json::from_str::<Value>(REAL).unwrap(), "without a repair");
    }
}

/// Entries that the same journal's program wrote under the name it had then, also where they were copied.
#[test]
fn a_guard_that_we_journalled_under_another_name_is_ours_wherever_it_stands() {
    let story = Story::with(r#"{"mcpServers":{"a":{"command":"npx","args":["x"]}}}"#);
    story.steward.at("/opt/old-guard").apply().unwrap();
    let copied = story.value()["mcpServers"]["a"].to_string();
    story.write(".claude.json", &format!("{{\"mcpServers\":{{\"a\":{copied},\"b\":{copied}}}}}"));
    assert_eq!(story.standings(), ["user/a: Outdated", "user/b: Altered"]);
    assert_eq!(story.apply(), 2);
    for name in ["a", "b"] {
        let args = &story.value()["mcpServers"][name]["args"];
        assert_eq!(*args, serde_json::json!(["wrap", "--name", name, "--", "npx", "x"]));
    }
}

#[test]
fn attack_a_program_that_imitates_our_grammar_is_guarded_itself() {
    let config =
        r#"{"mcpServers":{"a":{"command":"/tmp/evil","args":["wrap","--name","a","--","npx","x"]}}}"#;
    let story = Story::with(config);
    assert_eq!(story.standings(), ["user/a: Direct"]);
    assert_eq!(story.apply(), 1);
    assert_eq!(
        story.value()["mcpServers"]["a"]["args"],
        serde_json::json!([
            "wrap",
            "--name",
            "a",
            "--",
            "/tmp/evil",
            "wrap",
            "--name",
            "a",
            "--",
            "npx",
            "x"
        ])
    );
    // Taken off by hand it is the developer's own entry again, which the journal knows.
    story.write(".claude.json", config);
    assert_eq!(story.apply(), 1);
    story.restore();
    assert_eq!(story.config(), config);
}
