//! Reading TOML tables key by key, so that every fault is found in one go and none stops the rest.
//!
//! serde's derive would stop at the first fault and could not say which key was meant.

use super::excerpt::Excerpt;
use super::nearest::nearest_or_all;
use super::place::{Lines, Place};
use crate::problem::Problem;
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, de::DeString};

/// A table with the words for it in a sentence: ``grant `triage` ``.
pub(super) struct Section<'t> {
    pub table: &'t DeTable<'t>,
    pub what: String,
    pub span: Range<usize>,
}

pub(super) struct Reader<'t> {
    lines: Lines<'t>,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { lines: Lines::of(text), problems: Vec::new() }
    }

    /// Places are those in the whole document.
    pub fn of(excerpt: &'t Excerpt) -> Self {
        Self { lines: Lines::of(&excerpt.text).without(&excerpt.left_out), problems: Vec::new() }
    }

    pub fn text(&self) -> &'t str {
        self.lines.text()
    }

    pub fn place(&self, offset: usize) -> Place {
        self.lines.place(offset)
    }

    pub fn problem(&mut self, offset: usize, message: impl Into<String>, help: impl Into<String>) {
        let place = self.place(offset);
        self.problem_at(place, message, help);
    }

    pub fn problem_at(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        let Place { line, column } = place;
        self.problems.push(Problem { line, column, message: message.into(), help: help.into() });
    }

    /// All faults in document order; `None` where there are none.
    pub fn into_problems(mut self) -> Option<Vec<Problem>> {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        (!self.problems.is_empty()).then_some(self.problems)
    }

    /// Every key that is not one of `keys` is a fault.
    pub fn only(&mut self, section: &Section<'_>, keys: &[&str]) {
        for key in section.table.keys() {
            if !keys.contains(&key.get_ref().as_ref()) {
                let message = format!("unknown key `{}` in {}", key.get_ref(), section.what);
                let help = nearest_or_all(key.get_ref(), keys.iter().copied(), "");
                self.problem(key.span().start, message, help);
            }
        }
    }

    pub fn required(&mut self, section: &Section<'_>, key: &str, example: &str) {
        if !section.table.contains_key(key) {
            let message = format!("{} has no `{key}`", section.what);
            self.problem(section.span.start, message, format!("for example: {example}"));
        }
    }

    fn mistyped(&mut self, section: &Section<'_>, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("`{key}` in {} is {}, not {wanted}", section.what, kind(value.get_ref()));
        self.problem(value.span().start, message, "");
    }

    pub fn string(&mut self, section: &Section<'_>, key: &str) -> Option<Spanned<String>> {
        let value = section.table.get(key)?;
        if let DeValue::String(text) = value.get_ref() {
            return Some(Spanned::new(value.span(), text.clone().into_owned()));
        }
        self.mistyped(section, key, value, "a string");
        None
    }

    /// A string that must say something.
    pub fn words(&mut self, section: &Section<'_>, key: &str) -> Option<Spanned<String>> {
        let text = self.string(section, key)?;
        if text.get_ref().trim().is_empty() {
            self.problem(text.span().start, format!("`{key}` in {} is empty", section.what), "");
            return None;
        }
        Some(text)
    }

    pub fn boolean(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        let value = section.table.get(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.mistyped(section, key, value, "`true` or `false`");
        None
    }

    /// One of a few words, each with its meaning.
    pub fn choice<T: Copy>(&mut self, section: &Section<'_>, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(section, key)?;
        let found = choices.iter().find(|(word, _)| word == text.get_ref());
        if found.is_none() {
            let message = format!("`{key}` in {} cannot be `{}`", section.what, text.get_ref());
            let help = nearest_or_all(text.get_ref(), choices.iter().map(|(word, _)| *word), "");
            self.problem(text.span().start, message, help);
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// A list of strings that is not empty; faulty items are left out, the others kept.
    pub fn strings(&mut self, section: &Section<'_>, key: &str) -> Vec<Spanned<String>> {
        let Some(value) = section.table.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.mistyped(section, key, value, "a list of strings");
            return Vec::new();
        };
        if items.is_empty() {
            let message = format!("`{key}` in {} is empty", section.what);
            self.problem(value.span().start, message, "an empty list would match nothing, ever");
        }
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => texts.push(Spanned::new(item.span(), text.clone().into_owned())),
                _ => self.mistyped(section, key, item, "a string"),
            }
        }
        texts
    }
}

/// Tables of a table (`[servers.NAME]`), in document order.
pub(super) fn entries<'a>(
    table: &'a DeTable<'a>,
) -> Vec<(&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
