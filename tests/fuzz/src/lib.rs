//! The borders where bytes of a stranger's come in, each as a function that panics where a promise is
//! broken. The engine (libFuzzer) finds inputs; the corpus it found is kept and replayed by every test run.
//!
//! Oracles are independent readers ([`lenient`]), never our own grammar.

mod conversation;
pub mod corpus;
mod door;
mod events;
mod frame;
mod lenient;
mod message;

/// One border.
pub struct Target {
    pub name: &'static str,
    /// What is promised of it.
    pub promise: &'static str,
    pub run: fn(&[u8]),
}

pub const TARGETS: &[Target] = &[
    Target {
        name: "frame",
        promise: "lines are the same however the bytes come, and bounded",
        run: frame::run,
    },
    Target {
        name: "message",
        promise: "what is parsed reads the same to every reader; edits change nothing else",
        run: message::run,
    },
    Target {
        name: "conversation",
        promise: "no reader, however lenient, finds what was refused in what is released",
        run: conversation::run,
    },
    Target {
        name: "events",
        promise: "messages are the same however the bytes come, and as the standard reads them",
        run: events::run,
    },
    Target {
        name: "door",
        promise: "every connection is answered as HTTP, and nobody comes in under another name",
        run: door::run,
    },
];

/// The border of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_breaks_no_promise() {
        for target in TARGETS {
            let inputs = corpus::read(target.name).expect("the corpus can be read");
            assert!(!inputs.is_empty(), "{} has no corpus", target.name);
            for input in inputs {
                (target.run)(&input);
            }
        }
    }
}
