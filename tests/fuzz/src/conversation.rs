//! A whole conversation under a policy that lets one tool be called: whatever is said, no reader finds
//! another call in what reaches the server, and no hidden tool in what reaches the client.

use crate::lenient;
use gate::{Audit, Entry, Facts, Now, Receipt, Release, Session, Unrecordable};
use mcp::Line;
use policy::{Document, Ruleset, ServerIdentity, Standing};
use serde_json::Value;
use std::sync::LazyLock;
use std::time::Duration;
use time::OffsetDateTime;

const POLICY: &str = r#"
[defaults]
mode = "enforce"
[servers.files]
match = ["npm:files"]
[roles.all]
members = ["*"]
[[grants]]
name = "safe"
roles = ["all"]
servers = ["files"]
tools = ["safe"]
"#;

static RULES: LazyLock<Ruleset> = LazyLock::new(|| {
    let document = Document::parse(POLICY).expect("the policy above parses");
    Ruleset::compile(&document, &Standing::default(), 1, None).expect("and compiles")
});

struct Book;

impl Audit for Book {
    fn enter(&mut self, _: &Entry) -> Result<Receipt, Unrecordable> {
        Ok(Receipt::assertion())
    }
}

/// Lines in turn; a line whose first byte is odd is the server's.
pub fn run(data: &[u8]) {
    let server = ServerIdentity::from_command("npx", &["-y".to_owned(), "files".to_owned()]);
    let mut session = Session::new(Facts { member: "a@b.c".into(), device: "d".into(), server });
    for (turn, line) in (0_u64..).zip(data.split(|byte| *byte == b'\n')) {
        let Some((side, line)) = line.split_first() else { continue };
        let now = Now { wall: OffsetDateTime::UNIX_EPOCH, monotonic: Duration::from_secs(turn) };
        let line = Line::Whole(line.to_vec());
        let judged = if side & 1 == 0 {
            session.from_client(line, &RULES, now)
        } else {
            session.from_server(line, &RULES, now)
        };
        judged.record(&mut Book).releases().iter().for_each(check);
    }
    let now = Now { wall: OffsetDateTime::UNIX_EPOCH, monotonic: Duration::from_secs(1_000_000) };
    for judged in session.server_gone("it ended", now) {
        judged.record(&mut Book).releases().iter().for_each(check);
    }
}

fn check(release: &Release) {
    match release {
        Release::ToServer(bytes) => {
            one_line(bytes);
            let calls = lenient::readings(bytes).iter().flat_map(lenient::calls).collect::<Vec<_>>();
            assert!(calls.iter().all(|name| name == "safe"), "reached the server: {calls:?}");
        }
        Release::ToClient(bytes) => {
            one_line(bytes);
            assert!(serde_json::from_slice::<Value>(bytes).is_ok() || bytes.iter().any(u8::is_ascii_digit));
        }
        Release::Nothing => {}
    }
}

fn one_line(bytes: &[u8]) {
    assert!(memchr::memchr2(b'\n', b'\r', bytes).is_none(), "a message is one line");
}
