//! The figures that are taken of a contestant, and their medians over the rounds.

use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    StartMs,
    SmallP50Us,
    SmallP99Us,
    LargeP50Us,
    LargeP99Us,
    HugeP50Us,
    HugeP99Us,
    Rate1,
    Rate8,
    Rate64,
    CpuUs,
    IdleKb,
    LoadedKb,
}

/// One contestant in one round.
pub type Sample = BTreeMap<Figure, f64>;

/// All rounds of one contestant; what failed is not there.
#[derive(Debug, Default)]
pub struct Taken {
    pub rounds: Vec<Sample>,
    /// The first thing that went wrong.
    pub trouble: Option<String>,
}

impl Taken {
    pub fn median(&self, figure: Figure) -> Option<f64> {
        median(self.rounds.iter().filter_map(|sample| sample.get(&figure).copied()))
    }

    /// What it adds to `direct`, round by round.
    pub fn added(&self, direct: &Self, figure: Figure) -> Option<f64> {
        let rounds = self.rounds.iter().zip(&direct.rounds);
        median(rounds.filter_map(|(with, without)| Some(with.get(&figure)? - without.get(&figure)?)))
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    match values.len() % 2 {
        0 => Some(f64::midpoint(*values.get(values.len() / 2 - 1)?, upper)),
        _ => Some(upper),
    }
}

/// The value below which this share of all lies.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list of some thousands"
    )]
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_of_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&hundred, 0.5), quantile(&hundred, 0.99)), (Some(51.0), Some(100.0)));
    }

    #[test]
    fn what_is_added_is_taken_within_a_round() {
        let taken = |values: &[f64]| Taken {
            rounds: values.iter().map(|value| Sample::from([(Figure::SmallP50Us, *value)])).collect(),
            trouble: None,
        };
        let (direct, guard) = (taken(&[10.0, 100.0, 10.0]), taken(&[15.0, 104.0, 17.0]));
        assert_eq!(guard.added(&direct, Figure::SmallP50Us), Some(5.0));
        assert_eq!(guard.added(&direct, Figure::Rate8), None);
    }
}
