//! The shapes of the document: which keys there are, and what each may hold.

mod grant;
mod redact;
mod scope;
mod test;

use super::check;
use super::excerpt::Tables;
use super::reader::{Reader, Section, entries, kind};
use super::{Defaults, Document, Grant, MAX_DOCUMENT_BYTES, Place, Role, Server, Test};
use crate::decision::Mode;
use crate::identity::ServerIdentity;
use crate::matcher::{MemberPattern, ServerMatcher};
use crate::problem::Problem;
use crate::redaction::Redaction;
use crate::ruleset::{DefinitionsMode, DoorSettings, server_among};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("monitor", Mode::Monitor)];
const DEFINITIONS: &[(&str, DefinitionsMode)] =
    &[("hold", DefinitionsMode::Hold), ("report", DefinitionsMode::Report), ("off", DefinitionsMode::Off)];

/// A grant or test whose names still carry where they stand, for `check`.
pub(super) struct Named<T> {
    pub item: T,
    pub name: Spanned<String>,
    pub roles: Vec<Spanned<String>>,
    pub servers: Vec<Spanned<String>>,
    pub rule: Option<Spanned<String>>,
}

/// What there is one of, or what has a name.
struct Head {
    defaults: Defaults,
    door: DoorSettings,
    servers: Vec<Server>,
    roles: Vec<Role>,
}

/// What stands in lists of tables.
struct Lists {
    grants: Vec<Named<Grant>>,
    redactions: Vec<Named<Redaction>>,
    tests: Vec<Named<Test>>,
}

/// With a server, what is said of others is left unread: their grants and redactions, and the tests.
pub(super) fn document(text: &str, only: Option<&ServerIdentity>) -> Result<Document, Vec<Problem>> {
    if text.len() > MAX_DOCUMENT_BYTES {
        let message =
            format!("the document is larger than the {MAX_DOCUMENT_BYTES} bytes that machines take");
        let help = "name many tools by one pattern, and many members by one role".to_owned();
        return Err(vec![Problem { line: 1, column: 1, message, help }]);
    }
    match only.and_then(|identity| part(text, identity)) {
        Some(document) => Ok(document),
        None => whole(text, only),
    }
}

fn whole(text: &str, only: Option<&ServerIdentity>) -> Result<Document, Vec<Problem>> {
    let (root, faults) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text);
    if !faults.is_empty() {
        let single = single_brackets(&mut reader);
        for fault in faults {
            let offset = fault.span().map_or(0, |span| span.start);
            // Of one table that was meant to be many, every key is "duplicate".
            if !(single && fault.message() == "duplicate key") {
                reader.problem(offset, fault.message(), "this is not TOML");
            }
        }
        return Err(reader.into_problems().unwrap_or_default());
    }
    let root = section(&root);
    reader.only(&root, &["defaults", "door", "servers", "roles", "grants", "redact", "tests"]);
    let head = head(&mut reader, &root);
    let concerned = only.map(|identity| server_among(&head.servers, identity).unwrap_or_default());
    let lists = lists(&mut reader, &root, concerned);
    joined(reader, head, lists)
}

/// The same without reading most of a large document; `None` where that does not do.
fn part(text: &str, identity: &ServerIdentity) -> Option<Document> {
    let tables = Tables::of(text)?;
    let excerpt = tables.head();
    let (root, faults) = DeTable::parse_recoverable(&excerpt.text);
    let root = section(faults.is_empty().then_some(&root)?);
    let mut reader = Reader::of(&excerpt);
    reader.only(&root, &["defaults", "door", "servers", "roles"]);
    let head = head(&mut reader, &root);
    reader.into_problems().is_none().then_some(())?;

    let server = server_among(&head.servers, identity);
    let excerpt = tables.lists_of(server);
    let (root, faults) = DeTable::parse_recoverable(&excerpt.text);
    let root = section(faults.is_empty().then_some(&root)?);
    let mut reader = Reader::of(&excerpt);
    reader.only(&root, &["grants", "redact"]);
    let lists = lists(&mut reader, &root, Some(server.unwrap_or_default()));
    joined(reader, head, lists).ok()
}

fn section<'t>(root: &'t Spanned<DeTable<'t>>) -> Section<'t> {
    Section { table: root.get_ref(), what: "the document".to_owned(), span: 0..0 }
}

fn head(reader: &mut Reader<'_>, root: &Section<'_>) -> Head {
    Head {
        defaults: defaults(reader, root),
        door: door(reader, root),
        servers: named(reader, root, "servers", "server", server),
        roles: named(reader, root, "roles", "role", role),
    }
}

/// With a server, its own; with an empty name, nobody's.
fn lists(reader: &mut Reader<'_>, root: &Section<'_>, only: Option<&str>) -> Lists {
    let is_read = |table: &DeTable<'_>| only.is_none_or(|server| names_server(table, server));
    Lists {
        grants: listed(reader, root, "grants", "grant", is_read, grant::read),
        redactions: listed(reader, root, "redact", "redaction", is_read, redact::read),
        tests: listed(reader, root, "tests", "test", |_| only.is_none(), test::read),
    }
}

fn joined(mut reader: Reader<'_>, head: Head, lists: Lists) -> Result<Document, Vec<Problem>> {
    check::names(&mut reader, &head.servers, &head.roles, &lists.grants, &lists.tests);
    check::redactions(&mut reader, &head.servers, &head.roles, &lists.redactions);
    reader.into_problems().map_or(Ok(Document::of(head, lists)), Err)
}

impl Document {
    fn of(head: Head, lists: Lists) -> Self {
        let Head { defaults, door, servers, roles } = head;
        Self {
            defaults,
            door,
            servers,
            roles,
            grants: lists.grants.into_iter().map(|named| named.item).collect(),
            redactions: lists.redactions.into_iter().map(|named| named.item).collect(),
            tests: lists.tests.into_iter().map(|named| named.item).collect(),
        }
    }
}

/// `[grants]` where `[[grants]]` is meant: told once, at the first. Is there any?
fn single_brackets(reader: &mut Reader<'_>) -> bool {
    let mut found = false;
    for key in ["grants", "redact", "tests"] {
        let mut offset = 0;
        for line in reader.text().split_inclusive('\n') {
            let header = line.split('#').next().unwrap_or_default();
            if header.trim() == format!("[{key}]") {
                let message = format!("`[{key}]` is one table, and there are to be several");
                reader.problem(offset, message, format!("write [[{key}]] above each of them"));
                found = true;
                break;
            }
            offset += line.len();
        }
    }
    found
}

/// The tables of `[key.NAME]`.
fn named<T>(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    key: &str,
    word: &str,
    read: fn(&mut Reader<'_>, &Section<'_>, String, Place) -> T,
) -> Vec<T> {
    let Some(value) = root.table.get(key) else { return Vec::new() };
    let DeValue::Table(tables) = value.get_ref() else {
        let message = format!("`{key}` is {}, not tables", kind(value.get_ref()));
        reader.problem(value.span().start, message, format!("write `[{key}.NAME]`"));
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in entries(tables) {
        let what = format!("{word} `{}`", name.get_ref());
        check::spelling(reader, &what, name.get_ref(), name.span().start);
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("{what} is {}, not a table", kind(value.get_ref()));
            reader.problem(value.span().start, message, format!("write `[{key}.{}]`", name.get_ref()));
            continue;
        };
        let place = reader.place(name.span().start);
        let section = Section { table, what, span: name.span() };
        found.push(read(reader, &section, name.get_ref().to_string(), place));
    }
    found
}

/// Is this server among a grant's? What is no list of names is read, for its faults.
fn names_server(grant: &DeTable<'_>, server: &str) -> bool {
    let Some(DeValue::Array(names)) = grant.get("servers").map(Spanned::get_ref) else { return true };
    names.iter().any(|name| match name.get_ref() {
        DeValue::String(name) => name == server,
        _ => true,
    })
}

/// The tables of `[[key]]` that are to be read.
fn listed<T>(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    key: &str,
    word: &str,
    is_read: impl Fn(&DeTable<'_>) -> bool,
    read: fn(&mut Reader<'_>, &mut Section<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(value) = root.table.get(key) else { return Vec::new() };
    let help = format!("write `[[{key}]]`");
    let DeValue::Array(items) = value.get_ref() else {
        let message = format!("`{key}` is {}, not a list of tables", kind(value.get_ref()));
        reader.problem(value.span().start, message, help);
        return Vec::new();
    };
    let mut found = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let DeValue::Table(table) = item.get_ref() else {
            let message = format!("{word} {} is {}, not a table", index + 1, kind(item.get_ref()));
            reader.problem(item.span().start, message, help.clone());
            continue;
        };
        if !is_read(table) {
            continue;
        }
        let mut section = Section { table, what: format!("{word} {}", index + 1), span: item.span() };
        found.extend(read(reader, &mut section));
    }
    found
}

fn defaults(reader: &mut Reader<'_>, root: &Section<'_>) -> Defaults {
    let mut defaults = Defaults {
        mode: Mode::Monitor,
        contact: None,
        heal: true,
        hide: false,
        definitions: DefinitionsMode::Report,
    };
    let Some(section) = single(reader, root, "defaults") else { return defaults };
    reader.only(&section, &["mode", "contact", "heal", "hide", "definitions"]);
    defaults.mode = reader.choice(&section, "mode", MODES).unwrap_or(defaults.mode);
    defaults.contact = reader.words(&section, "contact").map(Spanned::into_inner);
    defaults.heal = reader.boolean(&section, "heal").unwrap_or(defaults.heal);
    defaults.hide = reader.boolean(&section, "hide").unwrap_or(defaults.hide);
    let definitions = reader.choice(&section, "definitions", DEFINITIONS);
    defaults.definitions = definitions.unwrap_or(defaults.definitions);
    defaults
}

fn door(reader: &mut Reader<'_>, root: &Section<'_>) -> DoorSettings {
    let door = DoorSettings::default();
    let Some(section) = single(reader, root, "door") else { return door };
    reader.only(&section, &["enabled", "https"]);
    DoorSettings {
        enabled: reader.boolean(&section, "enabled").unwrap_or(door.enabled),
        https: reader.boolean(&section, "https").unwrap_or(door.https),
    }
}

/// The one table `[key]`.
fn single<'t>(reader: &mut Reader<'_>, root: &Section<'t>, key: &str) -> Option<Section<'t>> {
    let value = root.table.get(key)?;
    let DeValue::Table(table) = value.get_ref() else {
        reader.problem(value.span().start, format!("`{key}` is not a table"), format!("write `[{key}]`"));
        return None;
    };
    Some(Section { table, what: format!("`[{key}]`"), span: value.span() })
}

fn server(reader: &mut Reader<'_>, section: &Section<'_>, name: String, place: Place) -> Server {
    reader.only(section, &["match", "mode", "definitions", "pins"]);
    reader.required(section, "match", "match = [\"npm:@scope/name\"]");
    let matches = each(reader, section, "match", ServerMatcher::parse);
    let mode = reader.choice(section, "mode", MODES);
    let definitions = reader.choice(section, "definitions", DEFINITIONS);
    Server { name, place, matches, mode, definitions, pins: pins(reader, section) }
}

/// `[servers.NAME.pins]`: a tool's name, which may be anything, and the digest of its definition.
fn pins(reader: &mut Reader<'_>, section: &Section<'_>) -> BTreeMap<String, String> {
    let Some(value) = section.table.get("pins") else { return BTreeMap::new() };
    let DeValue::Table(table) = value.get_ref() else {
        let message = format!("`pins` in {} is {}, not a table", section.what, kind(value.get_ref()));
        reader.problem(value.span().start, message, "write: pins = { TOOL = \"sha256:...\" }");
        return BTreeMap::new();
    };
    let inner = Section { table, what: format!("the pins of {}", section.what), span: value.span() };
    let mut pins = BTreeMap::new();
    for (tool, value) in entries(table) {
        let Some(digest) = reader.string(&inner, tool.get_ref()) else { continue };
        let digits = digest.get_ref().strip_prefix("sha256:").unwrap_or_default();
        if digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            pins.insert(tool.get_ref().to_string(), digest.into_inner());
        } else {
            let message = format!("bad pin of tool `{}` in {}", tool.get_ref(), section.what);
            let help = "a pin is `sha256:` and 64 digits in lower case, as `portreeve pins list` shows it";
            reader.problem(value.span().start, message, help);
        }
    }
    pins
}

fn role(reader: &mut Reader<'_>, section: &Section<'_>, name: String, place: Place) -> Role {
    reader.only(section, &["members", "mode"]);
    reader.required(section, "members", "members = [\"alice@acme.example\", \"*@acme.example\"]");
    let members = each(reader, section, "members", MemberPattern::parse);
    Role { name, place, members, mode: reader.choice(section, "mode", MODES) }
}

/// A list of strings, each read into a value or a fault.
fn each<T>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, (String, String)>,
) -> Vec<T> {
    let mut values = Vec::new();
    for text in reader.strings(section, key) {
        match read(text.get_ref()) {
            Ok(value) => values.push(value),
            Err((message, help)) => {
                reader.problem(text.span().start, format!("{message} in {}", section.what), help);
            }
        }
    }
    values
}

fn plain(texts: &[Spanned<String>]) -> Vec<String> {
    texts.iter().map(|text| text.get_ref().clone()).collect()
}

#[cfg(test)]
mod tests;
