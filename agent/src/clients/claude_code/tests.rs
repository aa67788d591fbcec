use std::fs;

use super::*;
use crate::clients::{Shape, read_bytes};

/// A home with one project folder.
struct Story {
    _scratch: tempfile::TempDir,
    home: Home,
    project: PathBuf,
}

impl Story {
    fn new(team: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home { path: scratch.path().to_owned(), user: "u".into(), config_dirs: Vec::new() };
        let project = home.path.join("code/shop");
        fs::create_dir_all(project.join(".claude")).unwrap();
        fs::create_dir_all(home.path.join(".claude/sessions")).unwrap();
        fs::write(project.join(".mcp.json"), team).unwrap();
        Self { _scratch: scratch, home, project }
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        fs::write(self.home.path.join(path), text).unwrap();
        self
    }

    /// `.claude.json` with the project, and these further keys in it.
    fn project_keys(&self, keys: &str) -> &Self {
        let text = format!("{{\"projects\":{{{:?}:{{{keys}}}}}}}", self.project);
        self.write(".claude.json", &text)
    }

    fn entries(&self) -> Entries {
        let files = &ClaudeCodeFiles::of(&self.home)[0];
        let bytes = read_bytes(&files.config).unwrap().unwrap();
        let text = ConfigText::parse(bytes).unwrap();
        entries(&text, &Surroundings::read(files), "/opt/ours").unwrap()
    }

    fn approved(&self, name: &str) -> bool {
        let found = self.entries().all;
        let entry = found.iter().find(|entry| entry.place.name == name).unwrap();
        matches!(entry.shape, Shape::Direct(_))
    }
}

const TEAM: &str = r#"{"mcpServers":{"team":{"command":"npx","args":["-y","team"]}}}"#;

#[test]
fn approval_counts_as_claude_counts_it() {
    let trusted = r#""hasTrustDialogAccepted":true"#;
    for (keys, file, settings, expected) in [
        ("", "", "", false),
        (trusted, "", "", false),
        (r#""enabledMcpjsonServers":["team"]"#, "", "", true),
        (r#""enabledMcpjsonServers":["other"]"#, "", "", false),
        ("", ".claude/settings.json", r#"{"enableAllProjectMcpServers":true}"#, true),
        ("", ".claude/settings.json", r#"{"enableAllProjectMcpServers":"yes"}"#, false),
        (trusted, "code/shop/.claude/settings.local.json", r#"{"enabledMcpjsonServers":["team"]}"#, true),
        (trusted, "code/shop/.claude/settings.json", r#"{"enabledMcpjsonServers":["team"]}"#, true),
        (
            r#""enabledMcpjsonServers":["team"]"#,
            "code/shop/.claude/settings.local.json",
            r#"{"disabledMcpjsonServers":["team"]}"#,
            false,
        ),
    ] {
        let story = Story::new(TEAM);
        story.project_keys(keys);
        if !file.is_empty() {
            story.write(file, settings);
        }
        assert_eq!(story.approved("team"), expected, "{keys} {file} {settings}");
    }
}

#[test]
fn attack_a_hostile_repository_brings_its_own_approval() {
    for file in ["settings.json", "settings.local.json"] {
        let story = Story::new(TEAM);
        story.project_keys(r#""hasTrustDialogAccepted":false"#);
        story.write(&format!("code/shop/.claude/{file}"), r#"{"enableAllProjectMcpServers":true}"#);
        assert!(!story.approved("team"), "{file}");
    }
}

#[test]
fn trust_in_a_folder_above_is_trust() {
    let story = Story::new(TEAM);
    let above = story.home.path.join("code");
    let text = format!(
        "{{\"projects\":{{{:?}:{{}},{above:?}:{{\"hasTrustDialogAccepted\":true}}}}}}",
        story.project
    );
    story.write(".claude.json", &text);
    story.write("code/shop/.claude/settings.local.json", r#"{"enabledMcpjsonServers":["team"]}"#);
    assert!(story.entries().all.iter().any(|entry| matches!(entry.shape, Shape::Direct(_))));
}

#[test]
fn team_files_above_are_read_and_the_nearest_wins() {
    let story = Story::new(TEAM);
    story.write(".mcp.json", r#"{"mcpServers":{"team":{"command":"far"},"home":{"command":"h"}}}"#);
    story.project_keys(r#""enabledMcpjsonServers":["team","home"]"#);
    let found = story.entries().all;
    let files: Vec<_> =
        found.iter().map(|entry| (entry.place.name.as_str(), entry.team_file.clone().unwrap())).collect();
    assert_eq!(
        files,
        [("team", story.project.join(".mcp.json")), ("home", story.home.path.join(".mcp.json"))]
    );
}

#[test]
fn a_live_session_below_its_project_shows_what_it_loads() {
    let story = Story::new("{}");
    let below = story.project.join("tools/deep");
    fs::create_dir_all(&below).unwrap();
    fs::write(story.project.join("tools/.mcp.json"), TEAM).unwrap();
    story.project_keys(r#""enabledMcpjsonServers":["team"]"#);
    assert!(story.entries().all.is_empty());
    story.write(".claude/sessions/77.json", &format!("{{\"pid\":77,\"cwd\":{below:?}}}"));
    let found = story.entries().all;
    assert!(matches!(found[0].shape, Shape::Beyond(Beyond::BelowProject(_))));
}

#[test]
fn a_broken_team_file_leaves_its_project_unclear() {
    for team in ["{\"mcpServers\":", "{\"mcpServers\":[]}", "{\"mcpServers\":{\"a\":{},\"a\":{}}}"] {
        let story = Story::new(team);
        story.project_keys("");
        assert!(story.entries().unclear.contains(story.project.to_str().unwrap()), "{team}");
    }
}

#[test]
fn a_server_that_is_signed_in_to_is_left_alone_unless_it_has_a_token_of_its_own() {
    let story = Story::new("{}");
    story.write(
        ".claude.json",
        r#"{"mcpServers":{"a":{"type":"http","url":"https://x.test/mcp"},
        "b":{"type":"http","url":"https://x.test/mcp","headers":{"authorization":"Bearer ${T}"}},
        "c":{"type":"sse","url":"https://y.test/mcp"}}}"#,
    );
    story.write(
        ".claude/.credentials.json",
        r#"{"mcpOAuth":{"a|0011":{"serverUrl":"https://x.test/mcp/","accessToken":"secret"}}}"#,
    );
    let found = story.entries().all;
    assert_eq!(found[0].shape, Shape::Beyond(Beyond::SignsIn));
    assert!(matches!(found[1].shape, Shape::Direct(_)));
    assert!(matches!(found[2].shape, Shape::Direct(_)));
}
