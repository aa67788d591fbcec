//! Why a definition that is held back is: the reason in the refusal of its call.
//!
//! The model reads a refusal. So it says what is wrong with a definition, and nothing of its text.

use crate::definitions::{Disapproval, Held};

/// So many differences and signs fit into a sentence; `portreeve pins diff` shows all.
const SHOWN: usize = 3;

/// The name under which it is on record.
pub(crate) fn rule(held: &Held) -> &'static str {
    match held {
        Held::Changed(_) => "definition-changed",
        Held::Disapproved(_) => "definition-unapproved",
        Held::Flagged(_) => "definition-suspicious",
        Held::TooMany => "definitions-too-many",
        Held::Unknown(_) => "definitions-unreadable",
    }
}

pub(crate) fn reason(held: &Held) -> String {
    match held {
        Held::Changed(changes) if changes.is_empty() => {
            "The server defines it in another way than when it was first used here; what differs is too long or too secret to be shown. `portreeve pins diff` says since when".to_owned()
        }
        Held::Changed(changes) => format!(
            "The server defines it in another way than when it was first used here, in {}. `portreeve pins diff` shows it",
            listed(changes.iter().map(|change| change.member.clone()), changes.len())
        ),
        Held::Disapproved(Disapproval::OtherFingerprint) => {
            "The policy names another fingerprint for it than its definition has. `portreeve pins approve` shows the line for the policy".to_owned()
        }
        Held::Disapproved(Disapproval::Unlisted) => {
            "The policy approves other tools of this server by their fingerprints, and not this one. `portreeve pins approve` shows the line for the policy".to_owned()
        }
        Held::Flagged(flags) if flags.is_empty() => {
            "It is new, and its definition looks like an attempt to steer the model. `portreeve pins diff` shows it".to_owned()
        }
        Held::Flagged(flags) => format!(
            "It is new, and its definition looks like an attempt to steer the model: it {}. `portreeve pins diff` shows it",
            listed(flags.iter().map(|flag| flag.sign.says().to_owned()), flags.len())
        ),
        Held::TooMany => "The server defines more than can be kept apart".to_owned(),
        Held::Unknown(why) => format!("What this machine knows of the server's definitions cannot be read: {why}"),
    }
}

fn listed(parts: impl Iterator<Item = String>, count: usize) -> String {
    let mut shown: Vec<String> = parts.take(SHOWN).collect();
    if count > SHOWN {
        shown.push(format!("and {} more", count - SHOWN));
    }
    shown.join("; ")
}
