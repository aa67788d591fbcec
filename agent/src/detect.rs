//! Watches the configurations: what goes around us becomes a finding, and is put right where
//! policy says so.

use std::sync::Arc;

use contract::report::{Coverage, Finding};
use platform::Layout;
use tokio::sync::{Notify, watch};

use crate::clients::Home;

/// What may change while the resident runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectSettings {
    /// Put the guard back by ourselves where an entry went around it.
    pub heal: bool,
}

/// What detection works on.
#[derive(Debug, Clone)]
pub struct DetectContext {
    pub layout: Layout,
    pub home: Home,
    pub settings: watch::Receiver<DetectSettings>,
    /// Rung when a command changed the configurations: look at once.
    pub look_again: Arc<Notify>,
}

/// What was found, always the whole present state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectState {
    pub coverage: Coverage,
    pub findings: Vec<Finding>,
}

/// Starts watching; ends when every receiver is dropped.
pub fn spawn(_context: DetectContext) -> watch::Receiver<DetectState> {
    watch::channel(DetectState::default()).1
}

/// Forgets what was seen, so that a later enrolment begins anew.
pub fn forget(_steward: &crate::steward::Steward) {}
