//! A guard under way learns what was approved or forgotten: it looks at the files now and then.

use super::{Pins, stamp};
use crate::pipeline::Pipeline;
use crate::pipeline::client::ToClient;
use gate::Definitions;
use policy::ServerIdentity;
use std::convert::Infallible;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(2);

/// Never ends; the guard drops it.
pub async fn watch<C: ToClient>(
    pins: &Pins,
    (server, definitions): (ServerIdentity, Definitions),
    pipeline: &Pipeline<'_, C>,
) -> Infallible {
    let files = pins.watched(server.as_str());
    let mut seen = files.each_ref().map(|path| stamp(path));
    loop {
        tokio::time::sleep(LOOK).await;
        let now = files.each_ref().map(|path| stamp(path));
        if now != seen {
            seen = now;
            definitions.learn(pins.known(&server));
            pipeline.show_again().await;
        }
    }
}
