//! One module for each verb.

pub mod configs;
pub mod doctor;
pub mod enroll;
pub mod explain;
pub mod run;
pub mod status;
pub mod unenroll;
pub mod wrap;
