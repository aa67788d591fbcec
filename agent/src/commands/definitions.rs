//! What policy holds for the definitions of this user's own servers, and what `status` and `doctor` have to say
//! of them. From disk: a resident need not run, and does not know which of its users asks.

use super::{about, in_force};
use crate::active_policy::{InForce, local};
use crate::pins::{Pins, Ruling, Standing};
use crate::trials;
use platform::Layout;
use policy::{Mode, ServerIdentity};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The policies by which the servers of this machine are judged.
pub(super) enum Rulings {
    /// An organisation's, for all of them.
    Organisation(Box<InForce>),
    /// In a trial each server may have its own: the file of its last guard, as it is now. Without a policy
    /// where it is not remembered, or cannot be used now.
    Trials(BTreeMap<String, Option<(PathBuf, InForce)>>),
}

pub(super) async fn rulings(layout: &Layout) -> Rulings {
    if let Some(in_force) = in_force(layout).await {
        return Rulings::Organisation(Box::new(in_force));
    }
    let mut of = BTreeMap::new();
    // The guards that run come first, then the newest.
    for trial in trials::all(layout) {
        of.entry(trial.identity).or_insert_with(|| {
            let file = PathBuf::from(trial.policy_file?);
            let in_force = local(&file, "you@localhost", layout).ok()?;
            Some((file, in_force))
        });
    }
    Rulings::Trials(of)
}

impl Rulings {
    /// For one server; none where that is not known.
    pub fn of(&self, server: &str) -> Option<Ruling> {
        let identity = ServerIdentity::from_canonical(server.to_owned());
        match (self.policy(server), self) {
            (Some(in_force), _) => Some(Ruling {
                rule: in_force.ruleset.definitions_of(&identity).clone(),
                is_enforced: in_force.ruleset.decide(&about(in_force, &identity)).mode == Mode::Enforce,
            }),
            (None, Self::Trials(of)) if !of.contains_key(server) => Some(Ruling::nobodys()),
            (None, _) => None,
        }
    }

    pub fn policy(&self, server: &str) -> Option<&InForce> {
        match self {
            Self::Organisation(in_force) => Some(in_force),
            Self::Trials(of) => of.get(server)?.as_ref().map(|(_, in_force)| in_force),
        }
    }

    /// The local policy file, in a trial.
    pub fn file(&self, server: &str) -> Option<&PathBuf> {
        match self {
            Self::Organisation(_) => None,
            Self::Trials(of) => of.get(server)?.as_ref().map(|(file, _)| file),
        }
    }
}

/// What is held back by the policies in force here.
pub(super) async fn standing(layout: &Layout) -> Standing {
    let rulings = rulings(layout).await;
    Pins::of(layout).standing(|server| rulings.of(server))
}
