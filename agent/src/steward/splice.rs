//! Changing a text at known places while every other byte stays.

use std::collections::HashSet;
use std::ops::Range;

use crate::clients::{Malformed, Node};

/// Replacements that do not overlap.
#[derive(Default)]
pub struct Splices(Vec<(Range<usize>, String)>);

impl Splices {
    pub fn replace(&mut self, span: Range<usize>, text: String) {
        self.0.push((span, text));
    }

    pub fn apply(mut self, text: &str) -> String {
        // At one place, what is inserted comes before what is taken away.
        self.0.sort_by_key(|(span, _)| (span.start, span.end));
        let mut result = String::with_capacity(text.len() + 1024);
        let mut copied = 0;
        for (span, replacement) in &self.0 {
            debug_assert!(copied <= span.start, "splices overlap");
            result.push_str(&text[copied..span.start]);
            result.push_str(replacement);
            copied = span.end;
        }
        result.push_str(&text[copied..]);
        result
    }

    /// Takes members out of an object and adds others at its end.
    pub fn edit_members(
        &mut self,
        object: Node<'_>,
        taken: &HashSet<&str>,
        added: &[(String, String)],
    ) -> Result<(), Malformed> {
        let members = object.members()?;
        let inside = object.span().start + 1..object.span().end - 1;
        let lead = lead(object, &members);
        let kept: Vec<usize> =
            (0..members.len()).filter(|index| !taken.contains(members[*index].key.as_str())).collect();
        let addition: Vec<String> =
            added.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
        let addition = addition.join(&separator(&lead));
        let Some((&first, &last)) = kept.first().zip(kept.last()) else {
            let tail = tail_of(object, &members, &lead);
            let text = if added.is_empty() { String::new() } else { format!("{lead}{addition}{tail}") };
            self.replace(inside, text);
            return Ok(());
        };
        if first > 0 {
            self.replace(members[0].key_start..members[first].key_start, String::new());
        }
        for pair in kept.windows(2).filter(|pair| pair[1] > pair[0] + 1) {
            self.replace(
                members[pair[0]].value.span().end..members[pair[1] - 1].value.span().end,
                String::new(),
            );
        }
        let end = members[last].value.span().end;
        if last + 1 < members.len() {
            self.replace(end..members[members.len() - 1].value.span().end, String::new());
        }
        if !added.is_empty() {
            self.replace(end..end, format!("{}{addition}", separator(&lead)));
        }
        Ok(())
    }
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What stands between two members, given the white space before the first.
pub fn separator(lead: &str) -> String {
    if lead.contains('\n') { format!(",{lead}") } else { ", ".to_owned() }
}

/// The white space between an object's brace and its first key; for an empty object what fits the
/// file's own indentation.
fn lead(object: Node<'_>, members: &[crate::clients::Member<'_>]) -> String {
    let whole = object.whole();
    if let Some(first) = members.first() {
        return whole[object.span().start + 1..first.key_start].to_owned();
    }
    match indentation(object) {
        Some((newline, indent, unit)) => format!("{newline}{indent}{unit}"),
        None => String::new(),
    }
}

/// The white space before the closing brace.
fn tail_of(object: Node<'_>, members: &[crate::clients::Member<'_>], lead: &str) -> String {
    match members.last() {
        Some(last) => object.whole()[last.value.span().end..object.span().end - 1].to_owned(),
        None if lead.contains('\n') => {
            indentation(object).map(|(newline, indent, _)| format!("{newline}{indent}")).unwrap_or_default()
        }
        None => String::new(),
    }
}

/// Line end, indentation of the line the object begins on, and the file's unit of indentation;
/// `None` for a file on one line.
fn indentation(object: Node<'_>) -> Option<(&str, &str, &str)> {
    let whole = object.whole();
    let newline = if whole.contains("\r\n") { "\r\n" } else { "\n" };
    let second_line = whole.split_inclusive('\n').nth(1)?;
    let blank = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let unit = match &second_line[..blank(second_line)] {
        "" => "  ",
        unit => unit,
    };
    let line_start = whole[..object.span().start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &whole[line_start..];
    Some((newline, &line[..blank(line)], unit))
}
