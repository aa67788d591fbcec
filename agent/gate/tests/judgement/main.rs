//! The judgement seen from outside: lines of raw JSON in, what leaves and what is recorded out.

mod attacks;
#[cfg(test)]
mod batches;
mod beyond;
mod calls;
#[cfg(test)]
mod client_features;
mod definitions;
mod endings;
mod feature_attacks;
#[cfg(test)]
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
