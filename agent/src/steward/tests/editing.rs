use super::*;

#[test]
fn a_real_configuration_is_governed_and_given_back_byte_for_byte() {
    let story = Story::with(REAL);
    story.write(".config/Claude/claude_desktop_config.json", REAL_DESKTOP);
    assert_eq!(story.apply(), 6);
    assert_eq!(story.apply(), 0, "a second time there is nothing to do");
    assert_eq!(
        story.standings(),
        [
            "desktop/memory: Governed",
            "desktop/weather: Governed",
            "local/files: Governed",
            "user/editor: LeftAlone(Transport(\"ws\"))",
            "user/events: Governed",
            "user/github: Governed",
            "user/linear: Governed",
        ]
    );
    let github = &story.value()["mcpServers"]["github"];
    assert_eq!(github["command"], PROGRAM);
    assert_eq!(
        github["args"],
        serde_json::json!([
            "wrap",
            "--name",
            "github",
            "--",
            "npx",
            "-y",
            "@modelcontextprotocol/server-github"
        ])
    );
    assert_eq!(github["env"]["GITHUB_PERSONAL_ACCESS_TOKEN"], "ghp_PLANTEDSECRET");
    let restored = story.restore();
    assert_eq!((restored.entries, restored.failures.len()), (6, 0));
    assert!(restored.files.iter().all(|file| file.byte_for_byte));
    assert_eq!(story.config(), REAL);
    assert_eq!(story.read(".config/Claude/claude_desktop_config.json"), REAL_DESKTOP);
}

#[test]
fn byte_order_mark_and_line_ends_stay() {
    let crlf = format!("\u{feff}{}", REAL.replace('\n', "\r\n"));
    let story = Story::with(&crlf);
    assert_eq!(story.apply(), 4);
    let applied = story.config();
    assert!(applied.starts_with('\u{feff}'));
    assert_eq!(applied.matches('\n').count(), applied.matches("\r\n").count());
    story.restore();
    assert_eq!(story.config(), crlf);
}

#[test]
fn what_is_not_a_sound_configuration_is_left_alone_with_its_place() {
    let half = &REAL[..REAL.len() / 2];
    let long = "x".repeat(10);
    for (config, says) in [
        (half, "EOF while parsing"),
        ("", "line 1, column 1: the file is empty"),
        ("{\n  // mine\n  \"mcpServers\": {}\n}", "line 2, column 3"),
        (
            "{\"mcpServers\":{\"a\":{\"command\":\"x\"},\"a\":{\"command\":\"y\"}}}",
            "the key \"a\" occurs twice",
        ),
        (
            "{\"mcpServers\":{\"a\":{\"command\":\"x\"}},\"mcpServers\":{}}",
            "the key \"mcpServers\" occurs twice",
        ),
        ("{\"mcpServers\":[]}", "an object is needed here"),
        (&long, "line 1, column 1"),
    ] {
        let story = Story::with(config);
        let trouble = story.trouble();
        assert!(trouble.contains(says) && trouble.contains(".claude.json"), "{trouble}");
        assert_eq!(story.config(), config);
        assert!(!story.path(".claude.json.lock").exists());
    }
}

#[test]
fn equal_keys_elsewhere_stay() {
    let config = "{\"x\":1,\"x\":2,\"mcpServers\":{\"a\":{\"command\":\"y\",\"env\":{\"A\":\"1\",\"A\":\"2\"}}},\"x\":3}";
    let story = Story::with(config);
    assert_eq!(story.apply(), 1);
    assert_eq!(story.config().matches("\"x\":").count(), 3);
    assert!(story.config().contains("{\"A\":\"1\",\"A\":\"2\"}"));
    story.restore();
    assert_eq!(story.config(), config);
}

#[test]
fn a_read_only_home_is_named_and_nothing_changes() {
    let story = Story::with(REAL);
    let steward = Steward { disk: Arc::new(ReadOnly), ..story.steward.clone() };
    let applied = steward.apply().unwrap();
    let problem = applied[0].problem.as_ref().unwrap();
    assert_eq!(problem.code(), Some("config-unwritable"));
    assert!(problem.to_string().contains(".claude.json cannot be written"), "{problem}");
    assert_eq!(story.config(), REAL);
}

#[test]
fn a_running_desktop_app_is_waited_for() {
    let story = Story::new();
    story.write(".config/Claude/claude_desktop_config.json", REAL_DESKTOP);
    story.desktop_runs.store(true, Ordering::SeqCst);
    assert_eq!(story.apply(), 0);
    assert_eq!(story.read(".config/Claude/claude_desktop_config.json"), REAL_DESKTOP);
    story.desktop_runs.store(false, Ordering::SeqCst);
    assert_eq!(story.apply(), 2);
}

#[test]
fn a_guard_that_moved_is_put_right() {
    let story = Story::with(REAL);
    let old = Steward {
        guard: Guard { program: "/old/place/portreeve".into(), root: Some("/tmp/r".into()) },
        ..story.steward.clone()
    };
    old.apply().unwrap();
    assert!(story.config().contains("/old/place/portreeve"));
    assert_eq!(story.apply(), 4);
    assert!(!story.config().contains("/old/place") && !story.config().contains("--root"));
    let restored = story.restore();
    assert!(restored.files[0].byte_for_byte, "the chain of our own changes leads back to the original");
    assert_eq!(story.config(), REAL);
}

/// The steward and writers that keep Claude's lock protocol, all at once: nobody's work is lost.
#[test]
fn concurrent_writers_under_the_lock_lose_nothing() {
    let story = Story::with("{\"n\":[0,0,0],\"mcpServers\":{\"a\":{\"command\":\"x\"}},\"projects\":{}}");
    let config = story.path(".claude.json");
    let lock_times = story.steward.lock_times;
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let config = config.clone();
            scope.spawn(move || {
                for _ in 0..40 {
                    let _lock = claude_lock::ClaudeLock::take(&config, lock_times, &LocalDisk).unwrap();
                    let mut value: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
                    let count = value["n"][writer].as_u64().unwrap();
                    value["n"][writer] = (count + 1).into();
                    let beside = config.with_extension(format!("tmp.{writer}"));
                    fs::write(&beside, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
                    fs::rename(&beside, &config).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..15 {
                story.apply();
                story.restore();
            }
        });
    });
    assert_eq!(story.value()["n"], serde_json::json!([40, 40, 40]));
    assert_eq!(story.value()["mcpServers"]["a"]["command"], "x");
}

/// A writer that takes no lock: the steward never writes over bytes it has not seen.
#[test]
fn a_change_between_reading_and_writing_is_seen() {
    struct Meddling(PathBuf, AtomicBool);
    impl Disk for Meddling {
        fn make_folder(&self, path: &Path) -> io::Result<()> {
            LocalDisk.make_folder(path)
        }
        fn remove_folder(&self, path: &Path) -> io::Result<()> {
            LocalDisk.remove_folder(path)
        }
        fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            LocalDisk.append(path, bytes)
        }
        fn keep(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            LocalDisk.keep(path, bytes)
        }
        fn write_beside(&self, path: &Path, like: &Path, bytes: &[u8]) -> io::Result<()> {
            if !self.1.swap(true, Ordering::SeqCst) {
                fs::write(&self.0, "{\"new\":1,\"mcpServers\":{\"a\":{\"command\":\"x\"}}}")?;
            }
            LocalDisk.write_beside(path, like, bytes)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            LocalDisk.rename(from, to)
        }
        fn remove_file(&self, path: &Path) -> io::Result<()> {
            LocalDisk.remove_file(path)
        }
    }
    let story = Story::with("{\"mcpServers\":{\"a\":{\"command\":\"x\"}}}");
    let disk = Meddling(story.path(".claude.json"), AtomicBool::new(false));
    let steward = Steward { disk: Arc::new(disk), ..story.steward.clone() };
    steward.apply().unwrap();
    assert_eq!(story.value()["new"], 1);
    assert_eq!(story.value()["mcpServers"]["a"]["command"], PROGRAM);
    let left = fs::read_dir(&story.steward.home.path).unwrap().filter_map(Result::ok);
    let left: Vec<_> =
        left.map(|entry| entry.file_name()).filter(|name| name != ".claude" && name != ".config").collect();
    assert_eq!(left, [".claude.json"], "no temporary file stays");
}
