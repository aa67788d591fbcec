//! The chain that a device's log is: each record's link covers all before it.

use super::{Batch, link};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The link before the first record of an epoch.
pub const START: [u8; 32] = [0; 32];

/// Why a batch does not hold together. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBroken {
    #[error("the link `{0}` is not 64 hexadecimal digits")]
    NotALink(String),
    #[error("the batch counts from {0}, and records are counted from 1")]
    Position(u64),
    #[error("the records lead to the link {computed}, the batch says {claimed}")]
    Head { computed: String, claimed: String },
}

impl Batch {
    /// Chains records on, in the order given.
    ///
    /// # Errors
    /// A first record is number 1.
    pub fn chained(
        epoch: Uuid,
        first: u64,
        previous: [u8; 32],
        records: Vec<Box<RawValue>>,
    ) -> Result<Self, ChainBroken> {
        check_position(first, records.len())?;
        let head = records.iter().fold(previous, |before, record| link(&before, record.get().as_bytes()));
        Ok(Self { epoch, first, previous: to_hex(&previous), head: to_hex(&head), records })
    }

    /// The number of the last record; `first - 1` for an empty batch.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.first.saturating_sub(1).saturating_add(self.records.len() as u64)
    }

    /// Computes the links again. The receiver still compares [`Batch::previous`] with the head that
    /// it has.
    ///
    /// # Errors
    /// The batch is not what its head says, or is not well formed.
    pub fn verify_chain(&self) -> Result<[u8; 32], ChainBroken> {
        check_position(self.first, self.records.len())?;
        let previous = from_hex(&self.previous)?;
        let claimed = from_hex(&self.head)?;
        let computed =
            self.records.iter().fold(previous, |before, record| link(&before, record.get().as_bytes()));
        if computed == claimed {
            return Ok(computed);
        }
        Err(ChainBroken::Head { computed: to_hex(&computed), claimed: self.head.clone() })
    }
}

fn check_position(first: u64, records: usize) -> Result<(), ChainBroken> {
    let counted = first != 0 && first.checked_add(records as u64).is_some();
    if counted { Ok(()) } else { Err(ChainBroken::Position(first)) }
}

/// A link as it is written.
#[must_use]
pub fn to_hex(link: &[u8; 32]) -> String {
    link.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

/// A link as it was written.
///
/// # Errors
/// It is none.
pub fn from_hex(text: &str) -> Result<[u8; 32], ChainBroken> {
    let broken = || ChainBroken::NotALink(text.chars().take(80).collect());
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut link = START;
    if text.len() != 2 * link.len() {
        return Err(broken());
    }
    for (byte, pair) in link.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return Err(broken()) };
        *byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or_else(broken)?;
    }
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(texts: &[&str]) -> Vec<Box<RawValue>> {
        texts.iter().map(|text| RawValue::from_string((*text).to_owned()).unwrap()).collect()
    }

    fn batch() -> Batch {
        Batch::chained(Uuid::nil(), 1, START, raw(&[r#"{"a":1}"#, r#"{"a" : 2}"#])).unwrap()
    }

    /// Golden: computed by another program, so that no change of ours moves a chain that is out there.
    #[test]
    fn the_chain_is_sha_256_over_link_and_bytes() {
        assert_eq!(batch().head, "12a4a2e4ecc23d9ced5b43c7909342a6f2ea2a35d50ddbf3c8c1ffb2523d5d44");
    }

    #[test]
    fn a_batch_holds_and_goes_on_where_it_ended() {
        let first = batch();
        let head = first.verify_chain().unwrap();
        assert_eq!(first.last(), 2);
        let second = Batch::chained(Uuid::nil(), 3, head, raw(&["{}"])).unwrap();
        assert_eq!(second.previous, first.head);
        second.verify_chain().unwrap();
        let empty = Batch::chained(Uuid::nil(), 4, START, Vec::new()).unwrap();
        assert_eq!((empty.last(), empty.verify_chain()), (3, Ok(START)));
    }

    #[test]
    fn a_record_changed_dropped_doubled_or_moved_breaks_the_chain() {
        let changes: [fn(&mut Batch); 6] = [
            |batch| batch.records[0] = RawValue::from_string(r#"{"a":2}"#.to_owned()).unwrap(),
            |batch| batch.records[1] = RawValue::from_string(r#"{"a":2}"#.to_owned()).unwrap(),
            |batch| drop(batch.records.pop()),
            |batch| batch.records.push(batch.records[1].clone()),
            |batch| batch.records.swap(0, 1),
            |batch| batch.previous = batch.head.clone(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut batch = batch();
            change(&mut batch);
            assert!(matches!(batch.verify_chain(), Err(ChainBroken::Head { .. })), "change {number}");
        }
    }

    #[test]
    fn what_is_no_link_or_no_position_is_refused() {
        let long = "0".repeat(65);
        for text in ["", "00", &"g".repeat(64), &long, &"é".repeat(32), &format!("+{}", "0".repeat(63))] {
            let batch = Batch { previous: (*text).to_owned(), ..batch() };
            assert!(matches!(batch.verify_chain(), Err(ChainBroken::NotALink(_))), "{text}");
        }
        for first in [0, u64::MAX] {
            let batch = Batch { first, ..batch() };
            assert_eq!(batch.verify_chain(), Err(ChainBroken::Position(first)));
        }
    }

    #[test]
    fn spaces_inside_a_record_survive_the_wire() {
        let sent = batch();
        let received: Batch = serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
        received.verify_chain().unwrap();
    }
}
