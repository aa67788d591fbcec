//! The resident's own door: an enrolled machine, governed entries, clients that dial URLs.

use crate::client::{Door, call, initialize, modern, repeated, talking};
use crate::world::{Organisation, PATIENCE, World, eventually, is_running, text_of};
use platform::files::replace_private;
use policy::Standing;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// One enrolled machine, its resident and its user's home.
struct Machine {
    acme: Organisation,
    resident: Option<Child>,
}

impl Machine {
    async fn new(policy: &str) -> Self {
        let acme = Organisation::of(World::new()).await;
        let made = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
        replace_private(&acme.layout.device_certificate(), made.cert.pem().as_bytes()).unwrap();
        replace_private(&acme.layout.device_key(), made.signing_key.serialize_pem().as_bytes()).unwrap();
        acme.adopt(1, policy, &Standing::default()).await;
        let machine = Self { acme, resident: None };
        machine.configure();
        machine
    }

    /// One governed server, one that needs what nobody has, and one that is not governed.
    fn configure(&self) {
        let root = self.acme.world.root();
        let guarded = |name: &str, server: &str| json!({"command": env!("CARGO_BIN_EXE_portreeve"), "args": ["wrap", "--name", name, "--root", root, "--", server]});
        let mut talk = guarded("talk", talking().to_str().unwrap());
        talk["env"] = json!({"TALKING_PIDS": "${HOME}/../pids"});
        let config = json!({"mcpServers": {
            "talk": talk, "needs": guarded("needs", "${NOT_SET_ANYWHERE}"), "direct": {"command": "true"},
        }});
        std::fs::create_dir_all(self.home()).unwrap();
        std::fs::write(self.home().join(".claude.json"), config.to_string()).unwrap();
    }

    fn home(&self) -> std::path::PathBuf {
        self.acme.world.path().join("home")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.args(["--json", "--root"]).arg(self.acme.world.root()).args(args);
        command.env("HOME", self.home()).env_remove("CLAUDE_CONFIG_DIR").env_remove("TALKING_PIDS");
        command.stderr(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Value {
        let output = self.command(args).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{args:?} {error}: {said:?}"))
    }

    fn start_resident(&mut self) {
        self.resident = Some(self.command(&["run"]).stdout(Stdio::null()).spawn().unwrap());
    }

    fn end_resident(&mut self) {
        let mut resident = self.resident.take().unwrap();
        crate::world::signal(resident.id(), "TERM");
        eventually("the resident ends", || resident.try_wait().unwrap().is_some());
    }

    /// The door of the one server, once it is open.
    fn server(&self) -> Value {
        let mut listed = Value::Null;
        eventually("the door is open", || {
            listed = self.run(&["door", "list"]);
            listed["door"]["servers"].as_array().is_some_and(|servers| !servers.is_empty())
        });
        assert_eq!(listed["door"]["servers"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(listed["door"]["left_out"][0][0], "needs");
        listed["door"]["servers"][0].clone()
    }

    fn door(&self, client: &str) -> Door {
        let url = self.server()["url"].as_str().unwrap().to_owned();
        let granted = self.run(&["door", "grant", client]);
        let credential = granted["credential"].as_str().unwrap_or_else(|| panic!("{granted}")).to_owned();
        let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
        let door = Door::dialled(address, &format!("/{}", path.trim_end_matches("/mcp")), Some(credential));
        assert_ne!(door.request("GET", "/mcp", &[], "").status, 401, "what was told opens at once");
        door
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(resident) = &mut self.resident {
            let _ = resident.kill();
            let _ = resident.wait();
        }
    }
}

fn policy(door: &str) -> String {
    format!(
        r#"
[defaults]
mode = "enforce"
heal = false
[door]
{door}
[servers.talking]
match = ["exec:*talking-server"]
[roles.all]
members = ["*"]
[[grants]]
name = "echo"
roles = ["all"]
servers = ["talking"]
tools = ["echo", "pid"]
"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_speaks_only_urls_is_governed_as_any_other() {
    let mut machine = Machine::new(&policy("enabled = true")).await;
    machine.start_resident();
    let door = machine.door("desktop");
    let session = door.session();
    assert!(text_of(&session.call("echo", &json!({"n": 1})).json()).contains(r#""n":1"#));
    assert_eq!(session.call("wipe", &json!({})).json()["error"]["code"], -32003);
    let server = machine.acme.world.pids()[0];
    eventually("the refusal is in the machine's log", || {
        machine.run(&["explain"]).to_string().contains("wipe")
    });
    let refused = machine.run(&["explain"]).to_string();
    assert!(refused.contains("alice@acme.example") && refused.contains("\"talk\""), "{refused}");
    let named = |record: &Value| record["kind"] == "call" && record["client"]["door"] == "desktop";
    eventually("its calls name its credential", || {
        logged(&machine).iter().filter(|it| named(it)).count() == 2
    });

    // What nobody serves, and nobody else's session.
    assert_eq!(door.request("GET", "/../direct/mcp", &[], "").status, 404);
    let other = machine.door("other");
    let stolen = other.request("POST", "/mcp", &session.headers(), &call(9, "echo", &json!({})).to_string());
    assert_eq!(stolen.status, 404, "another client's session does not exist");
    assert_eq!(other.request("DELETE", "/mcp", &session.headers(), "").status, 404);
    assert_eq!(session.call("echo", &json!({})).status, 200);

    let theirs = other.session();
    let (mut listening, their_server) = (theirs.get(None), machine.acme.world.pids()[1]);
    assert_eq!(machine.run(&["door", "revoke", "other"])["revoked"], "other");
    assert_eq!(listening.events_to_end(), [], "what was open ends");
    eventually("its server is gone", || !is_running(their_server));
    eventually("it is let in no more", || other.request("GET", "/mcp", &[], "").status == 401);
    assert_eq!(session.call("echo", &json!({})).status, 200);
    machine.end_resident();
    assert!(!is_running(server));
    assert_eq!(machine.run(&["door", "list"])["open"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_has_left_keeps_no_server_running_at_the_door() {
    let mut machine = Machine::new(&policy("enabled = true")).await;
    machine.start_resident();
    let door = machine.door("desktop");
    let idle = door.session();
    let server = machine.acme.world.pids()[0];
    let left =
        Standing { suspended_members: ["alice@acme.example".to_owned()].into(), ..Standing::default() };
    machine.acme.adopt(2, &policy("enabled = true"), &left).await;
    eventually("its server is gone", || !is_running(server));
    assert_eq!(idle.call("echo", &json!({})).status, 404);
    let refused = door.request("POST", "/mcp", &[], &initialize("2025-11-25")).json();
    assert_eq!(refused["error"]["data"]["portreeve"]["rule"], "member-suspended", "{refused}");
    assert_eq!(machine.acme.world.pids().len(), 1, "no other is started");
    let ended = |record: &Value| record["kind"] == "stopped" && record["why"].to_string().contains("no more");
    eventually("the record says why", || logged(&machine).iter().any(ended));

    machine.acme.adopt(3, &policy("enabled = true"), &Standing::default()).await;
    eventually("whoever is back is served anew", || {
        door.request("POST", "/mcp", &[], &initialize("2025-11-25")).json().get("result").is_some()
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clients_of_two_credentials_do_not_share_a_server() {
    let mut machine = Machine::new(&policy("enabled = true")).await;
    machine.start_resident();
    let pid = |door: &Door| {
        let body = modern("test", 1, "tools/call", json!({"name": "pid", "arguments": {}}));
        let headers = repeated(&body);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        text_of(&door.request("POST", "/mcp", &headers, &body.to_string()).json()).to_owned()
    };
    let (one, two) = (machine.door("one"), machine.door("two"));
    assert_eq!(pid(&one), pid(&one));
    assert_ne!(pid(&one), pid(&two));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_port_stays_when_the_resident_starts_again() {
    let mut machine = Machine::new(&policy("enabled = true")).await;
    machine.start_resident();
    let before = machine.server();
    machine.end_resident();
    machine.start_resident();
    assert_eq!(machine.server(), before);
}

/// Whoever else held `[::1]` would be shown the credentials of clients that say `localhost`.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn attack_another_user_listens_at_the_other_loopback_address() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // There is no other one.
    }
    let mut machine = Machine::new(&policy("enabled = true")).await;
    machine.start_resident();
    let mut door = machine.door("desktop");
    let port = door.address.rsplit_once(':').unwrap().1.to_owned();
    let other = format!("[::1]:{port}");
    assert!(std::net::TcpListener::bind(&other).is_err(), "it is the door's own");
    door.address = other;
    let session = door.session();
    assert!(text_of(&session.call("echo", &json!({"n": 1})).json()).contains(r#""n":1"#));
    let unknown = [("Authorization", "Bearer nobodys")];
    assert_eq!(door.request("POST", "/mcp", &unknown, &initialize("2025-11-25")).status, 401);
    assert_eq!(door.request("GET", "/mcp", &[("Host", "[::2]:80")], "").status, 403);
    machine.end_resident();

    // Where somebody has it before the resident starts, its port stays, for those who say 127.0.0.1.
    let _squatter = std::net::TcpListener::bind(&door.address).unwrap();
    machine.start_resident();
    assert!(machine.server()["url"].as_str().unwrap().contains(&format!("127.0.0.1:{port}/")));
}

/// The machine's log, as far as it is not upstream; here nobody takes it.
fn logged(machine: &Machine) -> Vec<Value> {
    let Ok(log) = rusqlite::Connection::open(machine.acme.layout.spool()) else { return Vec::new() };
    let Ok(mut found) = log.prepare("SELECT json FROM record ORDER BY seq") else { return Vec::new() };
    let lines = found.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn of_door(machine: &Machine, code: &str) -> Vec<Value> {
    logged(machine).into_iter().filter(|record| record["code"] == code).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn attack_a_credential_is_guessed_at_the_residents_door_and_nobody_hears_of_it() {
    let mut machine = Machine::new(&policy("enabled = true")).await;
    machine.start_resident();
    let (door, other) = (machine.door("desktop"), machine.door("other"));
    let session = door.session();
    let guess = [("Authorization", "Bearer prv_guessed-by-somebody")];
    for _ in 0..5 {
        let refused = door.request("POST", "/mcp", &guess, &initialize("2025-11-25"));
        assert_eq!(refused.status, 401);
        let told = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(told.contains("not valid here") && !told.contains("desktop"), "{told}");
    }
    assert_eq!(door.request("GET", "/mcp", &[("Origin", "https://evil.example")], "").status, 403);
    assert_eq!(other.request("GET", "/mcp", &session.headers(), "").status, 404);
    eventually("they are in the machine's log", || {
        ["door-credential", "door-origin", "door-others-session"]
            .iter()
            .all(|code| of_door(&machine, code).len() == 1)
    });
    let stolen = of_door(&machine, "door-others-session")[0].clone();
    let message = stolen["message"].as_str().unwrap();
    assert!(message.contains("`desktop`") && message.contains("`other` asked"), "{message}");
    assert_eq!((&stolen["member"], &stolen["device"]), (&json!("alice@acme.example"), &json!("device-1")));
    assert!(stolen["server"]["identity"].as_str().unwrap().contains(&door.address), "{stolen}");
    let id = session.id.clone();
    machine.end_resident();
    machine.start_resident();
    eventually("what was counted is told too", || of_door(&machine, "door-credential").len() == 2);
    let all = serde_json::to_string(&logged(&machine)).unwrap();
    assert!(all.contains(" more within ") && !all.contains("guessed-by-somebody") && !all.contains(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_door_is_shut_where_policy_says_so() {
    let mut machine = Machine::new(&policy("enabled = false")).await;
    machine.start_resident();
    eventually("the resident runs", || machine.run(&["status"])["resident"].to_string().len() > 4);
    assert_eq!(machine.run(&["door", "list"])["open"], false);
    assert!(!machine.acme.layout.state.join("door/port").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn by_https_the_door_is_trusted_by_its_own_certificate_alone() {
    let mut machine = Machine::new(&policy("enabled = true\nhttps = true")).await;
    machine.start_resident();
    let credential = machine.run(&["door", "grant", "desktop"])["credential"].as_str().unwrap().to_owned();
    let url = machine.server()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let listed = machine.run(&["door", "list"]);
    let authority = std::fs::read(listed["door"]["certificate"].as_str().unwrap()).unwrap();
    let authority = reqwest::Certificate::from_pem(&authority).unwrap();
    let client = |builder: reqwest::ClientBuilder| builder.no_proxy().timeout(PATIENCE).build().unwrap();
    let trusting = client(reqwest::Client::builder().tls_certs_only([authority]));
    let post = |client: &reqwest::Client| {
        client
            .post(&url)
            .bearer_auth(&credential)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .body(initialize("2025-11-25"))
            .send()
    };
    assert_eq!(post(&trusting).await.unwrap().status(), 200);
    assert!(post(&client(reqwest::Client::builder())).await.is_err(), "nobody else vouches for it");
    assert!(trusting.get(url.replace("https:", "http:")).send().await.is_err(), "no word in clear");
}
