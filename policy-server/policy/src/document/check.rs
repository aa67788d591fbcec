//! What shapes alone cannot say: that names exist and are unique, and that values mean something.

use super::nearest::nearest_or_all;
use super::parse::Named;
use super::reader::{Reader, kind};
use super::{Grant, Role, Server, Test};
use crate::redaction::Redaction;
use crate::ruleset::RESERVED_RULES;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
use toml::Spanned;
use toml::de::DeValue;

pub(super) fn names(
    reader: &mut Reader<'_>,
    servers: &[Server],
    roles: &[Role],
    grants: &[Named<Grant>],
    tests: &[Named<Test>],
) {
    let server_names: BTreeSet<_> = servers.iter().map(|server| server.name.as_str()).collect();
    let role_names: BTreeSet<_> = roles.iter().map(|role| role.name.as_str()).collect();
    unique_matchers(reader, servers);
    breadth(reader, grants);
    grant_names(reader, grants);
    for grant in grants {
        let what = format!("grant `{}`", grant.item.name);
        known(reader, "role", &what, &grant.roles, &role_names);
        known(reader, "server", &what, &grant.servers, &server_names);
    }
    let rules: BTreeSet<_> =
        grants.iter().map(|grant| grant.item.name.as_str()).chain(RESERVED_RULES.iter().copied()).collect();
    for (index, test) in tests.iter().enumerate() {
        let what = format!("test {}", index + 1);
        let by_name: Vec<_> =
            test.servers.iter().filter(|server| !server.get_ref().contains(':')).cloned().collect();
        known(reader, "server", &what, &by_name, &server_names);
        known(reader, "rule", &what, test.rule.as_slice(), &rules);
    }
}

pub(super) fn redactions(
    reader: &mut Reader<'_>,
    servers: &[Server],
    roles: &[Role],
    redactions: &[Named<Redaction>],
) {
    /// Each session of each developer holds them compiled.
    const MOST_PATTERNS: usize = 200;
    let server_names = servers.iter().map(|server| server.name.as_str()).collect();
    let role_names = roles.iter().map(|role| role.name.as_str()).collect();
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut patterns = 0;
    for redaction in redactions {
        let (name, start) = (redaction.name.get_ref(), redaction.name.span().start);
        let what = format!("redaction `{name}`");
        spelling(reader, &what, name, start);
        if let Some(line) = first.insert(name, redaction.item.place.line) {
            reader.problem(
                start,
                format!("{what} is defined twice"),
                format!("the first stands in line {line}"),
            );
            first.insert(name, line);
        }
        known(reader, "role", &what, &redaction.roles, &role_names);
        known(reader, "server", &what, &redaction.servers, &server_names);
        let before = patterns;
        patterns += redaction.item.patterns.len();
        if before <= MOST_PATTERNS && patterns > MOST_PATTERNS {
            let message = format!("with {what} there are more than {MOST_PATTERNS} patterns");
            reader.problem(start, message, "join some by `|`");
        }
    }
}

fn known(reader: &mut Reader<'_>, word: &str, what: &str, names: &[Spanned<String>], known: &BTreeSet<&str>) {
    for name in names {
        if !known.contains(name.get_ref().as_str()) {
            let message = format!("unknown {word} `{}` in {what}", name.get_ref());
            let none = format!("the document defines no {word}s");
            let help = nearest_or_all(name.get_ref(), known.iter().copied(), none);
            reader.problem(name.span().start, message, help);
        }
    }
}

fn grant_names(reader: &mut Reader<'_>, grants: &[Named<Grant>]) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for grant in grants {
        let (name, start) = (grant.name.get_ref(), grant.name.span().start);
        spelling(reader, &format!("grant `{name}`"), name, start);
        if RESERVED_RULES.contains(&name.as_str()) {
            let message = format!("a grant cannot be named `{name}`");
            reader.problem(start, message, "the record uses this name for a rule of its own");
        }
        if let Some(line) = first.insert(name, grant.item.place.line) {
            let message = format!("grant `{name}` is defined twice");
            reader.problem(start, message, format!("the first stands in line {line}"));
            first.insert(name, line);
        }
    }
}

/// A grant speaks of each of its names for each role on each server, and the index of every session
/// holds them all.
fn breadth(reader: &mut Reader<'_>, grants: &[Named<Grant>]) {
    const MOST: usize = 1_000_000;
    let mut sum = 0_usize;
    for grant in grants {
        let each = grant
            .roles
            .len()
            .saturating_mul(grant.servers.len())
            .saturating_mul(grant.item.scope.patterns().count());
        let before = sum;
        sum = sum.saturating_add(each);
        if before <= MOST && sum > MOST {
            let message = format!("with grant `{}` the document is too broad", grant.item.name);
            let help = format!("roles times servers times names of all grants may be {MOST} at most");
            reader.problem(grant.name.span().start, message, help);
        }
    }
}

/// One literal identity belongs to one server, or it would depend on order which grants hold.
fn unique_matchers(reader: &mut Reader<'_>, servers: &[Server]) {
    let mut owner: HashMap<&str, &str> = HashMap::new();
    for server in servers {
        for matcher in &server.matches {
            if let Some(other) = owner.insert(matcher.as_str(), &server.name) {
                let message = if other == server.name {
                    format!("server `{other}` lists `{matcher}` twice")
                } else {
                    format!("servers `{other}` and `{}` both match `{matcher}`", server.name)
                };
                reader.problem_at(server.place, message, "an identity belongs to one server");
            }
        }
    }
}

/// Names go into the record, into Cedar and onto command lines: they stay plain.
pub(super) fn spelling(reader: &mut Reader<'_>, what: &str, name: &str, offset: usize) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        let help = "names are letters, digits, `.`, `_` and `-`";
        reader.problem(offset, format!("{what} has a name that cannot be used"), help);
    }
}

/// TOML's values as JSON arguments. There is no null in TOML, and a date has no JSON.
pub(super) fn json(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Value {
    let number = |reader: &mut Reader<'_>| {
        reader.problem(value.span().start, "this number cannot be an argument", "it is out of range");
        Value::Null
    };
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| number(reader), Value::from),
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(|| number(reader), Value::Number),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| json(reader, item)).collect()),
        DeValue::Table(table) => Value::Object(
            table.iter().map(|(key, item)| (key.get_ref().to_string(), json(reader, item))).collect(),
        ),
        DeValue::Datetime(_) => {
            let help = "arguments are JSON, which has no dates; write a string";
            reader.problem(value.span().start, "a date cannot be an argument", help);
            Value::Null
        }
    }
}

/// A TOML date and time with its offset.
pub(super) fn instant(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> OffsetDateTime {
    let parsed = match value.get_ref() {
        DeValue::Datetime(datetime) => offset_date_time(datetime),
        _ => None,
    };
    parsed.unwrap_or_else(|| {
        let message = format!("`now` is {}, not a date and time with its offset", kind(value.get_ref()));
        reader.problem(value.span().start, message, "for example: now = 2026-11-20T09:00:00Z");
        OffsetDateTime::UNIX_EPOCH
    })
}

fn offset_date_time(datetime: &toml::value::Datetime) -> Option<OffsetDateTime> {
    let (date, time) = (datetime.date?, datetime.time?);
    let minutes = match datetime.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i32::from(minutes),
    };
    let month = Month::try_from(date.month).ok()?;
    let date = Date::from_calendar_date(i32::from(date.year), month, date.day).ok()?;
    let time = Time::from_hms(time.hour, time.minute, time.second.unwrap_or(0)).ok()?;
    let offset = UtcOffset::from_whole_seconds(minutes * 60).ok()?;
    Some(date.with_time(time).assume_offset(offset))
}
