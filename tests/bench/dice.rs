//! A random order that a seed plays again.

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// xorshift64.
    fn throw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn order(&mut self, length: usize) -> Vec<usize> {
        let mut order: Vec<(u64, usize)> = (0..length).map(|index| (self.throw(), index)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn_in_an_order_that_can_be_played_again() {
        let order = Dice::new(7).order(20);
        assert_eq!(order, Dice::new(7).order(20));
        assert_ne!(order, Dice::new(9).order(20));
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }
}
