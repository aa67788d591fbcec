use super::*;

const TEAM: &str =
    r#"{"mcpServers":{"team":{"command":"npx","args":["-y","team-server","${T:-x}"],"env":{"A":"b"}}}}"#;

/// A project folder with a team file; `keys` are further keys of its project in `~/.claude.json`.
fn project(keys: &str) -> Story {
    let story = Story::new();
    story.write("code/shop/.mcp.json", TEAM);
    let folder = story.path("code/shop");
    story.write(".claude.json", &format!("{{\n  \"projects\": {{\n    {folder:?}: {{{keys}}}\n  }}\n}}\n"));
    story
}

fn local(story: &Story) -> Value {
    story.value()["projects"][story.path("code/shop").to_str().unwrap()]["mcpServers"].clone()
}

#[test]
fn an_approved_team_server_is_shadowed_and_the_team_file_is_never_touched() {
    for keys in [
        r#""mcpServers": {}, "enabledMcpjsonServers": ["team"]"#,
        r#""enabledMcpjsonServers": ["team"]"#,
        r#""mcpServers": {"own": {"command": "mine"}}, "enabledMcpjsonServers": ["team"]"#,
    ] {
        let story = project(keys);
        let before = story.config();
        story.apply();
        assert_eq!(
            local(&story)["team"],
            serde_json::json!({"command": PROGRAM,
                "args": ["wrap", "--name", "team", "--", "npx", "-y", "team-server", "${T:-x}"], "env": {"A": "b"}})
        );
        assert!(story.standings().contains(&"project/team: Governed".to_owned()));
        assert!(!story.standings().iter().any(|line| line.starts_with("local/team")));
        assert_eq!(story.apply(), 0);
        assert_eq!(story.read("code/shop/.mcp.json"), TEAM);
        story.restore();
        assert_eq!(story.config(), before);
    }
}

#[test]
fn after_a_foreign_edit_the_shadow_and_the_list_we_made_still_go() {
    let story = project(r#""enabledMcpjsonServers": ["team"]"#);
    story.apply();
    let mut value = story.value();
    value["numStartups"] = 1.into();
    story.write(".claude.json", &serde_json::to_string_pretty(&value).unwrap());
    story.restore();
    story.assert_bare();
    assert_eq!(local(&story), Value::Null);
    assert_eq!(story.value()["numStartups"], 1);
}

#[test]
fn the_shadow_follows_the_team_file() {
    let story = project(r#""enabledMcpjsonServers": ["team"]"#);
    story.apply();
    story.write("code/shop/.mcp.json", &TEAM.replace("team-server", "team-server@2"));
    // Its guard stands where it stood: nothing goes around it meanwhile.
    assert_eq!(story.standings(), ["project/team: Governed"]);
    assert_eq!(story.apply(), 1);
    assert_eq!(local(&story)["team"]["args"][6], "team-server@2");
    // While the file is half written, what we know of it stays.
    story.write("code/shop/.mcp.json", &TEAM[..30]);
    assert_eq!(story.apply(), 0);
    assert_eq!(local(&story)["team"]["command"], PROGRAM);
    story.write("code/shop/.mcp.json", "{\"mcpServers\":{}}");
    assert_eq!(story.apply(), 1);
    assert_eq!(local(&story), Value::Null);
    story.assert_bare();
}

#[test]
fn a_team_server_that_is_no_longer_approved_loses_its_shadow() {
    let story = project(r#""enabledMcpjsonServers": ["team"]"#);
    story.apply();
    story.write("code/shop/.claude/settings.local.json", r#"{"disabledMcpjsonServers":["team"]}"#);
    assert_eq!(story.apply(), 1);
    story.assert_bare();
    assert_eq!(story.standings(), ["project/team: LeftAlone(NotApproved)"]);
}

#[test]
fn attack_a_shadow_whose_guard_is_bent() {
    let story = project(r#""enabledMcpjsonServers": ["team"]"#);
    story.apply();
    let bent = story.config().replace(r#""wrap", "--name""#, r#""wrap", "--policy", "/tmp/lax", "--name""#);
    assert_ne!(bent, story.config());
    story.write(".claude.json", &bent);
    assert_eq!(story.standings(), ["project/team: Altered"]);
    assert_eq!(story.apply(), 1);
    assert_eq!(story.standings(), ["project/team: Governed"]);
}

/// Shadowing would start a server that Claude Code asks the developer about first.
#[test]
fn attack_an_unapproved_project_server_is_not_shadowed() {
    for (file, text) in [
        ("code/shop/README", ""),
        ("code/shop/.claude/settings.json", r#"{"enableAllProjectMcpServers":true}"#),
        ("code/shop/.claude/settings.local.json", r#"{"enabledMcpjsonServers":["team"]}"#),
        ("code/shop/.claude.json", r#"{"enableAllProjectMcpServers":true}"#),
    ] {
        let story = project(r#""hasTrustDialogAccepted": false"#);
        story.write(file, text);
        let before = story.config();
        assert_eq!(story.apply(), 0, "{file}");
        assert_eq!(story.config(), before);
        assert_eq!(story.standings(), ["project/team: LeftAlone(NotApproved)"]);
    }
}

#[test]
fn an_entry_of_the_developers_own_is_not_taken_for_a_shadow() {
    let story = project(r#""mcpServers": {"team": {"command": "mine"}}, "enabledMcpjsonServers": ["team"]"#);
    story.apply();
    assert_eq!(story.standings(), ["local/team: Governed"]);
    assert_eq!(local(&story)["team"]["args"][4], "mine");
    // Over a shadow of ours, too.
    let story = project(r#""enabledMcpjsonServers": ["team"]"#);
    story.apply();
    let mut value = story.value();
    value["projects"][story.path("code/shop").to_str().unwrap()]["mcpServers"]["team"] =
        serde_json::json!({"command": "mine"});
    story.write(".claude.json", &value.to_string());
    story.apply();
    assert_eq!(local(&story)["team"]["args"][4], "mine");
    story.restore();
    assert_eq!(local(&story)["team"], serde_json::json!({"command": "mine"}));
}

#[test]
fn attack_a_team_file_that_brings_a_guard_of_its_own() {
    let story = project(r#""enabledMcpjsonServers": ["team"]"#);
    story.write(
        "code/shop/.mcp.json",
        r#"{"mcpServers":{"team":{"command":"./portreeve","args":["wrap","--policy","lax.toml","--","npx","evil"]}}}"#,
    );
    story.apply();
    assert_eq!(local(&story)["team"]["command"], PROGRAM);
    assert_eq!(
        local(&story)["team"]["args"],
        serde_json::json!(["wrap", "--name", "team", "--", "npx", "evil"])
    );
}
