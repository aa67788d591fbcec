//! A conversation on a stage: one session, one policy, a clock that is moved by hand, and a book
//! that keeps every entry. Speaks raw JSON text and reads answers with plain serde_json, so that the
//! oracle is not our own grammar.

use gate::{Audit, Entry, EntryKind, Facts, Judged, Now, Receipt, Recorded, Release, Session, Unrecordable};
use mcp::{Line, Splitter};
use policy::{Document, Ruleset, ServerIdentity, Standing};
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use time::macros::datetime;

/// `read_file` is for all; `write_file` in the work folder only; deleting is for admins. Files at work are
/// resources, but no secrets; of the client a server may ask folders and forms.
pub const POLICY: &str = r#"
[defaults]
mode = "enforce"
contact = "it@acme.example"

[servers.files]
match = ["npm:@modelcontextprotocol/server-filesystem"]

[roles.staff]
members = ["*"]

[[grants]]
name = "reading"
roles = ["staff"]
servers = ["files"]
tools = ["read_file", "list_*"]

[[grants]]
name = "writing-at-work"
roles = ["staff"]
servers = ["files"]
tools = ["write_file"]
when = 'context.args.path like "/work/*"'

[[grants]]
name = "no-deleting"
roles = ["staff"]
servers = ["files"]
tools = ["delete_*"]
effect = "deny"
reason = "Deleting files is for admins."
contact = "admins@acme.example"

[[grants]]
name = "work-files"
roles = ["staff"]
servers = ["files"]
resources = ["file:///work/*"]

[[grants]]
name = "no-secrets"
roles = ["staff"]
servers = ["files"]
resources = ["file:///work/secret/*"]
effect = "deny"
reason = "Secrets are for people."

[[grants]]
name = "reviews"
roles = ["staff"]
servers = ["files"]
prompts = ["review_*"]

[[grants]]
name = "kind-greetings"
roles = ["staff"]
servers = ["files"]
prompts = ["greet"]
when = 'context.args.tone == "kind"'

[[grants]]
name = "knowing-folders"
roles = ["staff"]
servers = ["files"]
client-features = ["roots"]

[[grants]]
name = "forms"
roles = ["staff"]
servers = ["files"]
client-features = ["elicitation"]
when = '!(context.args has mode) || context.args.mode == "form"'

[[grants]]
name = "no-wiping"
roles = ["staff"]
servers = ["files"]
methods = ["vendor/wipe*"]
effect = "deny"
"#;

pub struct Stage {
    pub session: Session,
    pub rules: Arc<Ruleset>,
    pub book: Book,
    clock: Duration,
}

#[derive(Default)]
pub struct Book {
    pub entries: Vec<Entry>,
    /// Why nothing more can be written, once that is so.
    pub full: Option<&'static str>,
    /// Entries that still fit, where that is not every one.
    pub room: Option<usize>,
    pub writes: usize,
}

impl Audit for Book {
    fn enter(&mut self, entries: &[&Entry]) -> Result<Receipt, Unrecordable> {
        if let Some(why) = self.full {
            return Err(Unrecordable(why.to_owned()));
        }
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(entries.len()).ok_or(Unrecordable("no room".to_owned()))?;
        }
        self.writes += 1;
        self.entries.extend(entries.iter().map(|entry| (*entry).clone()));
        Ok(Receipt::assertion())
    }
}

pub fn rules(text: &str, version: u64) -> Ruleset {
    compile(text, &Standing::default(), version)
}

pub fn compile(text: &str, standing: &Standing, version: u64) -> Ruleset {
    let document = Document::parse(text).expect("the test's policy parses");
    Ruleset::compile(&document, standing, version, None).expect("the test's policy compiles")
}

impl Stage {
    pub fn new() -> Self {
        static RULES: LazyLock<Arc<Ruleset>> = LazyLock::new(|| Arc::new(rules(POLICY, 7)));
        Self::under(Arc::clone(&RULES))
    }

    pub fn under(rules: impl Into<Arc<Ruleset>>) -> Self {
        let rules = rules.into();
        let server = ServerIdentity::from_command(
            "npx",
            &["-y".to_owned(), "@modelcontextprotocol/server-filesystem".to_owned(), "/work".to_owned()],
        );
        let facts = Facts { member: "alice@acme.example".to_owned(), device: "d-1".to_owned(), server };
        Self { session: Session::new(facts), rules, book: Book::default(), clock: Duration::from_secs(5) }
    }

    pub fn now(&self) -> Now {
        Now { wall: datetime!(2026-11-20 08:00 UTC), monotonic: self.clock }
    }

    pub fn wait(&mut self, time: Duration) {
        self.clock += time;
    }

    pub fn client(&mut self, text: &str) -> Release {
        self.client_line(Line::Whole(text.as_bytes().to_vec()))
    }

    pub fn client_line(&mut self, line: Line) -> Release {
        let judged = self.session.from_client(line, &self.rules, self.now());
        self.only(judged)
    }

    /// Lines that came by one read.
    pub fn client_together(&mut self, texts: &[&str]) -> Vec<Release> {
        let now = self.now();
        let judge = |text: &&str| {
            let line = Line::Whole(text.as_bytes().to_vec());
            self.session.from_client(line, &self.rules, now)
        };
        let judged = texts.iter().map(judge).collect();
        let recorded = Judged::record_together(judged, &mut self.book);
        recorded.into_iter().flat_map(Recorded::releases).filter(|one| *one != Release::Nothing).collect()
    }

    pub fn server(&mut self, text: &str) -> Release {
        self.server_line(Line::Whole(text.as_bytes().to_vec()))
    }

    pub fn server_line(&mut self, line: Line) -> Release {
        let judged = self.session.from_server(line, &self.rules, self.now());
        self.only(judged)
    }

    /// A batch from the client; what leaves for it to either side.
    pub fn client_batch(&mut self, text: &str) -> [Release; 2] {
        let line = Line::Whole(text.as_bytes().to_vec());
        self.session.from_client(line, &self.rules, self.now()).record(&mut self.book).releases()
    }

    pub fn server_batch(&mut self, text: &str) -> [Release; 2] {
        let line = Line::Whole(text.as_bytes().to_vec());
        self.session.from_server(line, &self.rules, self.now()).record(&mut self.book).releases()
    }

    fn only(&mut self, judged: Judged) -> Release {
        let [release, nothing] = judged.record(&mut self.book).releases();
        assert_eq!(nothing, Release::Nothing, "one message, one release");
        release
    }

    /// The client writes raw bytes; what leaves for each line of them.
    pub fn client_writes(&mut self, bytes: &[u8]) -> Vec<Release> {
        let mut splitter = Splitter::new(mcp::frame::MAX_MESSAGE_BYTES);
        splitter.feed(bytes);
        std::iter::from_fn(|| splitter.next_line()).map(|line| self.client_line(line)).collect()
    }

    pub fn policy_changes_to(&mut self, rules: Ruleset) -> Vec<Release> {
        self.rules = rules.into();
        let judged = self.session.policy_changed(&self.rules, self.now());
        self.record(judged)
    }

    pub fn server_dies(&mut self, why: &str) -> Vec<Release> {
        let judged = self.session.server_gone(why, self.now());
        self.record(judged)
    }

    fn record(&mut self, judged: Vec<Judged>) -> Vec<Release> {
        judged.into_iter().map(|judged| self.only(judged)).collect()
    }

    pub fn last(&self) -> &Entry {
        self.book.entries.last().expect("something is on record")
    }

    /// How many entries of the last list were shown and hidden.
    pub fn listed(&self) -> (u64, u64) {
        let listed = self.book.entries.iter().rev().find_map(|entry| match entry.kind {
            EntryKind::Listed { shown, hidden } => Some((shown, hidden)),
            _ => None,
        });
        listed.expect("a list is on record")
    }

    /// The codes of all malformed lines on record.
    pub fn malformed(&self) -> Vec<&str> {
        self.book
            .entries
            .iter()
            .filter_map(|entry| match &entry.kind {
                EntryKind::Malformed { code, .. } => Some(code.as_str()),
                _ => None,
            })
            .collect()
    }
}

/// A call as Claude Code writes it (2025-11-25).
pub fn call(id: u64, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{{"claudecode/toolUseId":"toolu_{id}","progressToken":{id}}}}},"jsonrpc":"2.0","id":{id}}}"#
    )
}

/// The same in 2026-07-28.
pub fn modern(id: &str, method: &str, params: &str) -> String {
    let comma = if params.is_empty() { "" } else { "," };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{comma}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}},"io.modelcontextprotocol/clientInfo":{{"name":"claude-code","version":"2.1.328"}}}}}}}}"#
    )
}

pub fn result(id: u64, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

pub fn to_server(text: &str) -> Release {
    Release::ToServer(text.as_bytes().to_vec().into())
}

pub fn to_client(text: &str) -> Release {
    Release::ToClient(text.as_bytes().to_vec().into())
}

/// Recorded arguments.
#[track_caller]
pub fn parsed(json: Option<&RawValue>) -> Value {
    serde_json::from_str(json.expect("arguments are on record").get()).expect("they are JSON")
}

/// The JSON that reached the client.
#[track_caller]
pub fn heard(release: &Release) -> Value {
    match release {
        Release::ToClient(bytes) => {
            assert!(!bytes.contains(&b'\n'), "one message is one line");
            serde_json::from_slice(bytes).expect("what the client hears is JSON")
        }
        other => panic!("nothing reached the client: {other:?}"),
    }
}

/// The code and sentence of the error that the request `id` was answered with.
#[track_caller]
pub fn error(release: &Release, id: &Value) -> (i64, String) {
    let answer = heard(release);
    assert_eq!(&answer["id"], id, "{answer}");
    assert!(answer.get("result").is_none(), "{answer}");
    let code = answer["error"]["code"].as_i64().expect("an error has a code");
    (code, answer["error"]["message"].as_str().expect("an error has a sentence").to_owned())
}
