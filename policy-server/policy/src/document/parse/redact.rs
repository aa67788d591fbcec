//! `[[redact]]`.

use super::{Named, each, plain, scope};
use crate::decision::Feature;
use crate::document::Effect;
use crate::document::reader::{Reader, Section};
use crate::redaction::{Direction, FieldPath, Redaction, TextPattern};
use toml::Spanned;

const DIRECTIONS: &[(&str, Direction)] =
    &[("arguments", Direction::Arguments), ("results", Direction::Results), ("both", Direction::Both)];
const MOST_WITH: usize = 200;
/// Fields, and patterns, of one rule.
const MOST_EACH: usize = 100;

pub(super) fn read(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Named<Redaction>> {
    reader.required(section, "name", "name = \"no-passwords\"");
    let name = reader.words(section, "name");
    if let Some(name) = &name {
        section.what = format!("redaction `{}`", name.get_ref());
        section.span = name.span();
    }
    let own = ["name", "roles", "servers", "in", "fields", "patterns", "secrets", "with"];
    let keys: Vec<_> = own.into_iter().chain(Feature::ALL.map(Feature::list)).collect();
    reader.only(section, &keys);
    let roles = reader.strings(section, "roles");
    let servers = reader.strings(section, "servers");
    let fields = bounded(reader, section, "fields", FieldPath::parse);
    let patterns = bounded(reader, section, "patterns", TextPattern::parse);
    let secrets = reader.boolean(section, "secrets").unwrap_or(false);
    if !["fields", "patterns", "secrets"].iter().any(|key| section.table.contains_key(*key)) {
        let message = format!("{} does not say what to take out", section.what);
        let help = "say `fields`, `patterns` or `secrets = true`; for example: fields = [\"**.password\"]";
        reader.problem(section.span.start, message, help);
    }
    // As a deny, it holds for everything where it lists nothing.
    let scope = scope::read(reader, section, Effect::Deny);
    let direction = reader.choice(section, "in", DIRECTIONS).unwrap_or(Direction::Both);
    let with = with(reader, section);
    let name = name?;
    let item = Redaction {
        name: name.get_ref().clone(),
        place: reader.place(name.span().start),
        roles: plain(&roles),
        servers: plain(&servers),
        scope,
        direction,
        fields,
        patterns,
        secrets,
        with,
    };
    Some(Named { item, name, roles, servers, rule: None })
}

fn bounded<T>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, (String, String)>,
) -> Vec<T> {
    let values = each(reader, section, key, read);
    if values.len() > MOST_EACH {
        let message = format!("{} has more than {MOST_EACH} {key}", section.what);
        reader.problem(section.span.start, message, "split it over several rules");
    }
    values
}

fn with(reader: &mut Reader<'_>, section: &Section<'_>) -> String {
    let Some(text) = reader.string(section, "with") else { return "[redacted]".to_owned() };
    if text.get_ref().len() > MOST_WITH
        || text.get_ref().chars().any(|c| c.is_control() || matches!(c, '"' | '\\'))
    {
        let message = format!("`with` in {} cannot be used", section.what);
        let help = format!(
            "write a word or a short sentence of {MOST_WITH} bytes at most, without quotation marks and backslashes"
        );
        reader.problem(text.span().start, message, help);
    }
    Spanned::into_inner(text)
}
