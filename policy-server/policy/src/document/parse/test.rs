//! `[[tests]]`.

use super::Named;
use crate::decision::{Feature, Verdict};
use crate::document::reader::{Reader, Section};
use crate::document::{Test, check};
use time::OffsetDateTime;
use toml::Spanned;

const EXPECTATIONS: &[(&str, Verdict)] = &[("allow", Verdict::Allow), ("refuse", Verdict::Refuse)];

pub(super) fn read(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Named<Test>> {
    let mut keys = vec!["member", "server", "args", "client", "device", "now", "expect", "rule"];
    keys.splice(2..2, Feature::ALL.map(Feature::key));
    reader.only(section, &keys);
    reader.required(section, "member", "member = \"alice@acme.example\"");
    reader.required(section, "server", "server = \"github\"");
    reader.required(section, "expect", "expect = \"allow\"");
    let member = reader.words(section, "member");
    let server = reader.words(section, "server");
    let asked = asked(reader, section);
    let args = section.table.get("args").map(|value| check::json(reader, value));
    let now = section.table.get("now").map(|value| check::instant(reader, value));
    let client = reader.string(section, "client").map(Spanned::into_inner);
    let device = reader.string(section, "device").map(Spanned::into_inner);
    let expect = reader.choice(section, "expect", EXPECTATIONS);
    let rule = reader.words(section, "rule");
    let (member, server, (feature, name), expect) = (member?, server?, asked?, expect?);
    let item = Test {
        place: reader.place(section.span.start),
        member: member.get_ref().clone(),
        server: server.get_ref().clone(),
        feature,
        name,
        args,
        client: client.unwrap_or_default(),
        device: device.unwrap_or_default(),
        now: now.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        expect,
        rule: rule.as_ref().map(|rule| rule.get_ref().clone()),
    };
    Some(Named { item, name: member, roles: Vec::new(), servers: vec![server], rule })
}

/// Exactly one of `tool`, `resource` …
fn asked(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<(Feature, String)> {
    let given: Vec<_> =
        Feature::ALL.into_iter().filter(|feature| section.table.contains_key(feature.key())).collect();
    match given[..] {
        [only] => Some((only, reader.string(section, only.key())?.into_inner())),
        [] => {
            reader.required(
                section,
                "tool",
                "tool = \"create_issue\"; or `resource`, `prompt`, `client-feature`, `method`",
            );
            None
        }
        [first, second, ..] => {
            let message =
                format!("{} asks for a {} and a {} at once", section.what, first.key(), second.key());
            reader.problem(section.span.start, message, "write a test for each");
            None
        }
    }
}
