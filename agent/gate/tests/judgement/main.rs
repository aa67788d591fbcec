//! The judgement seen from outside: lines of raw JSON in, what leaves and what is recorded out.

mod attacks;
mod batches;
mod calls;
mod client_features;
mod definitions;
mod endings;
mod feature_attacks;
mod features;
mod ledger;
mod lists;
mod recording;
#[cfg(test)]
mod redactions;
mod server_attacks;
mod spellings;
#[cfg(test)]
mod stage;
mod tasks;
