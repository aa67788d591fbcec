//! What was sent as events lately, for a client that lost its connection and names the last one it has
//! (`Last-Event-ID`; up to 2025-11-25). Bounded over all streams of a conversation; the oldest go first.

use bytes::Bytes;
use std::collections::VecDeque;
use uuid::Uuid;

const EVENTS: usize = 1024;
const BYTES: usize = 4 * 1024 * 1024;

pub struct Replay {
    /// In every event id of this conversation, so that those of another are known for foreign.
    mark: String,
    next: u64,
    sent: VecDeque<Sent>,
    bytes: usize,
}

struct Sent {
    stream: u64,
    number: u64,
    bytes: Bytes,
}

/// A place in a stream, as an event id names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub stream: u64,
    pub after: u64,
}

impl Default for Replay {
    fn default() -> Self {
        let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
        let mark = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
        Self { mark, next: 1, sent: VecDeque::new(), bytes: 0 }
    }
}

impl Replay {
    /// Remembers an event, and gives it its id.
    pub fn remember(&mut self, stream: u64, bytes: Bytes) -> String {
        let number = self.next;
        self.next += 1;
        self.bytes += bytes.len();
        self.sent.push_back(Sent { stream, number, bytes });
        while self.sent.len() > EVENTS || (self.bytes > BYTES && self.sent.len() > 1) {
            if let Some(oldest) = self.sent.pop_front() {
                self.bytes -= oldest.bytes.len();
            }
        }
        self.id(stream, number)
    }

    /// The id of what stands before everything that is still to come on a stream.
    pub fn here(&self, stream: u64) -> String {
        self.id(stream, self.next - 1)
    }

    /// The id of what stands before everything of a stream.
    pub fn start(&self, stream: u64) -> String {
        self.id(stream, 0)
    }

    fn id(&self, stream: u64, number: u64) -> String {
        format!("{}-{stream}-{number}", self.mark)
    }

    /// `None` where that is no event of this conversation.
    pub fn place(&self, id: &str) -> Option<Place> {
        let (stream, after) = id.strip_prefix(&self.mark)?.strip_prefix('-')?.split_once('-')?;
        let place = Place { stream: stream.parse().ok()?, after: after.parse().ok()? };
        (place.after < self.next).then_some(place)
    }

    /// What was sent behind that place, with ids.
    pub fn since(&self, place: Place) -> Vec<(String, Bytes)> {
        let missed = self.sent.iter().filter(|sent| sent.stream == place.stream && sent.number > place.after);
        missed.map(|sent| (self.id(sent.stream, sent.number), sent.bytes.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(replay: &Replay, id: &str) -> Vec<String> {
        let missed = replay.since(replay.place(id).unwrap());
        missed.into_iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    #[test]
    fn only_what_that_stream_sent_since_is_sent_again() {
        let mut replay = Replay::default();
        let first = replay.remember(1, "a".into());
        replay.remember(2, "other".into());
        replay.remember(1, "b".into());
        assert_eq!(texts(&replay, &first), ["b"]);
        assert_eq!(texts(&replay, &replay.here(1)), [""; 0]);
    }

    #[test]
    fn an_event_of_another_conversation_or_of_none_is_no_place() {
        let (mut mine, mut other) = (Replay::default(), Replay::default());
        let foreign = other.remember(1, "secret".into());
        let own = mine.remember(1, "a".into());
        assert_eq!(mine.place(&foreign), None);
        let mark = own.split('-').next().unwrap().to_owned();
        let wrong = ["", "-", "1-1", "x-1-1"].map(str::to_owned).into_iter();
        for id in wrong.chain(
            ["", "-1", "-1-", "-1-x", "-1-2", "--1-1", "-1-99999999999999999999"]
                .map(|end| mark.clone() + end),
        ) {
            assert_eq!(mine.place(&id), None, "{id}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_last_event_is_kept_whatever_its_length() {
        let mut replay = Replay::default();
        for _ in 0..10 {
            replay.remember(1, vec![b'x'; BYTES / 2].into());
        }
        assert!(replay.bytes <= BYTES);
        replay.remember(1, vec![b'x'; 2 * BYTES].into());
        assert_eq!(replay.sent.len(), 1);
        (0..2 * EVENTS).for_each(|_| drop(replay.remember(1, "x".into())));
        assert_eq!(replay.sent.len(), EVENTS);
    }
}
