use super::super::client::ask;
use super::*;
use crate::sync::Adopted;
use platform::Layout;
use policy::Mode;
use policy::ruleset::AgentSettings;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use time::OffsetDateTime;
use uuid::Uuid;

/// Answers hellos, never the rest.
struct Door {
    policy: watch::Sender<PolicyState>,
    gone: AtomicUsize,
}

impl Desk for Door {
    async fn answer(&self, _: &Peer, said: ToResident) -> Option<FromResident> {
        match said {
            ToResident::Hello { .. } => Some(FromResident::Welcome { policy_version: 0 }),
            ToResident::Records { .. } => std::future::pending().await,
            _ => Some(FromResident::Done),
        }
    }
    fn left(&self, _: &Peer) {
        self.gone.fetch_add(1, Ordering::SeqCst);
    }
    fn policy(&self) -> watch::Receiver<PolicyState> {
        self.policy.subscribe()
    }
}

fn stage() -> (TempDir, Layout, Arc<Door>) {
    stage_within(FIRST_LINE)
}

fn stage_within(first_line: Duration) -> (TempDir, Layout, Arc<Door>) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::under(folder.path()).unwrap();
    layout.create().unwrap();
    let door = Arc::new(Door { policy: watch::Sender::default(), gone: AtomicUsize::new(0) });
    tokio::spawn(serve_within(first_line, Listener::bind(&layout).unwrap(), Arc::clone(&door)));
    (folder, layout, door)
}

fn version(version: u64) -> PolicyState {
    let now = OffsetDateTime::now_utc();
    let settings = AgentSettings { heal: false, hide: false, door: policy::DoorSettings::default() };
    let adopted = Adopted {
        version,
        since: now,
        expires: now,
        mode: Mode::Enforce,
        settings,
        standing: policy::Standing::default(),
        contact: None,
    };
    PolicyState { adopted: Some(adopted), refused: None }
}

async fn next(lines: &mut Lines<tokio::io::ReadHalf<Stream>>) -> FromResident {
    serde_json::from_slice(&lines.next().await.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn a_guard_hears_of_a_policy_even_while_its_records_wait_for_the_disk() {
    let (_folder, layout, door) = stage();
    let (read, mut write) = tokio::io::split(Stream::connect(&layout).await.unwrap());
    let mut lines = Lines::new(read);
    let hello =
        ToResident::Hello { run: Uuid::now_v7(), pid: 1, entry: String::new(), identity: String::new() };
    write_message(&mut write, &hello).await.unwrap();
    assert!(matches!(next(&mut lines).await, FromResident::Welcome { .. }));
    write_message(&mut write, &ToResident::Records { records: Vec::new() }).await.unwrap();
    door.policy.send_replace(version(4));
    assert!(matches!(next(&mut lines).await, FromResident::PolicyChanged { version: 4 }));
    // The same version again, with another refusal beside it, is no news to a guard.
    door.policy.send_modify(|state| state.refused = None);
    door.policy.send_replace(version(5));
    assert!(matches!(next(&mut lines).await, FromResident::PolicyChanged { version: 5 }));
}

#[tokio::test]
async fn nonsense_on_the_socket_costs_its_speaker_the_connection_and_nobody_else() {
    let (_folder, layout, door) = stage();
    for nonsense in
        [&b"{\n"[..], b"{\"records\":{\"records\":[{}]}}\n", b"\xff\xfe\n", b"{\"shutdown\":{}}\n"]
    {
        let (read, mut write) = tokio::io::split(Stream::connect(&layout).await.unwrap());
        tokio::io::AsyncWriteExt::write_all(&mut write, nonsense).await.unwrap();
        assert!(Lines::new(read).next().await.unwrap().is_none(), "{nonsense:?}");
    }
    assert!(matches!(ask(&layout, &ToResident::LookAgain).await, Ok(FromResident::Done)));
    assert!(door.gone.load(Ordering::SeqCst) >= 4);
}

#[tokio::test]
async fn lines_are_put_together_from_pieces_and_end_at_their_limit() {
    let mut pieces = Lines::new(&b"one\ntw"[..]);
    assert_eq!(pieces.next().await.unwrap().unwrap(), b"one");
    assert_eq!(pieces.next().await.unwrap(), None, "half a line is no line");
    let endless = tokio::io::repeat(b'x');
    assert!(Lines::new(endless).next().await.is_err());
}

#[test]
fn attack_one_user_takes_every_place_at_the_resident() {
    let peer = |uid, user: &str| Peer { uid: Some(uid), user: user.to_owned(), pid: None };
    let places = Places::default();
    let mut mallory: Vec<_> = (0..1100).filter_map(|_| places.take(&peer(1000, "mallory"))).collect();
    assert_eq!(mallory.len(), CONNECTIONS);
    assert!(places.take(&peer(1001, "alice")).is_some());
    let root: Vec<_> = (0..1100).filter_map(|_| places.take(&peer(0, "root"))).collect();
    assert_eq!(root.len(), 1100);
    mallory.pop();
    assert!(places.take(&peer(1000, "mallory")).is_some(), "a place is free again");
}

#[tokio::test]
async fn attack_connections_that_say_nothing_do_not_stay() {
    let (_folder, layout, _door) = stage_within(Duration::from_millis(500));
    let (read, mut write) = tokio::io::split(Stream::connect(&layout).await.unwrap());
    let mut speaker = Lines::new(read);
    write_message(&mut write, &ToResident::LookAgain).await.unwrap();
    assert!(matches!(next(&mut speaker).await, FromResident::Done));
    for begun in [&b""[..], b"\"sta"] {
        let (read, mut write) = tokio::io::split(Stream::connect(&layout).await.unwrap());
        tokio::io::AsyncWriteExt::write_all(&mut write, begun).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), async { Lines::new(read).next().await });
        assert!(ended.await.unwrap().unwrap().is_none(), "{begun:?}");
    }
    // Whoever has spoken may be silent as long as they like.
    write_message(&mut write, &ToResident::LookAgain).await.unwrap();
    assert!(matches!(next(&mut speaker).await, FromResident::Done));
}
