//! What every handler works with: one installation of the policy server, open.

use crate::admin_auth::Limits;
use crate::fleet::Presence;
use crate::publish::Publisher;
use crate::store::Store;
use crate::tls::Authority;
use contract::report::StreamEvent;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast, watch};
use url::Url;

/// Handlers take `State<Shared>`.
pub type Shared = Arc<App>;

pub struct App {
    pub organisation: String,
    /// Where agents and admins reach this server.
    pub public_url: Url,
    pub store: Store,
    /// Signs device certificates.
    pub authority: Authority,
    /// Signs policy.
    pub publisher: Publisher,
    /// To every open agents' stream.
    pub pushes: broadcast::Sender<StreamEvent>,
    pub presence: Presence,
    pub limits: Limits,
    /// A device silent for longer is shown as dark.
    pub dark_after: Duration,
    /// Deliveries may be waiting.
    pub courier: Notify,
    /// Becomes true when the server stops; open streams end then.
    pub stopping: watch::Sender<bool>,
}

impl App {
    /// How often a device must report: three chances before it is dark.
    #[must_use]
    pub fn report_every(&self) -> Duration {
        (self.dark_after / 3).max(Duration::from_millis(200))
    }
}
