//! The judgement seen from outside: lines of raw JSON in, what leaves and what is recorded out.

mod attacks;
mod calls;
mod endings;
mod ledger;
mod lists;
mod recording;
#[cfg(test)]
mod stage;
