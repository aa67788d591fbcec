//! The last 24 hours as bars, drawn on the server: attributes only, no script, no style.

use super::words::count;

const LEFT: u64 = 44;
const STEP: u64 = 38;
const FLOOR: u64 = 126;
const HEIGHT: u64 = 112;
const HOUR_MS: i64 = 3_600_000;

#[derive(Debug)]
pub struct Hours {
    pub bars: Vec<Bar>,
    pub lines: Vec<Line>,
    pub width: u64,
    /// The chart in words, for who does not see it.
    pub text: String,
}

#[derive(Debug)]
pub struct Bar {
    pub x: u64,
    pub middle: u64,
    /// `2026-11-20 08:00`
    pub hour: String,
    pub allowed: u64,
    pub would_refuse: u64,
    pub refused: u64,
    pub text: String,
    pub label: Option<String>,
    pub pieces: Vec<Piece>,
}

#[derive(Debug)]
pub struct Piece {
    pub class: &'static str,
    pub y: u64,
    pub height: u64,
}

#[derive(Debug)]
pub struct Line {
    pub y: u64,
    pub label: String,
}

impl Hours {
    /// `counted`: (start of the hour in Unix ms, decision, count), as the store gives it.
    pub fn new(counted: &[(i64, String, u64)], now_ms: i64) -> Self {
        let last = now_ms - now_ms.rem_euclid(HOUR_MS);
        let sum = |hour: i64, decision: &str| {
            counted.iter().filter(|(at, what, _)| *at == hour && what == decision).map(|(_, _, n)| n).sum()
        };
        let mut bars: Vec<Bar> = (0..24_u8)
            .map(|i| {
                let hour = last - i64::from(23 - i) * HOUR_MS;
                Bar::new(
                    u64::from(i),
                    hour,
                    [sum(hour, "allowed"), sum(hour, "would-refuse"), sum(hour, "refused")],
                )
            })
            .collect();
        let top = nice(bars.iter().map(Bar::total).max().unwrap_or(0));
        for bar in &mut bars {
            bar.raise(top);
        }
        let lines = [top / 2, top]
            .into_iter()
            .map(|n| Line { y: FLOOR - n * HEIGHT / top, label: super::words::grouped(n) })
            .collect();
        Self { text: in_words(&bars), bars, lines, width: STEP - 6 }
    }
}

impl Bar {
    fn new(i: u64, hour_ms: i64, [allowed, would_refuse, refused]: [u64; 3]) -> Self {
        let exact = super::when::When::new(hour_ms, hour_ms).exact();
        let (hour, clock) = (exact.get(..16).unwrap_or_default(), exact.get(11..16).unwrap_or_default());
        let x = LEFT + i * STEP + 3;
        Self {
            x,
            middle: x + (STEP - 6) / 2,
            hour: hour.to_owned(),
            allowed,
            would_refuse,
            refused,
            text: format!(
                "{clock} UTC: {}, {would_refuse} would be refused, {refused} refused",
                count(allowed, "call allowed", "calls allowed"),
            ),
            label: (i % 3 == 2).then(|| clock.to_owned()),
            pieces: Vec::new(),
        }
    }

    fn total(&self) -> u64 {
        self.allowed + self.would_refuse + self.refused
    }

    /// Stacks allowed, would-be-refused, refused. What is there at all is at least two units high,
    /// so that one refusal among thousands is seen.
    fn raise(&mut self, top: u64) {
        let mut y = FLOOR;
        for (class, n) in [("allowed", self.allowed), ("would", self.would_refuse), ("refused", self.refused)]
        {
            if n > 0 {
                let height = (n * HEIGHT / top).max(2);
                y = y.saturating_sub(height);
                self.pieces.push(Piece { class, y, height });
            }
        }
    }
}

/// The next round number that is even, so that its half is round as well.
fn nice(max: u64) -> u64 {
    let mut step = 1_u64;
    loop {
        for factor in [2, 4, 10] {
            let top = step.saturating_mul(factor);
            if top >= max {
                return top;
            }
        }
        step = step.saturating_mul(10);
    }
}

fn in_words(bars: &[Bar]) -> String {
    let sum = |what: fn(&Bar) -> u64| bars.iter().map(what).sum::<u64>();
    let busiest = bars.iter().max_by_key(|bar| bar.total()).filter(|bar| bar.total() > 0);
    let Some(busiest) = busiest else { return "No calls in the last 24 hours.".into() };
    format!(
        "{} allowed, {} would be refused, {} refused. The busiest hour began at {} UTC with {}.",
        count(sum(|bar| bar.allowed), "call", "calls"),
        sum(|bar| bar.would_refuse),
        sum(|bar| bar.refused),
        busiest.hour,
        count(busiest.total(), "call", "calls"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_never_leave_the_frame_and_one_refusal_is_seen() {
        let now = 1_800_000_000_000;
        let hour = now - now % HOUR_MS;
        let counted = vec![
            (hour, "allowed".to_owned(), 9_999),
            (hour, "refused".to_owned(), 1),
            (hour - HOUR_MS, "would-refuse".to_owned(), 3),
            (hour - 40 * HOUR_MS, "allowed".to_owned(), 77),
        ];
        let hours = Hours::new(&counted, now);
        assert_eq!(hours.bars.len(), 24);
        let last = hours.bars.last().unwrap();
        assert_eq!((last.allowed, last.refused), (9_999, 1));
        assert!(
            last.pieces
                .iter()
                .all(|piece| piece.height >= 2 && piece.y >= 8 && piece.y + piece.height <= FLOOR)
        );
        assert!(
            hours.text.starts_with("9,999 calls allowed, 3 would be refused, 1 refused."),
            "{}",
            hours.text
        );
    }

    #[test]
    fn an_idle_day_says_so() {
        assert_eq!(Hours::new(&[], 1_800_000_000_000).text, "No calls in the last 24 hours.");
    }

    #[test]
    fn the_scale_is_round() {
        for (max, top) in [(0, 2), (2, 2), (3, 4), (5, 10), (11, 20), (999, 1_000), (3_001, 4_000)] {
            assert_eq!(nice(max), top);
        }
    }
}
