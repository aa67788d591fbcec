//! Which policy file judged which trial of this user's. It is read as it is now: a trial's file is at hand.

use super::contacts::Contacts;
use crate::resident::sweep;
use crate::trials::{self, Note};
use platform::Layout;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use uuid::Uuid;

pub(super) struct Trial {
    pub(super) file: String,
    pub(super) contacts: Contacts,
}

/// By the run of their records.
pub(super) struct Trials(BTreeMap<Uuid, Rc<Trial>>);

impl Trials {
    pub(super) fn read(layout: &Layout) -> Self {
        let mut trials = BTreeMap::new();
        for segment in sweep::segments(&trials::records(layout)) {
            let Some(note) = Note::beside(&segment) else { continue };
            let trial = Rc::new(Trial::under(note.policy));
            let records = sweep::standing_in(&segment).into_iter();
            trials.extend(records.map(|record| (record.run, Rc::clone(&trial))));
        }
        Self(trials)
    }

    pub(super) fn of(&self, run: Uuid) -> Option<&Trial> {
        self.0.get(&run).map(Rc::as_ref)
    }
}

impl Trial {
    fn under(file: String) -> Self {
        Self { contacts: Contacts::in_file(Path::new(&file)), file }
    }
}
