//! The resident, its socket, and what it has found.

use super::Check;
use crate::ipc::client::{AskError, ask};
use crate::ipc::{FromResident, ToResident};
use crate::resident::Status;
use platform::Layout;
use platform::ipc::IpcError;

const RESIDENT: &str = "resident";
const SOCKET: &str = "local socket";
const START: &str = "start it: `portreeve run`, or the service that the package installed";

pub(super) async fn checks(layout: &Layout) -> Vec<Check> {
    match ask(layout, &ToResident::Status).await {
        Ok(FromResident::Status { status }) => match serde_json::from_value(status) {
            Ok(status) => answered(layout, &status),
            Err(_) => vec![another_version()],
        },
        Ok(_) => vec![another_version()],
        Err(error) if error.is_absent() => {
            vec![Check::failed(RESIDENT, "not running: policy and record stand still on this machine", START)]
        }
        Err(AskError::Ipc(error @ IpcError::Impostor { .. })) => {
            vec![Check::failed(
                SOCKET,
                error.to_string(),
                "find out who does that, and tell your security team",
            )]
        }
        Err(AskError::Ipc(error)) => {
            vec![Check::failed(
                SOCKET,
                error.to_string(),
                "let this user reach the socket, or start the resident anew",
            )]
        }
        Err(error) => vec![Check::failed(RESIDENT, error.to_string(), "start the resident anew")],
    }
}

fn another_version() -> Check {
    Check::failed(RESIDENT, "it is of another version than this program", "start the resident anew")
}

fn answered(layout: &Layout, status: &Status) -> Vec<Check> {
    let pid = status.resident.as_ref().map_or(0, |resident| resident.pid);
    let mut checks = vec![
        Check::well(RESIDENT, format!("running, pid {pid}")),
        Check::well(SOCKET, format!("{} is ours", layout.socket().display())),
    ];
    if let Some(refused) = &status.policy_refused {
        checks.push(Check::failed(
            "policy update",
            format!("refused ({}): {}", refused.code, refused.detail),
            "tell your security team; the last good policy stays in force",
        ));
    }
    let open = status.findings.iter().filter(|finding| !finding.healed);
    checks
        .extend(open.map(|finding| Check::failed("finding", finding.detail.clone(), remedy(&finding.code))));
    checks
}

fn remedy(code: &str) -> &'static str {
    match code {
        "entry-unwrapped" | "entry-direct" => "portreeve configs apply",
        "entry-steered" => "take the variable out of the entry's env, or ask your security team about it",
        "config-malformed" => "mend the file, then `portreeve configs apply`",
        "config-unwritable" => "make the file writable for its user, then `portreeve configs apply`",
        "spool-failing" => "make room on the disk; guards keep their records meanwhile",
        _ => "tell your security team",
    }
}
