//! The client's requests that are open, and their names: where clients share a conversation, an id or a
//! progress token that is taken becomes another one for the server, and the client reads its own again.

use crate::door::ids::{Spot, renamed};
use crate::door::posted::Asked;
use crate::door::told::{About, Told};
use mcp::{Id, Payload};
use std::collections::{HashMap, VecDeque};

/// As many abandoned requests as the gate remembers: their ids are not free.
const LATE: usize = 512;

#[derive(Default)]
pub struct Requests {
    /// By the id that the server knows.
    open: HashMap<Id, Open>,
    /// Which request's progress is reported under which token.
    tokens: HashMap<Id, Id>,
    late: VecDeque<Id>,
    renamed: u64,
}

pub struct Open {
    pub stream: u64,
    /// The ids that the client chose, where the server was given others.
    id: Option<Id>,
    token: Option<Id>,
    /// The token that the server knows.
    reports: Option<Id>,
    pub wants_log: bool,
    pub lists_tools: bool,
}

impl Requests {
    /// The id under which the server will know the request. Where clients share the conversation, names that
    /// are taken become others.
    pub fn admit(&mut self, stream: u64, asked: &Asked, is_shared: bool, payload: &mut Payload) -> Id {
        let lists_tools = asked.method == "tools/list";
        let wants_log = asked.wants_log;
        let mut open = Open { stream, id: None, token: None, reports: None, wants_log, lists_tools };
        let mut wire = asked.id.clone();
        if is_shared && self.is_taken(&wire) {
            wire = self.another(&asked.id);
            *payload = renamed(std::mem::take(payload).into_bytes(), Spot::Id, &wire).into();
            open.id = Some(asked.id.clone());
        } else if self.open.contains_key(&wire) {
            // The gate refuses it, in this stream; the one before stays what it is.
            return wire;
        }
        if let Some(token) = &asked.token {
            let mut reports = token.clone();
            if is_shared && self.tokens.contains_key(token) {
                reports = self.another(token);
                *payload = renamed(std::mem::take(payload).into_bytes(), Spot::AskedToken, &reports).into();
                open.token = Some(token.clone());
            }
            self.tokens.insert(reports.clone(), wire.clone());
            open.reports = Some(reports);
        }
        self.open.insert(wire.clone(), open);
        wire
    }

    fn is_taken(&self, id: &Id) -> bool {
        self.open.contains_key(id) || self.late.contains(id)
    }

    /// A free id of the same type. Integers stay where every language has them exactly.
    fn another(&mut self, like: &Id) -> Id {
        loop {
            self.renamed += 1;
            let text = if like.as_json().starts_with('"') {
                format!("\"portreeve-{}\"", self.renamed)
            } else {
                format!("{}", (1_u64 << 52) + self.renamed)
            };
            let id = Id::from_json(&text).unwrap_or_else(|| like.clone());
            if !self.is_taken(&id) && !self.tokens.contains_key(&id) {
                return id;
            }
        }
    }

    pub fn get(&self, id: &Id) -> Option<&Open> {
        self.open.get(id)
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// It was answered.
    pub fn close(&mut self, id: &Id) {
        if let Some(reports) = self.open.remove(id).and_then(|open| open.reports) {
            self.tokens.remove(&reports);
        }
    }

    /// Its client is gone; the server may answer all the same.
    pub fn abandon(&mut self, id: &Id) {
        self.close(id);
        self.late.push_back(id.clone());
        if self.late.len() > LATE {
            self.late.pop_front();
        }
    }

    /// All of them.
    pub fn clear(&mut self) {
        self.open.clear();
        self.tokens.clear();
    }

    /// The request that a message names.
    pub fn named_by(&self, about: &About) -> Option<&Open> {
        match about {
            About::Answer(ids) => ids.iter().find_map(|id| self.open.get(id)),
            About::Progress(token) => self.open.get(self.tokens.get(token)?),
            About::Subscription(id) => self.open.get(id),
            About::Log | About::Request(_) | About::Other => None,
        }
    }

    /// The stream of the one that counts, where no other does.
    pub fn only(&self, counts: impl Fn(&Open) -> bool) -> Option<u64> {
        let mut open = self.open.values().filter(|open| counts(open));
        match (open.next(), open.next()) {
            (Some(only), None) => Some(only.stream),
            _ => None,
        }
    }

    /// The client reads the ids that it chose.
    pub fn give_back_names(&self, told: &mut Told) {
        let (spot, name) = match &told.about {
            About::Answer(ids) => {
                let [id] = ids.as_slice() else { return };
                (Spot::Id, self.open.get(id).and_then(|open| open.id.as_ref()))
            }
            About::Subscription(id) => {
                (Spot::Subscription, self.open.get(id).and_then(|open| open.id.as_ref()))
            }
            About::Progress(token) => {
                let open = self.tokens.get(token).and_then(|id| self.open.get(id));
                (Spot::Token, open.and_then(|open| open.token.as_ref()))
            }
            About::Log | About::Request(_) | About::Other => return,
        };
        if let Some(name) = name {
            told.payload = renamed(std::mem::take(&mut told.payload).into_bytes(), spot, name).into();
        }
    }
}
