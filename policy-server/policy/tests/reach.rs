//! Which servers may be started at all.

use policy::{Document, Feature, Request, Ruleset, ServerIdentity, Standing};
use time::OffsetDateTime;

const TEXT: &str = r#"[defaults]
mode = "enforce"
contact = "it@acme.example"

[servers.files]
match = ["npm:files"]
[servers.web]
match = ["npm:web"]
[servers.shell]
match = ["npm:shell"]
[servers.mail]
match = ["npm:mail"]
[servers.trial]
match = ["npm:trial"]
mode = "monitor"

[roles.staff]
members = ["*@acme.example"]
[roles.admins]
members = ["ada@acme.example"]

[[grants]]
name = "files-at-work"
roles = ["staff"]
servers = ["files"]
tools = ["read_*"]
when = 'context.args has path'

[[grants]]
name = "admins-only"
roles = ["admins"]
servers = ["web"]
tools = ["fetch"]

[[grants]]
name = "shell"
roles = ["staff"]
servers = ["shell", "mail"]
tools = ["run_*", "list"]

[[grants]]
name = "no-running"
effect = "deny"
roles = ["staff"]
servers = ["shell"]
tools = ["run*"]

[[grants]]
name = "no-listing"
effect = "deny"
roles = ["staff"]
servers = ["shell"]
tools = ["li*"]
reason = "Shells are not for models."

[[grants]]
name = "no-running-in-mail"
effect = "deny"
roles = ["staff"]
servers = ["mail"]
tools = ["run_x*"]
"#;

fn refusal(rules: &Ruleset, member: &str, server: &str) -> Option<(String, String)> {
    let server = ServerIdentity::from_canonical(server);
    let now = OffsetDateTime::UNIX_EPOCH;
    let request = Request {
        member,
        device: "d-1",
        client: "",
        server: &server,
        feature: Feature::Tool,
        name: "",
        arguments: None,
        now,
    };
    let refusal =
        rules.server_refusal(&request).filter(|decision| decision.outcome() == policy::Outcome::Refused);
    assert_eq!(rules.reachable(&request), refusal.is_none());
    refusal.map(|decision| (decision.rule, decision.reason))
}

fn compiled(standing: &Standing, expires: Option<OffsetDateTime>) -> Ruleset {
    let document = Document::parse(TEXT).expect("it parses");
    Ruleset::compile(&document, standing, 1, expires).expect("it compiles")
}

#[test]
fn a_server_is_reachable_where_some_call_could_be_allowed() {
    let rules = compiled(&Standing::default(), None);
    for (member, server, rule) in [
        ("bob@acme.example", "npm:files", None),
        ("ada@acme.example", "npm:web", None),
        ("bob@acme.example", "npm:web", Some("default")),
        ("eve@other.example", "npm:files", Some("default")),
        ("bob@acme.example", "npm:shell", Some("no-listing")),
        ("bob@acme.example", "npm:mail", None),
        ("bob@acme.example", "npm:left-pad", Some("default")),
        ("bob@acme.example", "npm:trial", None),
        ("eve@other.example", "npm:trial", None),
    ] {
        let refused = refusal(&rules, member, server);
        assert_eq!(refused.as_ref().map(|(rule, _)| rule.as_str()), rule, "{member} {server}: {refused:?}");
    }
    let (_, reason) = refusal(&rules, "bob@acme.example", "npm:web").unwrap();
    assert_eq!(
        reason,
        "No rule of your organisation's policy lets bob@acme.example (staff) use anything of \"web\"."
    );
}

#[test]
fn whoever_has_left_reaches_nothing_even_in_monitor_mode() {
    let left = Standing { suspended_members: ["bob@acme.example".to_owned()].into(), ..Standing::default() };
    let revoked = Standing { revoked_devices: ["d-1".to_owned()].into(), ..Standing::default() };
    let past = Some(OffsetDateTime::UNIX_EPOCH);
    for (rules, rule) in [
        (compiled(&left, None), "member-suspended"),
        (compiled(&revoked, None), "device-revoked"),
        (compiled(&Standing::default(), past), "policy-expired"),
        (Ruleset::lockdown("There is none."), "lockdown"),
    ] {
        for server in ["npm:files", "npm:trial", "npm:left-pad"] {
            assert_eq!(refusal(&rules, "bob@acme.example", server).unwrap().0, rule);
        }
    }
}

#[test]
fn under_a_file_on_trial_the_sentences_speak_of_that_file() {
    let rules = compiled(&Standing::default(), None).of_file("/home/bob/policy.toml");
    let (_, unknown) = refusal(&rules, "bob@acme.example", "npm:left-pad").unwrap();
    assert!(
        unknown.contains("/home/bob/policy.toml") && unknown.contains("match = [\"npm:left-pad\"]"),
        "{unknown}"
    );
    let (_, nothing) = refusal(&rules, "bob@acme.example", "npm:web").unwrap();
    assert!(nothing.contains("No rule of /home/bob/policy.toml lets"), "{nothing}");
    assert!(!unknown.contains("organisation") && !nothing.contains("organisation"));
}
