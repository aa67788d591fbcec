//! `[[grants]]`.

use super::{Named, plain, scope};
use crate::condition::Condition;
use crate::decision::Feature;
use crate::document::place::offset_in_literal;
use crate::document::reader::{Reader, Section};
use crate::document::{Effect, Grant};
use toml::Spanned;

const EFFECTS: &[(&str, Effect)] = &[("allow", Effect::Allow), ("deny", Effect::Deny)];

pub(super) fn read(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Named<Grant>> {
    reader.required(section, "name", "name = \"triage\"");
    let name = reader.words(section, "name");
    if let Some(name) = &name {
        section.what = format!("grant `{}`", name.get_ref());
        section.span = name.span();
    }
    let mut keys = vec!["name", "roles", "servers", "when", "effect", "reason", "contact"];
    keys.splice(3..3, Feature::ALL.map(Feature::list));
    reader.only(section, &keys);
    reader.required(section, "roles", "roles = [\"engineering\"]");
    reader.required(section, "servers", "servers = [\"github\"]");
    let roles = reader.strings(section, "roles");
    let servers = reader.strings(section, "servers");
    let effect = reader.choice(section, "effect", EFFECTS).unwrap_or(Effect::Allow);
    let scope = scope::read(reader, section, effect);
    let when = reader.words(section, "when").and_then(|text| condition(reader, section, &text, effect));
    let reason = reader.words(section, "reason").map(Spanned::into_inner);
    let contact = reader.words(section, "contact").map(Spanned::into_inner);
    let name = name?;
    let item = Grant {
        name: name.get_ref().clone(),
        place: reader.place(name.span().start),
        roles: plain(&roles),
        servers: plain(&servers),
        scope,
        when,
        effect,
        reason,
        contact,
    };
    Some(Named { item, name, roles, servers, rule: None })
}

fn condition(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    text: &Spanned<String>,
    effect: Effect,
) -> Option<Condition> {
    match Condition::parse(text.get_ref(), effect) {
        Ok(condition) => Some(condition),
        Err(faults) => {
            for fault in faults {
                let offset = offset_in_literal(reader.text(), &text.span(), fault.offset);
                let message = format!("the condition of {} {}", section.what, fault.message);
                reader.problem(offset, message, fault.help);
            }
            None
        }
    }
}
