//! A state in one word, with a mark beside it whose shape, not only its colour, tells it.

use askama::filters::HtmlSafe;
use policy::Outcome;
use std::fmt;

/// Renders as a `<span>`. The words are ours, fixed at compile time: there is nothing to escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    shape: Shape,
    word: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Ok,
    Warn,
    Bad,
    Off,
    None,
}

impl HtmlSafe for Mark {}

impl Mark {
    pub const NONE: Self = Self { shape: Shape::None, word: "" };

    pub const fn ok(word: &'static str) -> Self {
        Self { shape: Shape::Ok, word }
    }

    pub const fn warn(word: &'static str) -> Self {
        Self { shape: Shape::Warn, word }
    }

    pub const fn bad(word: &'static str) -> Self {
        Self { shape: Shape::Bad, word }
    }

    pub const fn off(word: &'static str) -> Self {
        Self { shape: Shape::Off, word }
    }

    pub fn outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allowed => Self::ok("allowed"),
            Outcome::Refused => Self::bad("refused"),
            Outcome::WouldRefuse => Self::warn("would be refused"),
        }
    }

    /// As the store keeps it.
    pub fn decision(decision: Option<&str>) -> Self {
        match decision {
            None => Self::NONE,
            Some("allowed") => Self::outcome(Outcome::Allowed),
            Some("refused") => Self::outcome(Outcome::Refused),
            Some("would-refuse") => Self::outcome(Outcome::WouldRefuse),
            Some(_) => Self::warn("unknown"),
        }
    }

    pub fn severity(severity: &str) -> Self {
        match severity {
            "critical" => Self::bad("critical"),
            "warning" => Self::warn("warning"),
            _ => Self::off("info"),
        }
    }

    pub fn fate(fate: contract::record::Fate) -> Self {
        use contract::record::Fate;
        match fate {
            Fate::Ok => Self::ok("ok"),
            Fate::ToolError => Self::warn("tool error"),
            Fate::Error => Self::warn("error"),
            Fate::Cancelled => Self::off("cancelled"),
            Fate::Lost => Self::bad("lost"),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.shape {
            Shape::Ok => "ok",
            Shape::Warn => "warn",
            Shape::Bad => "bad",
            Shape::Off => "off",
            Shape::None => return Ok(()),
        };
        write!(f, r#"<span class="st {class}">{}</span>"#, self.word)
    }
}
