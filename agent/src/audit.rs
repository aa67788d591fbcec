//! The agent's side of the record: kept before release, then carried upstream without loss.

pub mod link;
pub mod recorder;
pub mod segment;
pub mod spool;
pub mod upload;
