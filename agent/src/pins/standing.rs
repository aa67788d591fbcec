//! What there is to say of the pins of this user: definitions that are held back, pins that cannot be read.

use super::{Found, PinError, Pinned, Pins, Ruling};
use serde::Serialize;
use std::path::Path;

/// Empty where all is well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub held: Vec<HeldBack>,
    pub unreadable: Vec<Unreadable>,
}

/// What of one server is neither shown nor called until somebody approves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    pub server: String,
    /// `tool read_file`, `instructions`.
    pub definitions: Vec<String>,
}

/// A file of pins that is none: where policy holds definitions, nothing of that server passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    pub path: String,
    /// Absent where not even that is known.
    pub server: Option<String>,
    pub why: String,
}

impl Unreadable {
    fn of(path: &Path, error: &PinError) -> Self {
        let server = match error {
            PinError::Malformed { server, .. } => server.clone(),
            _ => None,
        };
        Self { path: path.display().to_string(), server, why: error.to_string() }
    }
}

impl Pins {
    /// By what is ruled for each server; without a ruling by the pins alone.
    pub fn standing(&self, ruling: impl Fn(&str) -> Option<Ruling>) -> Standing {
        let mut standing = Standing::default();
        let all = match self.all() {
            Ok(all) => all,
            Err(error) => {
                standing.unreadable.push(Unreadable::of(&self.root, &error));
                return standing;
            }
        };
        for Found { path, pinned } in all {
            match pinned {
                Ok(pinned) => {
                    let ruling = ruling(&pinned.identity);
                    standing.held.extend(held_of(pinned, ruling.as_ref()));
                }
                Err(error) => standing.unreadable.push(Unreadable::of(&path, &error)),
            }
        }
        standing
    }
}

fn held_of(Pinned { identity, pins }: Pinned, ruling: Option<&Ruling>) -> Option<HeldBack> {
    let held = pins.iter().filter(|entry| entry.verdict(ruling).is_held());
    let definitions: Vec<String> = held.map(ToString::to_string).collect();
    (!definitions.is_empty()).then_some(HeldBack { server: identity, definitions })
}
