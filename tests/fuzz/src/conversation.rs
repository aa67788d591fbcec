//! A whole conversation under a policy that lets little be used: whatever is said, no reader finds
//! anything else in what reaches the server, and nothing that a server may not ask in what reaches the client.

use crate::lenient::{asked, input_requests, readings};
use gate::{Audit, Entry, Facts, Now, Receipt, Release, Session, Unrecordable};
use mcp::Line;
use policy::{Document, Ruleset, ServerIdentity, Standing};
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
resources = ["file:///safe/a"]
prompts = ["safe"]
client-features = ["elicitation"]
"#;

static RULES: LazyLock<Ruleset> = LazyLock::new(|| {
    let document = Document::parse(POLICY).expect("the policy above parses");
    Ruleset::compile(&document, &Standing::default(), 1, None).expect("and compiles")
});

struct Book;

impl Audit for Book {
    fn enter(&mut self, _: &[&Entry]) -> Result<Receipt, Unrecordable> {
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
            for (method, about) in readings(bytes).iter().flat_map(asked) {
                let may = match method.as_str() {
                    "tools/call" | "prompts/get" => about == "safe",
                    "resources/read" | "resources/subscribe" => about == "file:///safe/a",
                    _ => true,
                };
                assert!(may, "reached the server: {method} {about:?}");
            }
        }
        Release::ToClient(bytes) => {
            one_line(bytes);
            for reading in readings(bytes) {
                let methods = asked(&reading).into_iter().map(|(method, _)| method);
                for method in methods.chain(input_requests(&reading)) {
                    let refused = ["sampling/createmessage", "roots/list"];
                    assert!(!refused.contains(&method.as_str()), "reached the client: {method}");
                }
            }
        }
        Release::EachToClient(messages) => {
            for message in messages {
                check(&Release::ToClient(message.clone()));
            }
        }
        Release::Nothing => {}
    }
}

fn one_line(bytes: &[u8]) {
    assert!(memchr::memchr2(b'\n', b'\r', bytes).is_none(), "a message is one line");
}
