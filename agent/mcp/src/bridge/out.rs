//! What a message makes happen, and the ids and request states of the bridge's own making in it.
//!
//! Whoever reads an id of one side never sees one of the other: neither end can guess what the bridge will
//! use next towards its peer, and what an end makes up is none of ours.

use crate::frame::Line;
use crate::message::Id;

/// Gives a text that nobody can guess, another one each time.
pub type Unguessable = fn() -> String;

/// One thing to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// What the client said, in the server's words; or an answer.
    ToServer(Vec<u8>),
    /// What the client did not say: a request in its name.
    AskServer(Vec<u8>),
    /// `with` is the client's request that this goes with: that it answers, or on whose stream it comes.
    ToClient { line: Line, with: Option<Id> },
}

/// Where the steps are collected.
#[derive(Debug)]
pub(super) struct Out {
    steps: Vec<Step>,
    unguessable: Unguessable,
    /// How our ids begin, towards each end.
    at_server: String,
    at_client: String,
    next: u64,
}

impl Out {
    pub(super) fn new(unguessable: Unguessable) -> Self {
        let space = || format!("\"portreeve-{}-", letters(&unguessable()));
        Self { steps: Vec::new(), unguessable, at_server: space(), at_client: space(), next: 0 }
    }

    /// The steps so far.
    pub(super) fn take(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    pub(super) fn tell_server(&mut self, message: impl Into<Vec<u8>>) {
        self.steps.push(Step::ToServer(message.into()));
    }

    pub(super) fn tell_client(&mut self, message: impl Into<Vec<u8>>, with: Option<&Id>) {
        self.pass(Line::Whole(message.into()), with);
    }

    /// A line of the server's as it came.
    pub(super) fn pass(&mut self, line: Line, with: Option<&Id>) {
        self.steps.push(Step::ToClient { line, with: with.cloned() });
    }

    /// Asks the server something of our own; the id.
    pub(super) fn ask_server(&mut self, method: &str, params: &str) -> Id {
        let id = self.for_server();
        self.steps.push(Step::AskServer(super::own::request(&id, method, params)));
        id
    }

    /// Asks the client something within one of its requests; the id.
    pub(super) fn ask_client(&mut self, method: &str, params: &str, with: &Id) -> Id {
        self.next += 1;
        let id = id(&self.at_client, self.next);
        self.tell_client(super::own::request(&id, method, params), Some(with));
        id
    }

    /// An id for a request to the server.
    pub(super) fn for_server(&mut self) -> Id {
        self.next += 1;
        id(&self.at_server, self.next)
    }

    /// Is this an id as we make them for the server? Nobody else can have made it.
    pub(super) fn is_for_server(&self, id: &Id) -> bool {
        id.as_json().starts_with(&self.at_server)
    }

    /// Is it one as we make them for the client?
    pub(super) fn is_for_client(&self, id: &Id) -> bool {
        id.as_json().starts_with(&self.at_client)
    }

    /// A request state.
    pub(super) fn state(&self) -> String {
        format!("portreeve-{}", letters(&(self.unguessable)()))
    }
}

fn id(space: &str, number: u64) -> Id {
    Id::from_json(&format!("{space}{number}\"")).expect("letters, digits and hyphens in quotes are an id")
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}
