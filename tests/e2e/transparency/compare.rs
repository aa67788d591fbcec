//! Compares what was seen directly with what was seen through Portreeve, byte for byte; where bytes differ,
//! says in which field.

use super::run::Seen;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// `client` or `server`: who saw it.
    pub side: &'static str,
    /// What was compared: an answer's method, a notification's, `order`, `request`, `exchange`.
    pub at: String,
    /// The field within a message, as a JSON pointer; empty where the whole differs.
    pub field: String,
    pub direct: String,
    pub through: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, at, field, direct, through } = self;
        let short = |text: &str| text.chars().take(600).collect::<String>();
        write!(
            out,
            "{side}, {at}, {field:?}: directly {}, through Portreeve {}",
            short(direct),
            short(through)
        )
    }
}

/// How much of the order may be compared: with HTTP on either side several streams race each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Whole,
    /// Answers by their request, progress within its request, all else by its kind.
    WithinKinds,
}

/// Everything that is not the same.
#[must_use]
pub fn compare(direct: &Seen, through: &Seen, order: Order, same_way: bool) -> BTreeSet<Difference> {
    let mut found = Found::default();
    let (a, b) = (&direct.client, &through.client);
    let ids: BTreeSet<&u64> = a.answers.keys().chain(b.answers.keys()).collect();
    for id in ids {
        let (one, two) = (a.answers.get(id), b.answers.get(id));
        let what = one.or(two).map_or("", |(what, _)| what);
        found.messages("client", what, one.map(|(_, text)| text), two.map(|(_, text)| text));
    }
    let ids: BTreeSet<&u64> = a.progress.keys().chain(b.progress.keys()).collect();
    for id in ids {
        found.lists("client", "notifications/progress", a.progress.get(id), b.progress.get(id));
    }
    let kinds: BTreeSet<&String> = a.unasked.keys().chain(b.unasked.keys()).collect();
    for kind in kinds {
        found.lists("client", kind, a.unasked.get(kind), b.unasked.get(kind));
    }
    if order == Order::Whole && found.all.is_empty() && a.order != b.order {
        let place = a.order.iter().zip(&b.order).position(|(one, two)| one != two).unwrap_or(0);
        let around = |order: &[String]| {
            order
                .iter()
                .skip(place)
                .take(3)
                .map(|text| text.chars().take(200).collect())
                .collect::<Vec<String>>()
        };
        found.add("client", "order", "", &around(&a.order).join("\n"), &around(&b.order).join("\n"));
    }
    if same_way {
        found.counted("client", "exchange", &a.exchanges, &b.exchanges);
    }
    let sorted = |messages: &[String]| {
        let mut messages = messages.to_vec();
        messages.sort();
        messages
    };
    if order == Order::Whole {
        found.lists("server", "message", Some(&direct.server), Some(&through.server));
    } else {
        found.lists("server", "message", Some(&sorted(&direct.server)), Some(&sorted(&through.server)));
    }
    found.counted("server", "request", &direct.requests, &through.requests);
    found.all
}

#[derive(Default)]
struct Found {
    all: BTreeSet<Difference>,
}

impl Found {
    fn add(&mut self, side: &'static str, at: &str, field: &str, direct: &str, through: &str) {
        let (at, field) = (at.to_owned(), field.to_owned());
        self.all.insert(Difference {
            side,
            at,
            field,
            direct: direct.to_owned(),
            through: through.to_owned(),
        });
    }

    fn lists(&mut self, side: &'static str, at: &str, one: Option<&Vec<String>>, two: Option<&Vec<String>>) {
        let (one, two) = (one.map_or(&[][..], Vec::as_slice), two.map_or(&[][..], Vec::as_slice));
        for place in 0..one.len().max(two.len()) {
            self.messages(side, at, one.get(place), two.get(place));
        }
    }

    /// Requests over HTTP come over several connections: how often each came is what counts.
    fn counted(&mut self, side: &'static str, at: &str, one: &[String], two: &[String]) {
        let count = |list: &[String], line: &str| list.iter().filter(|other| *other == line).count();
        for line in one.iter().chain(two).collect::<BTreeSet<_>>() {
            let (direct, through) = (count(one, line), count(two, line));
            if direct != through {
                self.add(side, at, line, &format!("{direct} times"), &format!("{through} times"));
            }
        }
    }

    fn messages(&mut self, side: &'static str, at: &str, one: Option<&String>, two: Option<&String>) {
        if one == two {
            return;
        }
        let read = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let (Some(a), Some(b)) = (read(one), read(two)) else {
            let say = |text: Option<&String>| text.map_or("absent".to_owned(), Clone::clone);
            return self.add(side, at, "", &say(one), &say(two));
        };
        let before = self.all.len();
        self.fields(side, at, "", Some(&a), Some(&b));
        if self.all.len() == before && a == b {
            self.add(side, at, "bytes", one.map_or("", |text| text), two.map_or("", |text| text));
        }
    }

    fn fields(
        &mut self,
        side: &'static str,
        at: &str,
        field: &str,
        one: Option<&Value>,
        two: Option<&Value>,
    ) {
        match (one, two) {
            _ if one == two => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                    self.fields(side, at, &format!("{field}/{key}"), a.get(key), b.get(key));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for place in 0..a.len().max(b.len()) {
                    self.fields(side, at, &format!("{field}/{place}"), a.get(place), b.get(place));
                }
            }
            _ => {
                let say = |value: Option<&Value>| value.map_or("absent".to_owned(), ToString::to_string);
                self.add(side, at, field, &say(one), &say(two));
            }
        }
    }
}
