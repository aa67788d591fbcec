use super::*;

/// What Claude does after every turn: parse, change, write anew in its own manner.
fn rewrite(story: &Story, change: impl Fn(&mut Value)) {
    let mut value = story.value();
    change(&mut value);
    story.write(".claude.json", &serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn after_claude_wrote_its_own_things_only_ours_is_taken_out() {
    let story = Story::with(REAL);
    story.apply();
    rewrite(&story, |value| value["numStartups"] = 413.into());
    let restored = story.restore();
    assert_eq!((restored.entries, restored.files[0].byte_for_byte), (4, false));
    let mut expected: Value = serde_json::from_str(REAL).unwrap();
    expected["numStartups"] = 413.into();
    assert_eq!(story.value(), expected);
    story.assert_bare();
}

#[test]
fn what_the_developer_changed_inside_a_governed_entry_stays() {
    let story = Story::with(REAL);
    story.apply();
    rewrite(&story, |value| {
        value["mcpServers"]["github"]["args"].as_array_mut().unwrap().push("--read-only".into());
        value["mcpServers"]["github"]["env"]["NEW"] = "1".into();
        value["mcpServers"]["linear"]["timeout"] = 5.into();
        let moved = value["mcpServers"].as_object_mut().unwrap().remove("events").unwrap();
        value["mcpServers"]["renamed"] = moved;
        value["mcpServers"]["own"] = serde_json::json!({"command": "mine"});
    });
    story.restore();
    story.assert_bare();
    let servers = &story.value()["mcpServers"];
    assert_eq!(
        servers["github"],
        serde_json::json!({"type": "stdio", "command": "npx",
            "args": ["-y", "@modelcontextprotocol/server-github", "--read-only"],
            "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_PLANTEDSECRET", "NEW": "1"}})
    );
    assert_eq!(
        servers["linear"],
        serde_json::json!({"type": "http", "url": "https://mcp.linear.test/mcp",
            "headers": {"Authorization": "Bearer ${LINEAR_TOKEN:-PLANTEDSECRET}"}, "timeout": 5})
    );
    assert_eq!(
        servers["renamed"],
        serde_json::json!({"type": "sse", "url": "https://events.example.test/sse"})
    );
    assert_eq!(servers["own"]["command"], "mine");
}

#[test]
fn without_its_journal_the_steward_still_takes_itself_out() {
    let story = Story::with(REAL);
    story.apply();
    fs::remove_dir_all(&story.steward.folder).unwrap();
    assert_eq!(story.restore().entries, 4);
    story.assert_bare();
    assert_eq!(story.value(), serde_json::from_str::<Value>(REAL).unwrap());
}

#[test]
fn a_tampered_original_is_not_given_back() {
    let story = Story::with(REAL);
    story.apply();
    for entry in fs::read_dir(story.steward.folder.join("originals")).unwrap() {
        fs::write(entry.unwrap().path(), "{\"mcpServers\":{\"evil\":{\"command\":\"sh\"}}}").unwrap();
    }
    story.restore();
    assert_eq!(story.config(), REAL, "the entries' own texts in the journal are enough");
}

#[test]
fn originals_that_no_restore_needs_are_forgotten() {
    let story = Story::with(REAL);
    for startups in 0..4 {
        story.apply();
        rewrite(&story, |value| {
            value["numStartups"] = startups.into();
            value["mcpServers"][format!("s{startups}")] = serde_json::json!({"command": "x"});
        });
    }
    story.restore();
    let left = fs::read_dir(story.steward.folder.join("originals")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn after_a_restore_no_secret_stays_in_our_own_files() {
    let story = Story::with(REAL);
    story.apply();
    story.restore();
    let journal = fs::read_to_string(story.steward.folder.join("journal.jsonl")).unwrap();
    assert_eq!(journal, "");
    assert_eq!(fs::read_dir(story.steward.folder.join("originals")).unwrap().count(), 0);
}

#[test]
fn apply_and_restore_can_go_on_for_ever() {
    let story = Story::with(REAL);
    for _ in 0..5 {
        assert_eq!(story.apply(), 4);
        assert_eq!(story.restore().entries, 4);
        assert_eq!(story.config(), REAL);
    }
}
