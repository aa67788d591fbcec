use super::*;
use crate::pins::{HeldBack, Unreadable};
use crate::resident::status::{Connection, PolicyInForce, ResidentSince};
use contract::report::{CoveredServer, PolicyRefused};
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

fn healthy() -> Status {
    Status {
        agent_version: "0.1.0".to_owned(),
        resident: Some(ResidentSince { pid: 7, since: NOW - time::Duration::hours(3) }),
        enrolled: Some(EnrolledAs {
            member: "alice@acme.example".to_owned(),
            device: "d1".to_owned(),
            organisation: "acme".to_owned(),
            server: "https://p.acme.example/".to_owned(),
            certificate_until: None,
        }),
        connection: Some(Connection {
            last_contact_ms: Some(i64::try_from(NOW.unix_timestamp_nanos() / 1_000_000).unwrap() - 4000),
            trouble: None,
        }),
        policy: Some(PolicyInForce {
            version: 12,
            mode: Mode::Enforce,
            adopted_at: NOW - time::Duration::minutes(5),
            expires: NOW + time::Duration::days(11),
        }),
        access_ended: None,
        policy_refused: None,
        heals: true,
        coverage: Some(Coverage { servers: vec![server("github", true), server("jira", true)] }),
        spool_depth: Some(0),
        waiting_in_segments: 0,
        last_refusal: None,
        findings: Vec::new(),
    }
}

fn server(entry: &str, governed: bool) -> CoveredServer {
    CoveredServer {
        client: "claude-code".to_owned(),
        scope: "user".to_owned(),
        project: String::new(),
        entry: entry.to_owned(),
        identity: format!("npm:{entry}"),
        governed,
        why: if governed { String::new() } else { "signs in with OAuth".to_owned() },
    }
}

fn said(status: &Status) -> Vec<String> {
    said_with(status, &Standing::default())
}

fn said_with(status: &Status, pins: &Standing) -> Vec<String> {
    lines(status, pins, None, NOW)
        .into_iter()
        .flat_map(|line| std::iter::once(format!("{}: {}", line.label, line.text)).chain(line.more))
        .collect()
}

#[test]
fn a_healthy_machine_in_ten_lines() {
    assert_eq!(
        said(&healthy()),
        [
            "enrolled: as alice@acme.example, device d1 of acme",
            "server: https://p.acme.example, last contact 4 s ago",
            "policy: version 12, adopted 5 min ago, good for another 11 days",
            "mode: enforce: what no rule allows is refused",
            "servers: 2 of 2 governed",
            "records: 0 on their way to the server",
            "resident: running since 2026-11-20 09:00:00 UTC (3 h), pid 7",
            "refusal: none",
            "findings: none",
            "agent: portreeve 0.1.0",
        ]
    );
}

#[test]
fn a_server_that_does_not_work_has_a_line_and_the_others_none() {
    let now = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(60);
    assert!(failing(&[], now).is_none());
    let given_up = Failing {
        name: "files".to_owned(),
        identity: "npm:files".to_owned(),
        why: "the server `npx` ended; it has ended 4 times now".to_owned(),
        at_ms: 57_000,
    };
    let line = failing(&[given_up], now).unwrap();
    assert_eq!(line.text, "1 server does not work; `portreeve status --server files` says more");
    assert_eq!(line.more, ["files (the server `npx` ended; it has ended 4 times now), 3 s ago"]);
}

#[test]
fn definitions_have_a_line_where_there_is_something_to_say_and_no_other() {
    let held = |server: &str, names: &[&str]| HeldBack {
        server: server.to_owned(),
        definitions: names.iter().map(|name| format!("tool {name}")).collect(),
    };
    let unreadable = Unreadable {
        path: "/p".to_owned(),
        server: Some("npm:c".to_owned()),
        why: "/p holds no pins: torn; `portreeve pins forget --server npm:c` begins anew".to_owned(),
    };
    let mut pins =
        Standing { held: vec![held("npm:a", &["x", "y"]), held("npm:b", &["z"])], unreadable: Vec::new() };
    let told = said_with(&healthy(), &pins);
    assert_eq!(told.len(), said(&healthy()).len() + 3);
    assert!(
        told.contains(
            &"pins: 3 definitions are held back; `portreeve pins diff` shows what changed".to_owned()
        )
    );
    assert!(told.contains(&"npm:a: tool x, tool y".to_owned()));
    pins = Standing { held: Vec::new(), unreadable: vec![unreadable] };
    let told = said_with(&healthy(), &pins).join("\n");
    for part in ["pins: some pins cannot be read", "portreeve doctor", "pins forget --server npm:c"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

type Case = (fn(&mut Status), &'static str);

#[test]
fn every_trouble_is_said_in_its_line() {
    let with = |change: fn(&mut Status)| {
        let mut status = healthy();
        change(&mut status);
        said(&status).join("\n")
    };
    let cases: [Case; 10] = [
        (
            |s| {
                s.enrolled = None;
                let why = crate::steward::Standing::Direct.why();
                s.coverage.as_mut().unwrap().servers.push(CoveredServer { why, ..server("direct", false) });
            },
            "direct: goes around the guard; `portreeve enroll && portreeve configs apply` puts",
        ),
        (|s| s.enrolled = None, "enrolled: no; `portreeve enroll`"),
        (|s| s.resident = None, "resident: not running; this is from disk"),
        (|s| s.connection = None, "the last contact is known to the resident only"),
        (|s| s.policy = None, "policy: none in force: everything is refused"),
        (|s| s.policy.as_mut().unwrap().expires = NOW, "mode: locked"),
        (
            |s| s.coverage.as_mut().unwrap().servers.push(server("linear", false)),
            "servers: 2 of 3 governed\nclaude-code/user/linear: signs in with OAuth",
        ),
        (|s| s.spool_depth = Some(3), "records: 3 on their way"),
        (|s| s.waiting_in_segments = 2, "2 with guards, safe on disk"),
        (
            |s| s.policy_refused = Some(PolicyRefused { code: "forged".to_owned(), detail: "no".to_owned() }),
            "a newer one was refused (forged): no",
        ),
    ];
    for (change, expected) in cases {
        let found = with(change);
        assert!(found.contains(expected), "{expected:?} is not in:\n{found}");
    }
}

#[test]
fn whoever_has_left_reads_that_first() {
    let mut status = healthy();
    status.access_ended = Some(AccessEnded {
        whose: "alice@acme.example".to_owned(),
        contact: Some("it@acme.example".to_owned()),
    });
    let said = said(&status);
    assert_eq!(
        said[0],
        "access: of alice@acme.example was ended by your organisation; every call is refused; ask it@acme.example"
    );
    assert!(said.contains(&"mode: locked: every call is refused".to_owned()), "{said:?}");
    assert_eq!(
        crate::commands::status::exit(&status, &Standing::default(), &[], NOW),
        crate::out::Exit::Problems
    );
    assert_eq!(
        crate::commands::status::exit(&healthy(), &Standing::default(), &[], NOW),
        crate::out::Exit::Done
    );
}
