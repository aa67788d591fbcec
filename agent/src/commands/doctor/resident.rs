//! The resident, its socket, and what it has found.

use super::Check;
use crate::ipc::FromResident;
use crate::ipc::client::AskError;
use crate::resident::Status;
use contract::report::Finding;
use platform::Layout;
use platform::ipc::IpcError;

const RESIDENT: &str = "resident";
const SOCKET: &str = "local socket";
const START: &str = "start it: `portreeve run`, or the service that the package installed";

pub(super) fn checks(layout: &Layout, asked: Result<FromResident, AskError>) -> Vec<Check> {
    match asked {
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
            match status.policy {
                Some(_) => "tell your security team; the last good policy stays in force",
                None => "tell your security team; until a good one comes, every call is refused",
            },
        ));
    }
    let open = status.findings.iter().filter(|finding| !finding.healed);
    checks.extend(open.map(|finding| Check::failed("finding", finding.detail.clone(), remedy(finding))));
    checks
}

fn remedy(finding: &Finding) -> &'static str {
    match finding.code.as_str() {
        "spool-failing" if finding.subject == "spool/upload" => {
            "tell your security team what the policy server says; `portreeve enroll --again` begins a new log"
        }
        "spool-failing" if finding.subject == "spool/log" => {
            "tell your security team; the new log is in order, and a new start of the resident takes this away"
        }
        "spool-tampered" => {
            "keep a copy of the log (spool.sqlite) and tell your security team; this stays for 30 days"
        }
        "record-gap" => {
            "find out who may write guards' files, and tell your security team; this stays for 30 days"
        }
        "entry-unwrapped" | "entry-direct" => "portreeve configs apply",
        "entry-steered" => "take the variable out of the entry's env, or ask your security team about it",
        "config-malformed" => "mend the file, then `portreeve configs apply`",
        "config-unwritable" => "make the file writable for its user, then `portreeve configs apply`",
        "spool-failing" => "make room on the disk; guards keep their records meanwhile",
        _ => "tell your security team",
    }
}
