//! Records on their way to the resident; here the resident is the test, on the real socket.

use crate::client::{Guard, World, eventually, misbehaving};
use crate::resident::Line;
use platform::Layout;
use platform::ipc::Listener;
use serde_json::json;

struct Machine {
    world: World,
    layout: Layout,
}

impl Machine {
    fn new() -> Self {
        let world = World::new();
        let layout = Layout::under(&world.root()).unwrap();
        layout.create().unwrap();
        Self { world, layout }
    }

    /// Not enrolled, so the server is held back and every call refused; records travel all the same.
    fn guard(&self) -> Guard {
        let server = misbehaving();
        self.world.start(&["wrap", "--name", "entry", "--", server.to_str().unwrap()], &[])
    }

    /// What stands in the segments of this machine.
    fn kept(&self) -> String {
        let Ok(found) = std::fs::read_dir(&self.layout.guard_spool) else { return String::new() };
        found.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    }

    fn segments(&self) -> usize {
        std::fs::read_dir(&self.layout.guard_spool).map_or(0, Iterator::count)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_the_resident_took_is_forgotten_and_an_empty_segment_goes() {
    let machine = Machine::new();
    let mut listener = Listener::bind(&machine.layout).unwrap();
    let mut guard = machine.guard();
    let mut line = Line::accept(&mut listener).await;
    let hello = line.hear().await["hello"].clone();
    assert_eq!((&hello["entry"], &hello["pid"]), (&json!("entry"), &json!(guard.id())));
    guard.call(1, "echo", &json!({"n": 1}));
    let seqs = line.records_until("call").await;
    assert_eq!(seqs, [1, 2]);
    assert!(machine.kept().contains("\"seq\":2"), "kept until it is taken");
    line.say(&json!({"taken": {"run": hello["run"], "through": 2}})).await;
    eventually("the segment is emptied", || machine.kept().is_empty());

    guard.close_stdin();
    assert_eq!(line.records_until("stopped").await, [3]);
    line.say(&json!({"taken": {"run": hello["run"], "through": 3}})).await;
    guard.wait();
    assert_eq!(machine.segments(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_resident_that_comes_later_gets_everything_from_the_beginning() {
    let machine = Machine::new();
    let mut guard = machine.guard();
    guard.call(1, "echo", &json!({}));
    guard.call(2, "echo", &json!({}));
    let mut listener = Listener::bind(&machine.layout).unwrap();
    let mut line = Line::accept(&mut listener).await;
    line.hear().await;
    assert_eq!(line.records_until("call").await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_resident_that_dies_before_it_took_them_gets_them_again() {
    let machine = Machine::new();
    let mut listener = Listener::bind(&machine.layout).unwrap();
    let mut guard = machine.guard();
    let mut line = Line::accept(&mut listener).await;
    line.hear().await;
    guard.call(1, "echo", &json!({}));
    assert_eq!(line.records_until("call").await, [1, 2]);
    drop((line, listener));
    guard.call(2, "echo", &json!({}));

    let mut listener = Listener::bind(&machine.layout).unwrap();
    let mut line = Line::accept(&mut listener).await;
    let hello = line.hear().await["hello"].clone();
    let mut seqs = line.records_until("call").await;
    while seqs.len() < 3 {
        seqs.extend(line.records_until("call").await);
    }
    assert_eq!(seqs, [1, 2, 3]);
    line.say(&json!({"taken": {"run": hello["run"], "through": 3}})).await;
    eventually("the segment is emptied", || machine.kept().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_guard_that_is_killed_leaves_its_records_for_the_sweep() {
    let machine = Machine::new();
    let mut guard = machine.guard();
    guard.call(1, "echo", &json!({}));
    guard.kill();
    let left = machine.kept();
    assert_eq!(left.lines().count(), 2);
    assert!(left.ends_with('\n'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_resident_that_never_answers_delays_nobody() {
    let machine = Machine::new();
    let _listener = Listener::bind(&machine.layout).unwrap();
    let mut guard = machine.guard();
    for id in 0..200 {
        assert!(guard.call(id, "echo", &json!({"a": "x".repeat(4096)})).get("error").is_some());
    }
    let started = std::time::Instant::now();
    guard.close_stdin();
    guard.wait();
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
    assert_eq!(machine.kept().lines().count(), 202);
}
