//! The HTTP door: whatever a connection says, it is answered as HTTP, nothing falls over, and nobody
//! comes in under a name that is not the door's.

use agent::borders::DoorOnTrial;
use std::cell::RefCell;
use std::net::Ipv6Addr;
use tokio::runtime::Runtime;

/// A record grows; a new door begins a new one.
const LARGEST_RECORD: u64 = 16 << 20;
const LOOKED_AT_EVERY: u32 = 512;

struct Trial {
    runtime: Runtime,
    door: DoorOnTrial,
    runs: u32,
}

impl Trial {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, door: DoorOnTrial::new().expect("a folder for the record"), runs: 0 }
    }
}

thread_local! {
    static TRIAL: RefCell<Trial> = RefCell::new(Trial::new());
}

/// Is there an address in brackets that is our own, however it is spelt?
fn says_loopback(said: &str) -> bool {
    let bracketed = said.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    bracketed
        .filter_map(|text| text.parse::<Ipv6Addr>().ok())
        .any(|address| address.to_canonical().is_loopback())
}

/// A NUL parts the pieces in which it is said.
pub fn run(data: &[u8]) {
    let pieces: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    let heard = TRIAL.with_borrow_mut(|trial| {
        trial.runs += 1;
        if trial.runs.is_multiple_of(LOOKED_AT_EVERY) && trial.door.record_bytes() > LARGEST_RECORD {
            *trial = Trial::new();
        }
        trial.runtime.block_on(trial.door.hears(&pieces))
    });
    if heard.is_empty() {
        return;
    }
    assert!(heard.starts_with(b"HTTP/1."), "not HTTP: {:?}", String::from_utf8_lossy(&heard));
    let status = heard.get(9..12).unwrap_or_default();
    assert_ne!(status, b"500", "it fell over");
    let said = String::from_utf8_lossy(&pieces.concat()).to_ascii_lowercase();
    let ours = ["localhost", "127.", "::1", "0:1", "0x7f", "017"];
    if !ours.iter().any(|name| said.contains(name)) && !says_loopback(&said) {
        assert_ne!(status.first(), Some(&b'2'), "let in under another name");
    }
}
