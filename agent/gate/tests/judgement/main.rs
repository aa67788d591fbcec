//! The judgement seen from outside: lines of raw JSON in, what leaves and what is recorded out.

mod attacks;
mod calls;
mod endings;
mod ledger;
mod lists;
mod recording;
mod server_attacks;
mod spellings;
#[cfg(test)]
mod stage;
