//! What a web page in the user's browser, or another user of the machine, may try at the door.

use crate::client::{Door, initialize, modern};
use crate::web_client::{read_answer, send_raw};
use crate::world::{PATIENCE, World, eventually};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Everything that the door says to these bytes, to the end of the connection or of our patience.
fn heard(door: &Door, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&door.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

/// No answer at all, or one that says no.
fn is_refused(heard: &str) -> bool {
    heard.is_empty() || heard.starts_with("HTTP/1.1 4") || heard.starts_with("HTTP/1.0 4")
}

#[test]
fn attack_refusals_at_the_door_leave_no_trace() {
    let world = World::new();
    let mut door = world.door(&["--sessions", "1"]);
    let init = initialize("2025-11-25");
    let secret = "prv_0000000000000000000000000000000000000000";
    let guess = format!("Bearer {secret}");
    for _ in 0..50 {
        door.request("POST", "/mcp", &[("Host", "evil.example")], &init);
        door.request("POST", "/mcp", &[("Origin", "https://evil.example")], &init);
        door.request("POST", "/mcp", &[("Authorization", "")], &init);
        door.request("POST", "/mcp", &[("Authorization", &guess)], &init);
        door.request("POST", "/mcp", &[("Mcp-Session-Id", "made-up")], &json!({}).to_string());
    }
    let _listening = door.session().get(None);
    assert_eq!(door.request("POST", "/mcp", &[], &init).status, 503);
    assert!(heard(&door, b"\x16\x03\x01 this is TLS, most likely\r\n\r\n").starts_with("HTTP/1.1 400"));
    // The last one is recorded when its connection has ended.
    let kinds = ["door-host", "door-origin", "door-no-credential", "door-credential", "door-session"];
    let expected = [&kinds[..], &["door-full", "door-not-http"]].concat();
    eventually("each of them is recorded once, and at once", || {
        let recorded = world.records_of("malformed");
        recorded.iter().map(|record| record["code"].as_str().unwrap()).collect::<Vec<_>>() == expected
    });
    door.leave();
    let mut told = BTreeMap::<String, Vec<String>>::new();
    for record in world.records_of("malformed") {
        assert_eq!(
            (&record["member"], &record["server"]["entry"]),
            (&json!("you@localhost"), &json!("entry"))
        );
        let (code, message) = (record["code"].as_str().unwrap(), record["message"].as_str().unwrap());
        told.entry(code.to_owned()).or_default().push(message.to_owned());
    }
    for kind in kinds {
        let [first, rest] = told[kind].as_slice() else { panic!("{kind}: {:?}", told[kind]) };
        assert!(!first.is_empty() && rest.starts_with("49 more within "), "{kind}: {rest}");
    }
    assert!(told["door-host"][0].ends_with("(evil.example)"), "{told:?}");
    assert!(told["door-origin"][1].ends_with("(https://evil.example)"), "{told:?}");
    let all = serde_json::to_string(&world.records()).unwrap();
    assert!(!all.contains(&secret[4..]) && !all.contains("made-up"), "no secret that was tried");
    let seqs: Vec<_> = world
        .records_of("stopped")
        .iter()
        .filter(|it| it["why"] == "the door was shut")
        .map(|it| it["seq"].clone())
        .collect();
    assert_eq!(seqs, [json!(13)], "the door's own run is whole");
}

/// Whoever is let in and asks for what is not there may be trying something too.
#[test]
fn attack_requests_that_are_no_conversation_leave_no_trace() {
    let world = World::new();
    let mut door = world.door(&[]);
    let init = initialize("2025-11-25");
    let said = modern("test", 1, "tools/call", json!({"name": "wipe", "arguments": {"key": "s3cret"}}));
    let session = door.session();
    let of_session = [("Mcp-Session-Id", session.id.as_str()), ("MCP-Protocol-Version", "1999-01-01")];
    for _ in 0..3 {
        let asked = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
            door.request(method, path, headers, body).status
        };
        assert_eq!(asked("POST", "/s3cret/mcp", &[], &init), 404);
        assert_eq!(asked("PUT", "/mcp", &[], ""), 405);
        assert_eq!(asked("POST", "/mcp", &[("Accept", "text/html")], &init), 406);
        assert_eq!(asked("POST", "/mcp", &[("Content-Type", "text/plain")], &init), 415);
        assert_eq!(
            asked("POST", "/mcp", &[], &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string()),
            400
        );
        assert_eq!(asked("GET", "/mcp", &of_session, ""), 400);
        assert_eq!(asked("POST", "/mcp", &[("MCP-Protocol-Version", "2099-01-01")], "{}"), 400);
        let headers = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list")];
        assert_eq!(asked("POST", "/mcp", &headers, &said.to_string()), 400);
    }
    let codes = [
        "door-path",
        "door-method",
        "door-accept",
        "door-content",
        "door-no-session",
        "door-version",
        "door-mismatch",
    ];
    let recorded = world.records_of("malformed");
    assert_eq!(recorded.iter().map(|record| record["code"].as_str().unwrap()).collect::<Vec<_>>(), codes);
    door.leave();
    for code in codes {
        let told = world.records_of("malformed").into_iter().filter(|record| record["code"] == code);
        let told: Vec<_> = told.map(|record| record["message"].as_str().unwrap().to_owned()).collect();
        let more = if code == "door-version" { "5 more within " } else { "2 more within " };
        assert!(told.len() == 2 && told[1].starts_with(more), "{code}: {told:?}");
        assert!(!told.concat().contains("s3cret"), "{code}: {told:?}");
    }
}

#[test]
fn attack_a_trailing_dot_makes_another_name_of_the_host() {
    let world = World::new();
    let door = world.door(&["--client-auth", "none"]);
    let port = door.address.rsplit_once(':').unwrap().1;
    for host in [
        "evil.example.",
        "localhost.evil.example.",
        "localhost.",
        "127.0.0.1.evil.example",
        "[::1].evil.example",
    ] {
        let answer =
            door.request("POST", "/mcp", &[("Host", &format!("{host}:{port}"))], &initialize("2025-11-25"));
        assert_eq!(answer.status, 403, "{host}");
    }
    assert!(world.pids().is_empty());
}

#[test]
fn attack_an_absolute_address_names_another_host_than_the_header() {
    let world = World::new();
    let door = world.door(&["--client-auth", "none"]);
    let init = initialize("2025-11-25");
    let evil = door.text("POST", "/mcp", &[], &init).replacen("POST /mcp", "POST http://evil.example/mcp", 1);
    assert_eq!(read_answer(send_raw(&door.address, evil.as_bytes())).status, 403);
    let ours = format!("POST http://{}/mcp", door.address);
    let text = door.text("POST", "/mcp", &[("Host", "evil.example")], &init).replacen("POST /mcp", &ours, 1);
    assert_eq!(read_answer(send_raw(&door.address, text.as_bytes())).status, 403);
    for line in [
        "CONNECT evil.example:80",
        "OPTIONS *",
        "GET http://evil.example@127.0.0.1/sse",
        "GET //evil.example/sse",
    ] {
        let text = format!("{line} HTTP/1.1\r\nHost: evil.example\r\nAccept: */*\r\n\r\n");
        assert!(is_refused(&heard(&door, text.as_bytes())), "{line}");
    }
    // Without any name, as HTTP/1.0 allows.
    assert!(is_refused(&heard(&door, b"GET /sse HTTP/1.0\r\nAccept: */*\r\n\r\n")));
    assert!(world.pids().is_empty());
}

/// `<img src="http://127.0.0.1:PORT/sse">` carries no origin, and needs no preflight.
#[test]
fn attack_an_image_or_a_form_of_a_web_page_starts_a_server() {
    let world = World::new();
    let door = world.door(&["--client-auth", "none"]);
    let init = initialize("2025-11-25");
    for site in ["cross-site", "same-site"] {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors"), ("Accept", "*/*")];
        for (method, path) in [("GET", "/sse"), ("GET", "/mcp"), ("POST", "/mcp"), ("DELETE", "/mcp")] {
            assert_eq!(door.request(method, path, &headers, &init).status, 403, "{site} {method} {path}");
        }
    }
    for origin in ["null", "http://localhost:3000", "http://127.0.0.1", "file://", "chrome-extension://abc"] {
        let form = [("Origin", origin), ("Content-Type", "text/plain")];
        assert_eq!(door.request("POST", "/mcp", &form, &init).status, 403, "{origin}");
        let preflight = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        let answer = door.request("OPTIONS", "/mcp", &preflight, "");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None), "{origin}");
    }
    // A page that was let in by mistake could still send no JSON without being asked first.
    assert_eq!(door.request("POST", "/mcp", &[("Content-Type", "text/plain")], &init).status, 415);
    assert!(world.pids().is_empty());
    assert_eq!(door.request("POST", "/mcp", &[("Sec-Fetch-Site", "none")], &init).status, 200);
}

#[test]
fn attack_headers_without_end() {
    let world = World::new();
    let door = world.door(&[]);
    let long =
        format!("GET /mcp HTTP/1.1\r\nHost: {}\r\nX-Long: {}\r\n\r\n", door.address, "x".repeat(300_000));
    let many = format!("GET /mcp HTTP/1.1\r\nHost: {}\r\n{}\r\n", door.address, "X-Many: x\r\n".repeat(5000));
    let address = format!("GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(300_000), door.address);
    for text in [long, many, address] {
        let heard = heard(&door, text.as_bytes());
        assert!(is_refused(&heard), "{}", &heard[..heard.len().min(80)]);
    }
    // One that never comes to its end is cut off where it is too long.
    let mut endless = TcpStream::connect(&door.address).unwrap();
    endless.set_write_timeout(Some(PATIENCE)).unwrap();
    endless.write_all(b"GET /mcp HTTP/1.1\r\nX: ").unwrap();
    let piece = vec![b'x'; 64 * 1024];
    eventually("it is cut off", || endless.write_all(&piece).is_err());
    assert_eq!(door.session().call("echo", &json!({})).status, 200);
}

#[test]
fn attack_a_header_that_two_readers_read_differently() {
    let world = World::new();
    let door = world.door(&["--client-auth", "none"]);
    let host = &door.address;
    for head in [
        format!("Host: evil.example\r\n {host}\r\n"),
        format!("Host : {host}\r\n"),
        format!("Host: {host}\r\nHost: evil.example\r\n"),
        format!("Host: evil.example\r\nhost: {host}\r\n"),
        format!("Host: {host}\0evil.example\r\n"),
        format!("Host: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        format!("Host: {host}\r\nTransfer-Encoding: xchunked\r\n"),
        format!("Host: {host}\r\nContent-Length: +4\r\n"),
        format!("Host: {host}\r\nContent-Length: 4, 4\r\nContent-Length: 5\r\n"),
        format!("Host: {host}\r\nContent-Length: 99999999999999999999999\r\n"),
    ] {
        let accept = "Accept: */*\r\nContent-Type: application/json\r\n";
        let inner = format!("GET /sse HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n");
        let heard =
            heard(&door, format!("POST /mcp HTTP/1.1\r\n{head}{accept}\r\n0\r\n\r\n{inner}").as_bytes());
        assert!(is_refused(&heard) && !heard.contains("HTTP/1.1 200"), "{head:?}: {heard}");
    }
    assert!(world.pids().is_empty(), "nothing was smuggled in behind it");
}

#[test]
fn attack_the_preface_of_http_2_and_an_upgrade_go_around_the_door() {
    let world = World::new();
    let door = world.door(&["--client-auth", "none"]);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert!(is_refused(&heard(&door, preface)));
    for upgrade in ["h2c", "websocket", "TLS/1.0"] {
        let headers = [
            ("Connection", "Upgrade, HTTP2-Settings, close"),
            ("Upgrade", upgrade),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let answer = door.request("GET", "/mcp", &headers, "");
        assert_eq!(answer.status, 400, "{upgrade}: it is a GET without a session, and nothing else");
    }
    assert!(world.pids().is_empty());
}

/// Another user of the machine needs no credential to connect, and to say nothing.
#[test]
fn attack_strangers_hold_every_connection_of_the_door() {
    let world = World::new();
    let door = world.door(&[]);
    let mut held: Vec<_> = (0..560)
        .map(|n| {
            let mut stream = TcpStream::connect(&door.address).unwrap();
            let said: &[u8] = if n % 2 == 0 { b"POST /mcp HTTP/1.1\r\nX-Slow: " } else { b"" };
            let _ = stream.write_all(said);
            stream
        })
        .collect();
    let begun = Instant::now();
    let session = door.session();
    assert_eq!(session.call("echo", &json!({})).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // The first ones were sent away, so that others find room.
    held[0].set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(held[0].read(&mut [0]), Ok(0) | Err(_)));
}
