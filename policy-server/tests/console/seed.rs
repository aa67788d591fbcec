//! A week in the life of a made-up organisation, written through the server's own functions. Some of
//! it is hostile: what an agent, a developer or a tool can name is named with markup in it.

use contract::enrolment::Machine;
use contract::record::{Client, Fate, Phase, Record, Server, What};
use contract::report::{Coverage, CoveredServer, DeviceReport, Finding, Severity};
use policy::Outcome;
use policy_server::app::App;
use policy_server::author;
use policy_server::clock::now_ms;
use policy_server::enrolment::{NewToken, new_token};
use policy_server::members;
use policy_server::secret;
use policy_server::store::devices::NewDevice;
use policy_server::store::records::{ChainHead, NewRecord};
use uuid::Uuid;

pub const HOSTILE_TOOL: &str = "<script>alert(1)</script>";
pub const HOSTILE_HOST: &str = "<img src=x onerror=alert(1)>";
pub const POLICY: &str = include_str!("policy.toml");

const PEOPLE: [(&str, &str, &str, &str); 13] = [
    ("alice@acme.example", "alice-mbp", "macos", "15.6"),
    ("alice@acme.example", "alice-desk", "linux", "6.12"),
    ("bruno@acme.example", "bruno-mbp", "macos", "15.6"),
    ("chiara@acme.example", "chiara-t14", "linux", "6.12"),
    ("dmitri@acme.example", "dmitri-win", "windows", "11 24H2"),
    ("emeka@acme.example", "emeka-mbp", "macos", "14.7"),
    ("fatima@acme.example", "fatima-air", "macos", "15.6"),
    ("goran@acme.example", "goran-dev", "linux", "6.8"),
    ("hanna@acme.example", "hanna-win", "windows", "11 24H2"),
    ("ines@acme.example", "ines-mbp", "macos", "15.6"),
    ("jonas@contractor.example", "jonas-x1", "linux", "6.12"),
    ("kavya@acme.example", "kavya-mbp", "macos", "15.6"),
    ("mallory@acme.example", HOSTILE_HOST, "linux", "6.12"),
];

const TOOLS: [(&str, &str, &str, &str); 6] = [
    ("everything", "npm:@modelcontextprotocol/server-everything@2026.1.26", "echo", r#"{"message":"hello"}"#),
    ("everything", "npm:@modelcontextprotocol/server-everything@2026.1.26", "get-sum", r#"{"a":40,"b":2}"#),
    (
        "files",
        "npm:@modelcontextprotocol/server-filesystem@2026.1.14",
        "read_text_file",
        r#"{"path":"/srv/reports/q3.csv","head":40}"#,
    ),
    (
        "files",
        "npm:@modelcontextprotocol/server-filesystem@2026.1.14",
        "write_file",
        r#"{"path":"/etc/hosts","content":"127.0.0.1 localhost\n"}"#,
    ),
    (
        "issues",
        "https://issues.acme.example/mcp",
        "create_issue",
        r#"{"title":"Flaky test in billing","labels":["ci","flaky"],"assignee":null}"#,
    ),
    ("deploy", "exec:/opt/acme/deploy-mcp", "deploy", r#"{"service":"billing","environment":"production"}"#),
];

/// Fills an installation. Gives the device ids, in the order of `PEOPLE`.
pub async fn fill(app: &App) -> Vec<String> {
    publish(app, 1, POLICY, "Engineering may read; production deploys need release").await;
    let later = POLICY.replace("head = 200", "head = 500");
    publish(app, 2, &later, "Longer reads for the data team").await;
    let wanted =
        NewToken { any_member: true, uses: 50, expires_in_seconds: 30 * 86_400, ..NewToken::default() };
    let made = new_token(app, "admin", &wanted).await.unwrap();
    let token = secret::hash(&made.profile.enrolment_token);
    let mut ids = Vec::new();
    for (i, (member, host, os, version)) in PEOPLE.iter().enumerate() {
        let id = enrol(app, &token, member, host, os, version).await;
        app.store.save_report(&id, &report(i, host, os, version)).await.unwrap();
        records(app, i, member, &id).await;
        ids.push(id);
    }
    alerts(app, &ids).await;
    app.store.set_dark(&ids[7], true).await.unwrap();
    members::revoke_device(app, "admin", &ids[11]).await.unwrap();
    ids
}

async fn publish(app: &App, base: u64, text: &str, note: &str) {
    author::publish(app, "admin", text, note, base).await.unwrap();
}

async fn enrol(app: &App, token: &[u8], member: &str, host: &str, os: &str, version: &str) -> String {
    let id = Uuid::now_v7().to_string();
    let machine = machine(host, os, version);
    let device =
        NewDevice { id: &id, member, machine: &machine, certificate_expires_ms: now_ms() + 86_400_000 };
    assert!(app.store.enrol(token, &device).await.unwrap());
    id
}

fn machine(host: &str, os: &str, version: &str) -> Machine {
    Machine {
        hostname: host.into(),
        os: os.into(),
        os_version: version.into(),
        agent_version: "0.1.0".into(),
    }
}

fn report(i: usize, host: &str, os: &str, version: &str) -> DeviceReport {
    let covered = |entry: &str, identity: &str, why: &str| CoveredServer {
        client: if entry == "issues" { "claude-desktop" } else { "claude-code" }.into(),
        scope: if entry == "deploy" { "project" } else { "user" }.into(),
        project: if entry == "deploy" { "/home/dev/billing".into() } else { String::new() },
        entry: entry.into(),
        identity: identity.into(),
        governed: why.is_empty(),
        why: why.into(),
    };
    let mut servers: Vec<_> =
        TOOLS.iter().step_by(2).map(|(entry, identity, ..)| covered(entry, identity, "")).collect();
    let mut findings = Vec::new();
    if i == 4 {
        servers.push(covered(
            "scratch",
            "exec:C:\\tools\\scratch.exe",
            "The configuration file is read-only.",
        ));
        findings.push(finding(
            "config-unwritable",
            Severity::Warning,
            "claude-code/user",
            "The file C:\\Users\\dmitri\\.claude.json cannot be written: access is denied.",
        ));
    }
    if i == 12 {
        servers.push(covered(HOSTILE_TOOL, "npm:<b>bold</b>", "It was added a moment ago & not healed yet."));
    }
    DeviceReport {
        machine: machine(host, os, version),
        policy_version: if i == 7 { 2 } else { 3 },
        policy_refused: None,
        spool_depth: if i == 7 { 1_204 } else { 0 },
        coverage: Coverage { servers },
        findings,
    }
}

fn finding(code: &str, severity: Severity, subject: &str, detail: &str) -> Finding {
    Finding {
        code: code.into(),
        severity,
        subject: subject.into(),
        detail: detail.into(),
        healed: false,
        since_ms: now_ms() - 3_600_000,
    }
}

async fn alerts(app: &App, ids: &[String]) {
    use policy_server::store::alerts::NewAlert;
    let raise = |code, severity, i: usize, subject, detail| NewAlert {
        code,
        severity,
        device: &ids[i],
        member: PEOPLE[i].0,
        subject,
        detail,
        since_ms: now_ms() - 240_000,
    };
    let all = [
        raise(
            "device-dark",
            Severity::Warning,
            7,
            "goran-dev",
            "goran-dev of goran@acme.example has not been heard of for 94 seconds: it is switched off, off the network, or its resident was stopped.",
        ),
        raise(
            "entry-direct",
            Severity::Critical,
            12,
            HOSTILE_TOOL,
            "The entry <script>alert(1)</script> in ~/.claude.json runs npm:<b>bold</b> directly.",
        ),
        raise(
            "config-unwritable",
            Severity::Warning,
            4,
            "claude-code/user",
            "The file C:\\Users\\dmitri\\.claude.json cannot be written: access is denied.",
        ),
    ];
    for alert in &all {
        app.store.raise_alert(alert).await.unwrap();
    }
    let healed = raise(
        "entry-unwrapped",
        Severity::Warning,
        2,
        "claude-code/user/files",
        "The entry files was put back by hand; the agent put it behind the guard again.",
    );
    app.store.record_healed(&healed).await.unwrap();
}

/// Forty calls of one device over the last day, most of them in working hours, each with its outcome.
async fn records(app: &App, i: usize, member: &str, device: &str) {
    let (run, now) = (Uuid::now_v7(), now_ms());
    let mut seq = 0;
    let mut all = Vec::new();
    for n in 0..40_u64 {
        let (entry, identity, tool, arguments) = TOOLS[(usize::try_from(n).unwrap() * 7 + i) % TOOLS.len()];
        let tool = if i == 12 && n % 10 == 0 { HOSTILE_TOOL } else { tool };
        let hours_ago = (n * n * 13 + i as u64 * 5) % 24;
        let time_ms = now - i64::try_from(hours_ago * 3_600_000 + (n * 61_000) % 3_500_000).unwrap();
        let decision = decision(tool, n);
        let whole = |what| Record {
            id: Uuid::now_v7(),
            time_ms,
            run,
            seq: 0,
            member: member.into(),
            device: device.into(),
            os_user: member.split('@').next().unwrap().into(),
            client: Client {
                name: "claude-code".into(),
                version: "2.1.4".into(),
                session: Some("0b6e".into()),
                door: None,
            },
            server: Server { identity: identity.into(), entry: entry.into(), catalogue: Some(entry.into()) },
            what,
        };
        all.push(whole(What::Call {
            method: "tools/call".into(),
            tool: Some(tool.into()),
            call: n + 1,
            tool_use_id: Some(format!("toolu_{n:04}")),
            arguments: Some(serde_json::value::RawValue::from_string(arguments.into()).unwrap()),
            beyond: None,
            decision,
            rule: if decision == Outcome::Allowed { "read".into() } else { "default".into() },
            reason: "No grant of your organisation's policy lets engineering call this.".into(),
            policy_version: 3,
            redacted: 0,
            round: None,
        }));
        if decision != Outcome::Refused {
            all.push(whole(What::Outcome {
                method: "tools/call".into(),
                tool: Some(tool.into()),
                call: n + 1,
                tool_use_id: None,
                fate: if n % 17 == 3 { Fate::ToolError } else { Fate::Ok },
                duration_us: 900 + n * n * 310,
                bytes: 120 + n * 977,
                redacted: 0,
                round: None,
            }));
        }
    }
    for record in &mut all {
        seq += 1;
        record.seq = seq;
    }
    append(app, device, &all).await;
}

fn decision(tool: &str, n: u64) -> Outcome {
    match tool {
        "write_file" | HOSTILE_TOOL => Outcome::Refused,
        "deploy" if n.is_multiple_of(2) => Outcome::WouldRefuse,
        _ => Outcome::Allowed,
    }
}

/// A server that fell over, and notices of which something was taken out; the records' ids.
pub async fn turns(app: &App, device: &str) -> [Uuid; 2] {
    let run = Uuid::now_v7();
    let whole = |seq, what| Record {
        id: Uuid::now_v7(),
        time_ms: now_ms(),
        run,
        seq,
        member: PEOPLE[0].0.into(),
        device: device.into(),
        os_user: "alice".into(),
        client: Client::default(),
        server: Server { identity: "npm:@acme/files".into(), ..Server::default() },
        what,
    };
    let why = "the server `files` ended (exit status: 3)".to_owned();
    let method = "notifications/message".to_owned();
    let records = [
        whole(1, What::Restart { phase: Phase::Ended, why, exit: Some(3) }),
        whole(2, What::Redacted { method, from_client: false, messages: 40, redacted: 41 }),
    ];
    append(app, device, &records).await;
    records.map(|record| record.id)
}

async fn append(app: &App, device: &str, records: &[Record]) {
    let texts: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let mut head = contract::record::START;
    let rows: Vec<NewRecord<'_>> = records
        .iter()
        .zip(&texts)
        .zip(1..)
        .map(|((record, json), n)| {
            head = contract::record::link(&head, json.as_bytes());
            row(record, json, n, head)
        })
        .collect();
    let before = ChainHead { through: 0, head: contract::record::START };
    let after = ChainHead { through: rows.len() as u64, head };
    assert!(app.store.append_records(device, Uuid::now_v7(), &before, &after, &rows).await.unwrap());
}

fn row<'a>(record: &'a Record, json: &'a str, chain_seq: u64, link: [u8; 32]) -> NewRecord<'a> {
    let (tool, kind, decision, call) = match &record.what {
        What::Call { tool, decision, call, .. } => (tool.as_deref(), "call", Some(*decision), Some(*call)),
        What::Outcome { tool, call, .. } => (tool.as_deref(), "outcome", None, Some(*call)),
        What::Restart { .. } => (None, "restart", None, None),
        What::Redacted { .. } => (None, "redacted", None, None),
        _ => (None, "other", None, None),
    };
    NewRecord {
        id: record.id,
        chain_seq,
        link,
        time_ms: record.time_ms,
        member: &record.member,
        device: &record.device,
        server: &record.server.identity,
        tool,
        kind,
        decision: decision.map(|decision| match decision {
            Outcome::Allowed => "allowed",
            Outcome::Refused => "refused",
            Outcome::WouldRefuse => "would-refuse",
        }),
        run: record.run,
        seq: Some(record.seq),
        call,
        json,
    }
}
