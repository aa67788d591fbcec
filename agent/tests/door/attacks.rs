//! Attacks on the door, named as such.

use crate::client::{call, initialize, modern, repeated};
use crate::web_client::{read_answer, send_raw};
use crate::world::{World, text_of};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn attack_a_web_page_rebinds_its_name_to_the_door() {
    let world = World::new();
    let door = world.door(&["--client-auth", "none"]);
    let (evil, ours) = ("evil.example", format!("http://{}", door.address));
    for headers in
        [[("Host", evil), ("Origin", "")], [("Host", &door.address), ("Origin", "http://evil.example")]]
    {
        for (method, path) in [("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/sse"), ("OPTIONS", "/mcp")] {
            assert_eq!(
                door.request(method, path, &headers, &initialize("2025-11-25")).status,
                403,
                "{headers:?}"
            );
        }
    }
    let own = [("Origin", ours.as_str())];
    assert_eq!(door.request("POST", "/mcp", &own, &initialize("2025-11-25")).status, 200);
    assert_eq!(world.pids().len(), 1, "nothing was started for a stranger");
}

#[test]
fn attack_a_guessed_credential() {
    let world = World::new();
    let door = world.door(&[]);
    let right = door.credential.clone().unwrap();
    let short = format!("Bearer {}", &right[..right.len() - 1]);
    let long = format!("Bearer {right}0");
    let basic = format!("Basic {right}");
    for shown in ["", "Bearer", "Bearer ", "Bearer prv_0000", &short, &long, &basic, &right] {
        let answer = door.request("POST", "/mcp", &[("Authorization", shown)], &initialize("2025-11-25"));
        assert_eq!(answer.status, 401, "{shown}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    for (method, path) in
        [("GET", "/mcp"), ("GET", "/sse"), ("POST", "/messages?session=x"), ("GET", "/other")]
    {
        assert_eq!(door.request(method, path, &[("Authorization", "")], "").status, 401, "{path}");
    }
    assert!(world.pids().is_empty());
}

#[test]
fn attack_a_session_id_that_is_made_up_or_cut_short() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let short = &session.id[..session.id.len() - 1];
    for id in [short, "0", "../mcp", &session.id.to_uppercase()] {
        let answer =
            door.request("POST", "/mcp", &[("Mcp-Session-Id", id)], &call(1, "echo", &json!({})).to_string());
        assert_eq!(answer.status, 404, "{id}");
        assert_eq!(door.request("POST", &format!("/messages?session={id}"), &[], "{}").status, 404);
    }
    let none = door.request("POST", "/mcp", &[], &call(1, "echo", &json!({})).to_string());
    assert_eq!(none.status, 400);
    let other = door.session();
    assert!(other.id.len() >= 32 && other.id[..8] != session.id[..8]);
}

#[test]
fn attack_headers_that_disagree_with_their_body() {
    let world = World::new();
    let door = world.door(&[]);
    let body = modern("test", 1, "tools/call", json!({"name": "wipe", "arguments": {}}));
    let with = |changed: &[(&'static str, &'static str)]| {
        let mut headers = repeated(&body);
        headers.retain(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        headers.extend(changed.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = door.request("POST", "/mcp", &headers, &body.to_string());
        (answer.status, answer.json()["error"]["code"].clone())
    };
    for changed in [
        ("Mcp-Name", "echo"),
        ("Mcp-Name", ""),
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", ""),
        ("MCP-Protocol-Version", ""),
        ("MCP-Protocol-Version", "2025-11-25"),
    ] {
        assert_eq!(with(&[changed]), (400, json!(-32020)), "{changed:?}");
    }
    let later = json!({"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"_meta": {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}}});
    let answer = door.request("POST", "/mcp", &[("MCP-Protocol-Version", "2099-01-01")], &later.to_string());
    assert_eq!(answer.status, 400);
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], -32022);
    assert!(error["data"]["supported"].as_array().unwrap().contains(&json!("2026-07-28")));
    assert!(world.pids().is_empty(), "nothing was started for it");
}

#[test]
fn attack_a_version_that_is_none() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let headers = [("Mcp-Session-Id", session.id.as_str()), ("MCP-Protocol-Version", "1900-01-01")];
    assert_eq!(door.request("POST", "/mcp", &headers, &call(1, "echo", &json!({})).to_string()).status, 400);
    let absent = [("Mcp-Session-Id", session.id.as_str())];
    assert_eq!(door.request("POST", "/mcp", &absent, &call(2, "echo", &json!({})).to_string()).status, 200);
}

#[test]
fn attack_a_body_that_is_something_else_than_it_says() {
    let world = World::new();
    let door = world.door(&[]);
    let init = initialize("2025-11-25");
    for (name, value, status) in [
        ("Content-Type", "text/plain", 415),
        ("Content-Type", "", 415),
        ("Content-Type", "application/json; charset=utf-16", 415),
        ("Content-Type", "application/x-www-form-urlencoded", 415),
        ("Content-Encoding", "gzip", 415),
        ("Accept", "application/json", 406),
        ("Accept", "text/html", 406),
        ("Accept", "", 406),
    ] {
        assert_eq!(door.request("POST", "/mcp", &[(name, value)], &init).status, status, "{name}: {value}");
    }
    let put = door.request("PUT", "/mcp", &[], "");
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, POST, DELETE")));
    assert_eq!(door.request("GET", "/mcp", &[("Accept", "application/json")], "").status, 406);
    assert_eq!(door.request("POST", "/elsewhere", &[], &init).status, 404);
    assert!(world.pids().is_empty());
}

#[test]
fn attack_a_body_of_more_than_the_limit() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let announced = session.headers().into_iter().chain([("Content-Length", "40000000")]).collect::<Vec<_>>();
    assert_eq!(door.request("POST", "/mcp", &announced, "").status, 413);
    // Without a length it is cut off where it becomes too long.
    let headers: Vec<_> = session
        .headers()
        .into_iter()
        .chain([("Content-Length", ""), ("Transfer-Encoding", "chunked")])
        .collect();
    let mut stream = TcpStream::connect(&door.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(door.text("POST", "/mcp", &headers, "").as_bytes()).unwrap();
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    let sent = (0..64).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(sent < 64 || read_answer(std::io::BufReader::new(stream)).status == 413, "{sent} MiB were taken");
    assert_eq!(session.call("echo", &json!({})).status, 200);
}

#[test]
fn attack_a_client_that_sends_a_byte_now_and_then() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    // Many that never finish their request hold nobody else up.
    let mut slow: Vec<_> = (0..100)
        .map(|n| {
            let mut stream = TcpStream::connect(&door.address).unwrap();
            let begun = if n % 2 == 0 {
                "POST /mcp HT".to_owned()
            } else {
                door.text("POST", "/mcp", &[("Content-Length", "100")], "{")
            };
            stream.write_all(begun.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(session.call("echo", &json!({})).status, 200);
    // And a body that stands still is given up.
    let begun = Instant::now();
    let stream = &mut slow[1];
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn attack_a_batch_smuggles_a_refused_call() {
    let world = World::new();
    let mut door = world.door(&[]);
    let smuggled = json!([call(1, "echo", &json!({})), call(2, "wipe", &json!({}))]);
    for version in ["2025-06-18", "2025-11-25"] {
        let session = door.session_of(version);
        let answer = session.post(&smuggled);
        assert_eq!(answer.status, 400, "{version}");
    }
    let headers =
        [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"), ("Mcp-Name", "echo")];
    assert_eq!(door.request("POST", "/mcp", &headers, &smuggled.to_string()).status, 400);
    let begins = format!("[{}]", initialize("2025-03-26"));
    assert_eq!(door.request("POST", "/mcp", &[], &begins).status, 400, "a session is opened alone");
    door.leave();
    assert!(
        world.records_of("call").iter().all(|call| call["decision"] != "allowed"),
        "{:?}",
        world.records()
    );
}

#[test]
fn attack_a_duplicate_key_in_a_post() {
    let world = World::new();
    let mut door = world.door(&[]);
    let session = door.session();
    let answer = session.post_text(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"wipe"}}"#,
    );
    assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (400, json!(-32600)));
    door.leave();
    assert_eq!(world.records_of("malformed")[0]["code"], "duplicate-key");
    assert!(world.records_of("call").is_empty());
}

#[test]
fn attack_an_answer_to_a_request_that_was_never_made() {
    let world = World::new();
    let mut door = world.door(&[]);
    let (mine, other) = (door.session(), door.session());
    let mut asking = mine.call("ask", &json!({"mark": "mine"}));
    let question = asking.message();
    // The other session's server has asked nothing, whatever the id.
    let forged = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"by": "the other"}});
    assert_eq!(other.post(&forged).status, 202);
    let right = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"by": "me"}});
    mine.post(&right);
    assert!(text_of(&asking.message()).contains("me"));
    door.leave();
    let unasked: Vec<_> =
        world.records_of("malformed").into_iter().map(|record| record["code"].clone()).collect();
    assert_eq!(unasked, ["unasked-response"]);
}

#[test]
fn attack_an_event_id_of_another_session() {
    let world = World::new();
    let door = world.door(&[]);
    let (mine, other) = (door.session(), door.session());
    let mut told = mine.call("log", &json!({"mark": "secret", "count": 3}));
    let id = told.event().unwrap().id.unwrap();
    let stolen = other.get(Some(&id));
    assert_eq!(stolen.status, 400);
    assert!(!stolen.body().contains("secret"));
    for made_up in ["0", "1-1", "x", "-", &id.to_uppercase().replace('-', "_")] {
        assert_eq!(other.get(Some(made_up)).status, 400, "{made_up}");
    }
}

#[test]
fn attack_newlines_in_ids_that_forge_events() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let id = "1\n\ndata: {\"forged\":true}\n\nid: 9\r\rdata: x";
    let mut answer = session.post(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "log", "arguments": {"mark": "a\u{2028}b\n\ndata: forged\n\n"}}}));
    let events = answer.events_to_end();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0].json()["method"], "notifications/message");
    assert_eq!(events[1].json()["id"], id);
    assert!(events.iter().all(|event| event.kind.as_deref() == Some("message")));
}

#[test]
fn attack_requests_smuggled_behind_a_length() {
    let world = World::new();
    let door = world.door(&[]);
    let inner = door.text("DELETE", "/mcp", &[], "");
    for headers in [
        &[("Content-Length", "4"), ("Transfer-Encoding", "chunked")][..],
        &[("Content-Length", "4"), ("content-length ", "5")],
    ] {
        let text = door.text("POST", "/mcp", headers, &format!("0\r\n\r\n{inner}"));
        let status = read_answer(send_raw(&door.address, text.as_bytes())).status;
        assert!((400..500).contains(&status), "{status}");
    }
}

#[test]
fn attack_a_client_that_never_reads_fills_no_memory_and_holds_up_nobody() {
    let world = World::new();
    let door = world.door(&[]);
    let (stuck, other) = (door.session(), door.session());
    let flood = json!({"mark": "", "count": 400, "size": 200_000});
    let text = door.text("POST", "/mcp", &stuck.headers(), &call(1, "log", &flood).to_string());
    let unread = send_raw(&door.address, text.as_bytes());
    for _ in 0..20 {
        assert_eq!(other.call("echo", &json!({})).status, 200);
    }
    let memory = resident_bytes(door.id());
    assert!(memory < 80_000_000, "{memory}");
    drop(unread);
}

#[test]
fn attack_one_stuck_reader_of_a_shared_server_holds_up_the_others() {
    let world = World::new();
    let door = world.door(&[]);
    let mut params: Value =
        json!({"name": "progress", "arguments": {"mark": "x".repeat(100_000), "count": 400}});
    params["_meta"] = json!({"progressToken": "t"});
    let body = modern("test", 1, "tools/call", params);
    let headers = repeated(&body);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let unread = send_raw(&door.address, door.text("POST", "/mcp", &headers, &body.to_string()).as_bytes());
    let answer = door.ask(2, "tools/call", json!({"name": "echo", "arguments": {}}));
    assert!(text_of(&answer.json()).contains("echo"));
    drop(unread);
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
