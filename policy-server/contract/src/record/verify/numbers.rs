//! Numbers that should have no hole, in little memory: stretches, not single numbers.

/// How many holes are named one by one.
const NAMED: usize = 20;

/// A set of numbers that count from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// First and last of each stretch, as they came.
    stretches: Vec<(u64, u64)>,
}

impl Numbers {
    /// 1 to `last`.
    #[must_use]
    pub fn through(last: u64) -> Self {
        Self { stretches: if last == 0 { Vec::new() } else { vec![(1, last)] } }
    }

    pub fn add(&mut self, number: u64) {
        match self.stretches.last_mut() {
            Some((first, last)) if (*first..=*last).contains(&number) => {}
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => self.stretches.push((number, number)),
        }
    }

    /// What is missing before the highest: `3-4, 7`; `None` where nothing is.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let mut sorted = self.stretches.clone();
        sorted.sort_unstable();
        let mut holes = Vec::new();
        let mut through = 0_u64;
        for (first, last) in sorted {
            if first > through.saturating_add(1) {
                holes.push((through + 1, first - 1));
            }
            through = through.max(last);
        }
        if holes.is_empty() {
            return None;
        }
        let named: Vec<String> = holes.iter().take(NAMED).map(|hole| name(*hole)).collect();
        let more = holes.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more stretches") };
        Some(named.join(", ") + &more)
    }
}

fn name((first, last): (u64, u64)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn holes_are_named_whatever_the_order() {
        let cases: [(&[u64], Option<&str>); 7] = [
            (&[], None),
            (&[1, 2, 3], None),
            (&[3, 1, 2, 2, 1], None),
            (&[1, 2, 5], Some("3-4")),
            (&[2], Some("1")),
            (&[9, 1, 5, 7, 6], Some("2-4, 8")),
            (&[1, u64::MAX], Some("2-18446744073709551614")),
        ];
        for (numbers, expected) in cases {
            let mut set = Numbers::default();
            for number in numbers {
                set.add(*number);
            }
            assert_eq!(set.missing().as_deref(), expected, "{numbers:?}");
        }
        let mut set = Numbers::through(4);
        set.add(6);
        assert_eq!(set.missing().as_deref(), Some("5"));
    }
}
