//! From what the HTTP doors of a device have refused to an alert: one for each device and kind.

use super::{DOOR_TRIED, raise};
use crate::app::App;
use crate::store::StoreError;
use crate::store::devices::Device;
use contract::door::is_attempt;
use contract::printable;
use contract::record::{Record, What};
use contract::report::Severity;

const DETAIL: usize = 1024;

/// Raises what these records give reason for. What is no refusal at a door is none of ours.
pub async fn tell(app: &App, device: &Device, records: &[&str]) -> Result<(), StoreError> {
    for json in records {
        let Ok(Record { server, what: What::Malformed { code, message, .. }, .. }) =
            serde_json::from_str::<Record>(json)
        else {
            continue;
        };
        if is_attempt(&code) {
            let detail = detail(&message, &server.identity, device);
            raise(app, device, DOOR_TRIED, Severity::Warning, &code, &detail).await?;
        }
    }
    Ok(())
}

fn detail(message: &str, server: &str, device: &Device) -> String {
    let hostname = &device.machine.hostname;
    let mut line = printable::line(&format!(
        "At {server} on {hostname} a request was refused before it was read: {message}"
    ));
    line.truncate(line.floor_char_boundary(DETAIL));
    line
}
