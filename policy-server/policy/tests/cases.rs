//! Policy cases as data: every file in `tests/cases` is a document and what it must answer.

use policy::{Document, Feature, Mode, Outcome, Request, Ruleset, ServerIdentity, Standing, Verdict};
use serde::Deserialize;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    document: String,
    #[serde(default)]
    suspended: BTreeSet<String>,
    #[serde(default)]
    revoked: BTreeSet<String>,
    /// RFC 3339; when the policy's signatures run out.
    expires: Option<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    what: String,
    member: String,
    server: String,
    /// One of the five says what is asked for.
    tool: Option<String>,
    resource: Option<String>,
    prompt: Option<String>,
    client_feature: Option<String>,
    method: Option<String>,
    /// JSON text, as TOML has no null.
    args: Option<String>,
    #[serde(default)]
    device: String,
    #[serde(default)]
    client: String,
    now: Option<String>,
    expect: Verdict,
    rule: String,
    mode: Option<Mode>,
    outcome: Option<Outcome>,
    reason: Option<String>,
    contact: Option<String>,
    visible: Option<bool>,
}

#[test]
fn every_case_is_answered_as_its_file_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut failures = Vec::new();
    let mut count = 0;
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap()).expect(&name);
        let document =
            Document::parse(&file.document).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        if let Err(problems) = document.run_tests() {
            failures.extend(problems.iter().map(|problem| format!("{name}: {problem}")));
        }
        let standing = Standing { suspended_members: file.suspended, revoked_devices: file.revoked };
        let ruleset =
            Ruleset::compile(&document, &standing, 7, file.expires.as_deref().map(instant)).unwrap();
        for case in &file.cases {
            count += 1;
            failures.extend(differences(&ruleset, case).map(|text| format!("{name}: {}: {text}", case.what)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count >= paths.len() && !paths.is_empty(), "cases were read");
}

fn differences(ruleset: &Ruleset, case: &Case) -> Option<String> {
    let args = case.args.as_deref().map(|text| serde_json::from_str(text).expect(&case.what));
    let server = ServerIdentity::from_canonical(case.server.as_str());
    let asked = [&case.tool, &case.resource, &case.prompt, &case.client_feature, &case.method];
    let mut asked =
        Feature::ALL.into_iter().zip(asked).filter_map(|(feature, name)| Some((feature, name.as_deref()?)));
    let (feature, name) = asked.next().expect(&case.what);
    assert!(asked.next().is_none(), "{}", case.what);
    let request = Request {
        member: &case.member,
        device: &case.device,
        client: &case.client,
        server: &server,
        feature,
        name,
        arguments: args.as_ref(),
        now: case.now.as_deref().map_or(OffsetDateTime::UNIX_EPOCH, instant),
    };
    let got = ruleset.decide(&request);
    let visible = ruleset.visible(&request);
    let same = got.verdict == case.expect
        && got.rule == case.rule
        && case.mode.is_none_or(|mode| mode == got.mode)
        && case.outcome.is_none_or(|outcome| outcome == got.outcome())
        && case.reason.as_ref().is_none_or(|reason| *reason == got.reason)
        && case.contact.as_ref().is_none_or(|contact| Some(contact) == got.contact.as_ref())
        && case.visible.is_none_or(|expected| expected == visible);
    (!same).then(|| format!("got {got:?}, visible: {visible}"))
}

fn instant(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).expect("a time of RFC 3339")
}
