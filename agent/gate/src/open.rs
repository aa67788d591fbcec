//! The requests of one direction that wait for an answer.

use mcp::Id;
use std::collections::{HashMap, HashSet, VecDeque};

/// More requests than any client has open at once; beyond, somebody is filling our memory.
const MAX_OPEN: usize = 8192;

/// How many cancelled requests are remembered, so that their late answers are known for what they are.
const MAX_LATE: usize = 512;

/// Open requests by id. Each direction has its own: the two id spaces of a conversation may collide.
#[derive(Debug)]
pub(crate) struct OpenRequests<T> {
    open: HashMap<Id, T>,
    late: HashSet<Id>,
    late_order: VecDeque<Id>,
}

/// Why a request cannot be let in beside the open ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clash {
    IdInUse,
    TooMany,
}

/// What an answer answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered<T> {
    Open(T),
    /// It was cancelled; peers may answer all the same.
    Late,
    Unasked,
}

impl<T> Default for OpenRequests<T> {
    fn default() -> Self {
        Self { open: HashMap::new(), late: HashSet::new(), late_order: VecDeque::new() }
    }
}

impl<T> OpenRequests<T> {
    pub(crate) fn admits(&self, id: &Id) -> Result<(), Clash> {
        if self.open.contains_key(id) || self.late.contains(id) {
            return Err(Clash::IdInUse);
        }
        if self.open.len() >= MAX_OPEN { Err(Clash::TooMany) } else { Ok(()) }
    }

    pub(crate) fn insert(&mut self, id: Id, request: T) {
        self.open.insert(id, request);
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&T> {
        self.open.get(id)
    }

    pub(crate) fn answer(&mut self, id: &Id) -> Answered<T> {
        match self.open.remove(id) {
            Some(request) => Answered::Open(request),
            None if self.late.remove(id) => {
                self.late_order.retain(|late| late != id);
                Answered::Late
            }
            None => Answered::Unasked,
        }
    }

    /// Closes a request that nobody waits for any more.
    pub(crate) fn cancel(&mut self, id: &Id) -> Option<T> {
        let request = self.open.remove(id)?;
        self.late.insert(id.clone());
        self.late_order.push_back(id.clone());
        if self.late_order.len() > MAX_LATE
            && let Some(oldest) = self.late_order.pop_front()
        {
            self.late.remove(&oldest);
        }
        Some(request)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Id, &T)> {
        self.open.iter()
    }

    pub(crate) fn drain(&mut self) -> Vec<(Id, T)> {
        self.open.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> Id {
        Id::from_json(&n.to_string()).unwrap()
    }

    #[test]
    fn an_answer_is_taken_once() {
        let mut open = OpenRequests::default();
        open.insert(id(1), "a");
        assert_eq!(open.admits(&id(1)), Err(Clash::IdInUse));
        assert_eq!(open.answer(&id(1)), Answered::Open("a"));
        assert_eq!(open.answer(&id(1)), Answered::Unasked);
        assert_eq!(open.admits(&id(1)), Ok(()));
    }

    #[test]
    fn a_cancelled_request_may_be_answered_late_but_its_id_is_not_free() {
        let mut open = OpenRequests::default();
        open.insert(id(1), "a");
        assert_eq!(open.cancel(&id(1)), Some("a"));
        assert_eq!(open.cancel(&id(1)), None);
        assert_eq!(open.admits(&id(1)), Err(Clash::IdInUse));
        assert_eq!(open.answer(&id(1)), Answered::Late);
        assert_eq!(open.answer(&id(1)), Answered::Unasked);
    }

    #[test]
    fn memory_is_bounded() {
        let mut open = OpenRequests::default();
        for n in 0..MAX_OPEN {
            assert_eq!(open.admits(&id(n)), Ok(()));
            open.insert(id(n), ());
        }
        assert_eq!(open.admits(&id(MAX_OPEN)), Err(Clash::TooMany));
        for n in 0..=MAX_LATE {
            assert!(open.cancel(&id(n)).is_some());
        }
        assert_eq!(open.late.len(), MAX_LATE);
        assert_eq!(open.answer(&id(0)), Answered::Unasked, "the oldest is forgotten");
    }
}
