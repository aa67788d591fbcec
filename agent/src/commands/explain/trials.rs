//! Which policy file judged which trial of this user's. It is read as it is now: a trial's file is at hand.

use super::contacts::Contacts;
use crate::audit::segment::judge_of;
use crate::resident::sweep;
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
        for segment in sweep::segments(&layout.guard_spool.join("trial")) {
            let Some(file) = judge_of(&segment) else { continue };
            let trial = Rc::new(Trial::under(&file));
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
    fn under(file: &Path) -> Self {
        Self { file: file.display().to_string(), contacts: Contacts::in_file(file) }
    }
}
