use super::*;
use contract::record::{Client, Happened, Part, Server};
use gate::definitions::{Digest, Subject};
use uuid::Uuid;

struct Device {
    folder: tempfile::TempDir,
    pins: Pins,
    clock: i64,
}

fn server(name: &str) -> ServerIdentity {
    ServerIdentity::from_command("npx", &["-y".to_owned(), name.to_owned()])
}

fn tool(description: &str) -> String {
    format!(r#"{{"name":"read_notes","description":"{description}"}}"#)
}

impl Device {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pins = Pins::of(&Layout::under(folder.path()).unwrap());
        Self { folder, pins, clock: 1 }
    }

    fn record(&mut self, server: &ServerIdentity, event: Happened, held: bool, raw: &str) -> Record {
        self.clock += 1;
        let definition = Definition {
            part: Part::Tool,
            tool: Some("read_notes".to_owned()),
            name: String::new(),
            event,
            digest: Digest::of(raw).to_string(),
            was: None,
            held,
            let_through: false,
            approved: false,
            disapproval: None,
            flags: Vec::new(),
            changes: Vec::new(),
            definition: Some(serde_json::value::RawValue::from_string(raw.to_owned()).unwrap()),
            policy_version: 1,
        };
        Record {
            id: Uuid::now_v7(),
            time_ms: self.clock,
            run: Uuid::nil(),
            seq: 1,
            member: String::new(),
            device: String::new(),
            os_user: account::own_name(),
            client: Client::default(),
            server: Server { identity: server.as_str().to_owned(), ..Server::default() },
            what: What::Definition(Box::new(definition)),
        }
    }

    fn pin(&self, server: &ServerIdentity) -> gate::definitions::Pin {
        let part = gate::definitions::Part::Tool;
        self.pins.known(server).pins.remove(&Subject { part, name: "read_notes".to_owned() }).unwrap()
    }
}

#[test]
fn what_is_recorded_is_pinned_and_what_is_held_waits_for_an_approval() {
    let (mut device, notes) = (Device::new(), server("@acme/notes"));
    assert!(device.pins.known(&notes).pins.is_empty());
    let first = device.record(&notes, Happened::New, false, &tool("Reads."));
    let held = device.record(&notes, Happened::Changed, true, &tool("Reads and sends."));
    device.pins.follow(&[first.clone(), held.clone()]);
    let pin = device.pin(&notes);
    assert_eq!(pin.pinned.unwrap().digest, Digest::of(&tool("Reads.")));
    assert_eq!(pin.held.unwrap().digest, Digest::of(&tool("Reads and sends.")));

    assert_eq!(device.pins.approve(notes.as_str(), Some("another")).unwrap().count, 0);
    assert_eq!(device.pins.approve(notes.as_str(), None).unwrap().count, 1);
    let pin = device.pin(&notes);
    assert!(pin.held.is_none());
    assert_eq!(pin.pinned.unwrap().digest, Digest::of(&tool("Reads and sends.")));
    assert_eq!(pin.before.unwrap().digest, Digest::of(&tool("Reads.")));
    // Sent again, as records are: old news.
    let old = first.clone();
    device.pins.follow(&[first, held]);
    assert_eq!(device.pin(&notes).pinned.unwrap().digest, Digest::of(&tool("Reads and sends.")));

    let forgotten = device.pins.forget(notes.as_str(), None).unwrap();
    assert_eq!((forgotten.count, forgotten.told[0].event), (1, Happened::Forgotten));
    assert!(device.pins.known(&notes).pins.is_empty());
    assert!(device.pins.all().unwrap().is_empty(), "nothing is listed of it");
    // Of before it was forgotten, and late.
    device.pins.follow(&[old]);
    assert!(device.pins.known(&notes).pins.is_empty());
}

#[test]
fn attack_a_guards_record_claims_an_approval() {
    let (mut device, notes) = (Device::new(), server("@acme/notes"));
    let first = device.record(&notes, Happened::New, false, &tool("Reads."));
    let forged = device.record(&notes, Happened::Approved, false, &tool("Sends."));
    device.pins.follow(&[first, forged]);
    assert_eq!(device.pin(&notes).pinned.unwrap().digest, Digest::of(&tool("Reads.")));
}

#[test]
fn an_approval_is_told_with_what_it_took_and_what_it_replaced() {
    let (mut device, notes) = (Device::new(), server("@acme/notes"));
    let first = device.record(&notes, Happened::New, false, &tool("Reads."));
    let held = device.record(&notes, Happened::Changed, true, &tool("Sends."));
    device.pins.follow(&[first, held]);
    let told = device.pins.approve(notes.as_str(), None).unwrap().told;
    let approved = &told[0];
    assert_eq!((approved.event, approved.held, approved.approved), (Happened::Approved, false, false));
    assert_eq!(approved.digest, Digest::of(&tool("Sends.")).to_string());
    assert_eq!(approved.was, Some(Digest::of(&tool("Reads.")).to_string()));
}

#[test]
fn what_no_resident_has_taken_counts_as_known() {
    let (mut device, notes) = (Device::new(), server("@acme/notes"));
    let first = device.record(&notes, Happened::New, false, &tool("Reads."));
    let held = device.record(&notes, Happened::Changed, true, &tool("Sends."));
    let spool = device.folder.path().join("guard-spool");
    std::fs::create_dir_all(&spool).unwrap();
    // Two guards; the newer one's file comes first by its name, and the last line is still being written.
    let line = |record: &Record| serde_json::to_string(record).unwrap();
    std::fs::write(spool.join("2.jsonl"), format!("{}\n{{\"kind\":\"defin", line(&held))).unwrap();
    std::fs::write(spool.join("1.jsonl"), format!("{}\nnonsense\n", line(&first))).unwrap();
    let pin = device.pin(&notes);
    assert_eq!(pin.pinned.unwrap().digest, Digest::of(&tool("Reads.")));
    assert_eq!(pin.held.unwrap().digest, Digest::of(&tool("Sends.")));
    assert_eq!(device.pins.standing(|_| None).held[0].definitions, ["tool read_notes"]);
    assert!(device.pins.known(&server("@acme/other")).pins.is_empty());
    assert!(device.pins.forget(notes.as_str(), None).is_ok(), "nothing on disk to forget");
    assert!(!device.folder.path().join("state/pins").join("names.json").exists());
}

#[test]
fn attack_an_entry_is_renamed_to_be_trusted_anew() {
    let (mut device, notes) = (Device::new(), server("@acme/notes"));
    let mut record = device.record(&notes, Happened::New, false, &tool("Reads."));
    record.server.entry = "notes".to_owned();
    device.pins.follow(&[record]);
    // The entry's name is nowhere: whatever it is called now, the pin holds.
    assert_eq!(device.pin(&notes).pinned.unwrap().digest, Digest::of(&tool("Reads.")));
}

#[test]
fn attack_a_pin_file_that_is_torn_or_anothers() {
    let (mut device, notes, other) = (Device::new(), server("@acme/notes"), server("@acme/other"));
    let record = device.record(&notes, Happened::New, false, &tool("Reads."));
    device.pins.follow(std::slice::from_ref(&record));
    let path = file::path(&device.pins.folder(), notes.as_str());
    let whole = std::fs::read(&path).unwrap();
    std::fs::copy(&path, file::path(&device.pins.folder(), other.as_str())).unwrap();
    assert!(device.pins.known(&other).trouble.unwrap().contains("it is about"));
    for torn in
        [&b""[..], b"{", &whole[..whole.len() / 2], b"{\"format\":2,\"identity\":\"\",\"pins\":[]}", b"[]"]
    {
        std::fs::write(&path, torn).unwrap();
        let trouble = device.pins.known(&notes).trouble.expect("it cannot be read");
        assert!(trouble.contains("portreeve pins forget"), "{trouble}");
        device.pins.follow(std::slice::from_ref(&record));
        assert_eq!(std::fs::read(&path).unwrap(), torn, "nothing is written over what cannot be read");
        assert!(device.pins.all().unwrap().iter().any(|found| found.pinned.is_err()));
    }
    assert_eq!(device.pins.forget(notes.as_str(), None).unwrap().count, 1);
    assert!(device.pins.known(&notes).trouble.is_none());
}

#[test]
fn other_servers_tools_are_known_by_name_but_not_those_of_another_version() {
    let (mut device, notes) = (Device::new(), server("@acme/notes@1.0.0"));
    let record = device.record(&notes, Happened::New, false, &tool("Reads."));
    device.pins.follow(&[record]);
    assert_eq!(device.pins.known(&server("@evil/notes")).elsewhere.owner("read_notes"), Some(notes.as_str()));
    assert_eq!(device.pins.known(&server("@acme/notes@2.0.0")).elsewhere.owner("read_notes"), None);
    assert_eq!(device.pins.known(&notes).elsewhere.owner("read_notes"), None);
}

#[test]
fn products_are_told_apart_by_what_stands_before_their_version() {
    for (identity, expected) in [
        ("npm:@acme/notes@1.2", "npm:@acme/notes"),
        ("npm:@acme/notes", "npm:@acme/notes"),
        ("npm:notes@1", "npm:notes"),
        ("exec:/opt/notes+sha256:00", "exec:/opt/notes"),
        ("pypi:notes==1.2", "pypi:notes"),
        ("oci:registry.example:5000/acme/notes:3", "oci:registry.example:5000/acme/notes"),
        ("oci:registry.example:5000/acme/notes", "oci:registry.example:5000/acme/notes"),
        ("https://notes.example/mcp", "https://notes.example/mcp"),
        ("npm:", "npm:"),
        ("", ""),
    ] {
        assert_eq!(product(identity), expected);
    }
}

#[test]
fn only_the_owner_reads_them_in_a_users_own_layout() {
    let (mut device, notes) = (Device::new(), server("@acme/notes"));
    let record = device.record(&notes, Happened::New, false, &tool("Reads."));
    device.pins.follow(&[record]);
    let path = file::path(&device.folder.path().join("state/pins"), notes.as_str());
    assert_eq!(platform::files::mode_of_others(&path).unwrap(), None);
}
