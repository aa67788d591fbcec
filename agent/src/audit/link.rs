//! The guard's end of the line to the resident: hands over what stands in the segment, hears when
//! the policy changed. It never makes a call wait, and does without the resident for as long as it is away.

use crate::active_policy::PolicySignal;
use crate::audit::segment::{CutOff, Segment};
use crate::ipc::{FromResident, ToResident};
use crate::transport::lines::{LineReader, LineWriter, Read};
use mcp::Line;
use platform::Layout;
use platform::ipc::Stream;
use serde::Deserialize;
use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// Records that come close together travel together: each journey costs both ends a transaction on disk.
const GATHER: Duration = Duration::from_millis(20);
/// While one call follows the other, so long from journey to journey: each holds calls up, and then few of them.
const BUSY_GATHER: Duration = Duration::from_millis(200);
/// About as much as one message carries.
const MESSAGE_BYTES: usize = 256 * 1024;
const LONGEST_WORD: usize = 1024 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(5);

pub struct Link<'a> {
    layout: &'a Layout,
    segment: &'a Segment,
    policy: &'a PolicySignal,
    run: Uuid,
    hello: ToResident,
    /// The last attempt found no resident, or lost it.
    away: Cell<bool>,
    /// No more records will come.
    leaving: Notify,
}

/// One connection: what was sent and not yet taken.
struct Handover<'a> {
    segment: &'a Segment,
    /// The place in the segment up to which records were sent.
    sent: u64,
    /// Last record of each message under way, and the place behind it.
    under_way: VecDeque<(u64, u64)>,
    last_journey: Instant,
    /// When the next begins, if something waits for it.
    due: Option<Instant>,
}

impl<'a> Link<'a> {
    pub fn new(
        layout: &'a Layout,
        segment: &'a Segment,
        policy: &'a PolicySignal,
        run: Uuid,
        hello: ToResident,
    ) -> Self {
        Self { layout, segment, policy, run, hello, away: Cell::new(false), leaving: Notify::new() }
    }

    /// Is nobody there who would take records soon? Then there is no use in waiting for it.
    pub fn is_away(&self) -> bool {
        self.away.get()
    }

    /// The guard leaves: what is there goes now, and nothing gathers any more.
    pub fn leave(&self) {
        self.leaving.notify_one();
    }

    /// Never ends; the guard drops it.
    pub async fn keep(&self) -> Infallible {
        let mut retry = FIRST_RETRY;
        loop {
            match Stream::connect(self.layout).await {
                Ok(stream) => {
                    retry = FIRST_RETRY;
                    self.away.set(false);
                    if let Err(error) = self.hold(stream).await {
                        tracing::debug!(%error, "the resident is gone");
                    }
                }
                Err(error) if error.is_absent() => {}
                Err(error) => tracing::debug!(%error, "the resident cannot be reached"),
            }
            self.away.set(true);
            tokio::time::sleep(jittered(retry)).await;
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    /// One connection, from hello to its end.
    async fn hold(&self, stream: Stream) -> io::Result<()> {
        let (from, to) = tokio::io::split(stream);
        let mut words = LineReader::bounded(from, LONGEST_WORD);
        let mut out = LineWriter::new(to);
        out.send(serde_json::to_vec(&self.hello)?).await?;
        let mut handover = Handover::new(self.segment);
        handover.send_all(&mut out).await?;
        loop {
            tokio::select! {
                word = next_word(&mut words) => match word? {
                    FromResident::Welcome { policy_version: version }
                    | FromResident::PolicyChanged { version } => self.policy.heard(version),
                    FromResident::Taken { run, through } if run == self.run => handover.taken(through)?,
                    FromResident::Failed { message } => {
                        tracing::warn!(%message, "the resident did not take the records");
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    _ => {}
                },
                () = self.segment.grown.notified(), if handover.due.is_none() => handover.plan(Instant::now()),
                () = at(handover.due) => handover.send_all(&mut out).await?,
                () = self.leaving.notified() => handover.send_all(&mut out).await?,
            }
        }
    }
}

async fn next_word(words: &mut LineReader<ReadHalf<Stream>>) -> io::Result<FromResident> {
    match words.next().await {
        Read::Line(Line::Whole(word)) => Ok(serde_json::from_slice(&word)?),
        Read::Line(_) => Err(io::ErrorKind::InvalidData.into()),
        Read::HalfLine(_) | Read::End => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl<'a> Handover<'a> {
    fn new(segment: &'a Segment) -> Self {
        Self { segment, sent: 0, under_way: VecDeque::new(), last_journey: Instant::now(), due: None }
    }

    /// Something has come.
    fn plan(&mut self, now: Instant) {
        self.due = Some((now + GATHER).max(self.last_journey + BUSY_GATHER));
    }

    async fn send_all(&mut self, out: &mut LineWriter<WriteHalf<Stream>>) -> io::Result<()> {
        (self.last_journey, self.due) = (Instant::now(), None);
        loop {
            let lines = self.segment.read(self.sent, MESSAGE_BYTES)?;
            let Some(last) = last_seq(&lines) else { return Ok(()) };
            self.sent += lines.len() as u64;
            self.under_way.push_back((last, self.sent));
            out.send(records_message(&lines)).await?;
        }
    }

    fn taken(&mut self, through: u64) -> io::Result<()> {
        let mut before = None;
        while let Some((last, behind)) = self.under_way.front().copied()
            && last <= through
        {
            before = Some(behind);
            self.under_way.pop_front();
        }
        let Some(before) = before else { return Ok(()) };
        let CutOff(bytes) = self.segment.taken(before)?;
        self.sent -= bytes;
        for (_, behind) in &mut self.under_way {
            *behind -= bytes;
        }
        Ok(())
    }
}

/// The lines are JSON already: they go into [`ToResident::Records`] as they stand.
fn records_message(lines: &[u8]) -> Vec<u8> {
    let mut message = br#"{"records":{"records":["#.to_vec();
    let records = lines.strip_suffix(b"\n").unwrap_or(lines);
    message.extend(records.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }));
    message.extend_from_slice(b"]}}");
    message
}

fn last_seq(lines: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let last = lines.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
    serde_json::from_slice::<Numbered>(last).ok().map(|record| record.seq)
}

/// Thirty guards that lost one resident do not all dial it in the same instant.
fn jittered(delay: Duration) -> Duration {
    let [.., dice] = *Uuid::now_v7().as_bytes();
    delay.mul_f32(0.75 + f32::from(dice) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_one_message_of_the_wire() {
        let record = r#"{"id":"018f0000-0000-7000-8000-000000000000","time_ms":1,"run":"018f0000-0000-7000-8000-000000000001","seq":7,"member":"","device":"","server":{"identity":"npm:x"},"kind":"stopped","why":"a"}"#;
        let lines = format!("{record}\n{record}\n").into_bytes();
        let message: ToResident = serde_json::from_slice(&records_message(&lines)).unwrap();
        let ToResident::Records { records } = message else { panic!("not records") };
        assert_eq!(records.len(), 2);
        assert_eq!(last_seq(&lines), Some(7));
        assert_eq!(last_seq(b""), None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn where_no_resident_is_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(folder.path()).unwrap();
        let (segment, signal) = (Segment::at(folder.path().join("run.jsonl")), PolicySignal::default());
        let hello =
            ToResident::Hello { run: Uuid::nil(), pid: 1, entry: String::new(), identity: String::new() };
        let link = Link::new(&layout, &segment, &signal, Uuid::nil(), hello);
        assert!(!link.is_away(), "it was not looked for yet");
        let looked = async {
            while !link.is_away() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            never = link.keep() => match never {},
            () = looked => {}
        }
    }

    #[test]
    fn only_what_was_taken_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let segment = Segment::at(folder.path().join("run.jsonl"));
        for seq in 1..=3 {
            segment.append(format!("{{\"seq\":{seq}}}\n").as_bytes()).unwrap();
        }
        let under_way = VecDeque::from([(2, 20), (3, 30)]);
        let mut handover = Handover { sent: 30, under_way, ..Handover::new(&segment) };
        handover.taken(1).unwrap();
        assert_eq!((segment.bytes(), handover.under_way.len()), (30, 2));
        handover.taken(2).unwrap();
        assert_eq!((segment.bytes(), handover.under_way.len()), (30, 1));
        handover.taken(3).unwrap();
        assert_eq!((segment.bytes(), handover.sent), (0, 0));
    }

    #[test]
    fn the_first_record_leaves_soon_and_those_of_a_busy_guard_in_company() {
        let folder = tempfile::tempdir().unwrap();
        let segment = Segment::at(folder.path().join("run.jsonl"));
        let mut handover = Handover::new(&segment);
        let last = handover.last_journey;
        handover.plan(last + Duration::from_secs(1));
        assert_eq!(handover.due, Some(last + Duration::from_secs(1) + GATHER));
        handover.plan(last + Duration::from_millis(1));
        assert_eq!(handover.due, Some(last + BUSY_GATHER));
    }
}
