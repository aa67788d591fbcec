//! MCP's four lists: what they are called, and taking entries out of them with every other byte kept.
//!
//! Does not know who may see what: the caller says of each entry whether it stays.

use crate::edit::{Splice, apply};
use crate::members::Members;
use crate::message::{Message, range_in};
use serde_json::value::RawValue;
use thiserror::Error;

/// A list that a server has. All of them are paginated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum List {
    Tools,
    Prompts,
    Resources,
    ResourceTemplates,
}

/// What a `list_changed` notification is about. Resources and their templates share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    Tools,
    Prompts,
    Resources,
}

/// Some of the three kinds of [`Change`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub tools: bool,
    pub prompts: bool,
    pub resources: bool,
}

impl List {
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::ResourceTemplates];

    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::ResourceTemplates => "resources/templates/list",
        }
    }

    /// The member of the result that holds the entries.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
        }
    }

    /// The member of an entry by which requests name it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }

    #[must_use]
    pub fn change(self) -> Change {
        match self {
            Self::Tools => Change::Tools,
            Self::Prompts => Change::Prompts,
            Self::Resources | Self::ResourceTemplates => Change::Resources,
        }
    }
}

impl Change {
    pub const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// The server's capability, and the last word but one of the notification's method.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
        }
    }

    /// The member of a subscription's filter (2026-07-28).
    #[must_use]
    pub fn filter(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }
}

impl Changes {
    pub const ALL: Self = Self { tools: true, prompts: true, resources: true };

    /// Those that `is` says.
    pub fn where_so(mut is: impl FnMut(Change) -> bool) -> Self {
        Self { tools: is(Change::Tools), prompts: is(Change::Prompts), resources: is(Change::Resources) }
    }

    #[must_use]
    pub fn has(self, change: Change) -> bool {
        match change {
            Change::Tools => self.tools,
            Change::Prompts => self.prompts,
            Change::Resources => self.resources,
        }
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::where_so(|change| self.has(change) && other.has(change))
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub fn iter(self) -> impl Iterator<Item = Change> {
        Change::ALL.into_iter().filter(move |change| self.has(*change))
    }
}

/// Why a list cannot be filtered. It must not be shown then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    #[error("the answer is not a result with an object in it")]
    NoResult,
    #[error("`result.{0}` is not a list")]
    NoList(&'static str),
    #[error("the key {key:?} in `result` is not `{known}`, but some readers would take it for that")]
    Lookalike { key: String, known: &'static str },
}

/// A list with some entries taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filtered {
    /// The whole message. The original bytes where nothing was taken out.
    pub bytes: Vec<u8>,
    /// Names the server sent, with whether each was kept, in the server's order. Entries that could
    /// not be read have no name and are not among them.
    pub names: Vec<(String, bool)>,
    pub shown: u64,
    /// Taken out: by `keep`, or because the entry could not be read.
    pub hidden: u64,
}

/// Takes out of the list every entry that `keep` does not want, and every one that is not an object
/// with a string for its name. `keep` is told the name and the entry's own JSON text. A shared cache
/// must not serve what is left to others, so a `public` `cacheScope` (2026-07-28) becomes `private`
/// where something was taken out. The cursor is not touched: an empty page is not the end.
///
/// # Errors
/// The list itself cannot be read.
pub fn filter(
    message: Message,
    list: List,
    mut keep: impl FnMut(&str, &str) -> bool,
) -> Result<Filtered, Unreadable> {
    let text = message.text();
    let result = message.result().ok_or(Unreadable::NoResult)?;
    let members = Members::of(result).ok_or(Unreadable::NoResult)?;
    if let Some((key, known)) = members.lookalike(&[list.member(), "nextCursor", "cacheScope"]) {
        return Err(Unreadable::Lookalike { key, known });
    }
    let entries = members.get(list.member()).ok_or(Unreadable::NoList(list.member()))?;
    let items: Vec<&RawValue> =
        serde_json::from_str(entries).map_err(|_| Unreadable::NoList(list.member()))?;
    let mut names = Vec::with_capacity(items.len());
    let mut kept = Vec::with_capacity(items.len());
    for item in &items {
        let Some(name) = name_of(item.get(), list.key()) else { continue };
        let wanted = keep(&name, item.get());
        if wanted {
            kept.push(item.get());
        }
        names.push((name, wanted));
    }
    let shown = kept.len() as u64;
    let hidden = items.len() as u64 - shown;
    if hidden == 0 {
        return Ok(Filtered { bytes: message.into_bytes(), names, shown, hidden });
    }
    let mut splices = vec![Splice { at: range_in(text, entries), with: format!("[{}]", kept.join(",")) }];
    if members.string("cacheScope").as_deref() == Some("public")
        && let Some(scope) = members.get("cacheScope")
    {
        splices.push(Splice { at: range_in(text, scope), with: "\"private\"".to_owned() });
    }
    Ok(Filtered { bytes: apply(text, splices).into_bytes(), names, shown, hidden })
}

/// Every entry that has a name, with its own JSON text, in the server's order; nothing where the list
/// cannot be read.
#[must_use]
pub fn entries(message: &Message, list: List) -> Vec<(String, &str)> {
    let entries = message.result().and_then(Members::of).and_then(|result| result.get(list.member()));
    let items: Option<Vec<&RawValue>> = entries.and_then(|entries| serde_json::from_str(entries).ok());
    let named = |item: &'_ &RawValue| name_of(item.get(), list.key());
    items.unwrap_or_default().into_iter().filter_map(|item| Some((named(&item)?, item.get()))).collect()
}

/// The name of one entry, if every reader reads the same one.
fn name_of(json: &str, key: &'static str) -> Option<String> {
    let entry = Members::of(json)?;
    if entry.lookalike(&[key]).is_some() {
        return None;
    }
    entry.string(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn filtered(text: &str, keep: &[&str]) -> (String, u64, u64) {
        let it = filter(message(text), List::Tools, |name, _| keep.contains(&name)).unwrap();
        (String::from_utf8(it.bytes).unwrap(), it.shown, it.hidden)
    }

    #[test]
    fn only_the_hidden_tools_go_and_every_other_byte_stays() {
        let list = r#"{ "id":1, "jsonrpc":"2.0","result":{"x":50.0,"tools": [ {"name":"a","k":1e2} , {"name":"b"}, {"na\u006de":"\u0063"} ],"nextCursor":"","ttlMs":9007199254740993}, "y":[1 ]}"#;
        assert_eq!(filtered(list, &["a", "b", "c"]), (list.to_owned(), 3, 0));
        let without_b = list.replace(
            r#"[ {"name":"a","k":1e2} , {"name":"b"}, {"na\u006de":"\u0063"} ]"#,
            r#"[{"name":"a","k":1e2},{"na\u006de":"\u0063"}]"#,
        );
        assert_eq!(filtered(list, &["a", "c"]), (without_b, 2, 1));
        assert_eq!(filtered(list, &[]).1, 0);
    }

    #[test]
    fn each_list_has_its_own_member_and_key() {
        for (list, result, left) in [
            (List::Prompts, r#"{"prompts":[{"name":"a"},{"name":"b"}]}"#, r#"{"prompts":[{"name":"a"}]}"#),
            (
                List::Resources,
                r#"{"resources":[{"uri":"a","name":"b"},{"uri":"b","name":"a"}]}"#,
                r#"{"resources":[{"uri":"a","name":"b"}]}"#,
            ),
            (
                List::ResourceTemplates,
                r#"{"resourceTemplates":[{"uriTemplate":"a"},{"uri":"a"},{"uriTemplate":"b"}]}"#,
                r#"{"resourceTemplates":[{"uriTemplate":"a"}]}"#,
            ),
        ] {
            let frame = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            let it = filter(message(&frame(result)), list, |name, _| name == "a").unwrap();
            assert_eq!(String::from_utf8(it.bytes).unwrap(), frame(left));
            let elsewhere = message(&frame(r#"{"items":[]}"#));
            assert_eq!(filter(elsewhere, list, |_, _| true), Err(Unreadable::NoList(list.member())));
        }
    }

    #[test]
    fn whoever_decides_is_shown_the_whole_entry() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a", "description":"d"} ]}}"#;
        let mut seen = Vec::new();
        let _ = filter(message(text), List::Tools, |_, json| {
            seen.push(json.to_owned());
            true
        });
        assert_eq!(seen, [r#"{"name":"a", "description":"d"}"#]);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_hidden_even_from_who_may_see_all() {
        let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":7},"evil",null,{"title":"x"},{"name":"a","Name":"evil"},["name"]]}}"#;
        let it = filter(message(list), List::Tools, |_, _| true).unwrap();
        assert_eq!((it.shown, it.hidden), (1, 6));
        assert_eq!(it.bytes, br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_an_error() {
        for (result, why) in [
            (r#"{"tools":{"name":"a"}}"#, Unreadable::NoList("tools")),
            (r#"{"tools":null}"#, Unreadable::NoList("tools")),
            (r"{}", Unreadable::NoList("tools")),
            (r#"[{"name":"a"}]"#, Unreadable::NoResult),
            (
                r#"{"tools":[],"Tools":[{"name":"evil"}]}"#,
                Unreadable::Lookalike { key: "Tools".into(), known: "tools" },
            ),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            assert_eq!(filter(message(&text), List::Tools, |_, _| true).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn a_public_list_becomes_private_when_something_was_taken_out() {
        let list = r#"{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"public","tools":[{"name":"a"},{"name":"b"}],"resultType":"complete"}}"#;
        assert_eq!(filtered(list, &["a", "b"]).0, list);
        let private = r#"{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"private","tools":[{"name":"a"}],"resultType":"complete"}}"#;
        assert_eq!(filtered(list, &["a"]).0, private);
    }
}
