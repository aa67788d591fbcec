//! What a server says its tools, prompts and templates are, held against what it said before.
//!
//! A server that was approved can say something else tomorrow: the *definition* is what a model
//! acts on, and a person looked at it once. So it is pinned at first sight, or by the policy's
//! author, under the server's identity (never under an entry's name), and what policy says happens
//! to a change. Pure: what is pinned comes in ([`Known`]), what was seen goes out as [`Sighting`]s on
//! record; who keeps pins on disk follows those.

mod book;
mod canonical;
mod characters;
mod difference;
mod masking;
mod numbers;
mod pins;
mod poison;

pub use book::{Book, Held};
pub use canonical::{Digest, NoDigest};
pub use difference::{Change, changes, visible};
pub use pins::{Elsewhere, Fingerprinted, Kept, Known, Pin};
pub use poison::{Flag, Sign};

use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// What of a server is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Tool,
    Prompt,
    ResourceTemplate,
    /// What the server tells the model of itself when a conversation begins.
    Instructions,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Tool, Self::Prompt, Self::ResourceTemplate, Self::Instructions];

    /// Stable.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::ResourceTemplate => "resource-template",
            Self::Instructions => "instructions",
        }
    }
}

/// One defined thing of a server. Instructions have no name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub part: Part,
    pub name: String,
}

/// What became of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Seen for the first time.
    New,
    /// Not what is pinned.
    Changed,
    /// What is pinned, after another one was held back.
    Restored,
    /// What is pinned, unchanged; the policy's author does not approve it.
    Disapproved,
}

impl Happened {
    pub const ALL: [Self; 4] = [Self::New, Self::Changed, Self::Restored, Self::Disapproved];

    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Restored => "restored",
            Self::Disapproved => "disapproved",
        }
    }
}

/// Why the policy's author does not approve a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disapproval {
    /// They name other tools of the server, and not this one.
    Unlisted,
    /// They name another fingerprint for it.
    OtherFingerprint,
}

/// One event in the life of a definition. It goes on record, and pins follow from it.
#[derive(Debug, Clone)]
pub struct Sighting {
    pub subject: Subject,
    pub happened: Happened,
    pub digest: Digest,
    /// What was pinned, where another definition was.
    pub was: Option<Digest>,
    /// Not shown and not called until somebody approves it.
    pub held: bool,
    /// Nothing is enforced yet (monitor mode): though held, it is shown and called.
    pub let_through: bool,
    /// By the policy's author.
    pub approved: bool,
    pub disapproval: Option<Disapproval>,
    pub flags: Vec<Flag>,
    pub changes: Vec<Change>,
    /// As it is kept: bounded, secrets masked. `None` where it cannot be read or too much is kept.
    pub definition: Option<Box<RawValue>>,
}

/// What stands beside a definition: tools of other servers, and of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbours<'a> {
    pub(crate) elsewhere: &'a Elsewhere,
    pub(crate) own: &'a BTreeSet<String>,
}
