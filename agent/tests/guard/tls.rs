//! A remote server behind TLS of the company's own, and behind its proxy: who is trusted, and what is
//! said where nobody is.

use crate::client::{Guard, POLICY, World, message_of, text_of};
use crate::web::{Asked, Said, read};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The name that the entry gives; nothing but the proxy knows where it is.
const NAME: &str = "mcp.portreeve.test";
const CREDENTIALS: &str = "http://bob:p%40ss@";

/// An MCP server behind TLS, and the authority that issued its certificate.
struct Secured {
    at: SocketAddr,
    authority: String,
}

fn secured(name: &str, expired: bool) -> Secured {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                let Some(asked) = read(&mut stream) else { return };
                let Said(bytes) = answer(&asked);
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    Secured { at, authority: authority.pem() }
}

fn answer(asked: &Asked) -> Said {
    let result = match (asked.method.as_str(), asked.json()["method"].as_str()) {
        ("POST", Some("initialize")) => json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
        ("POST", Some("tools/call")) => json!({"content": [{"type": "text", "text": "behind TLS"}]}),
        ("GET", _) => return Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
        _ => return Said::new("202 Accepted", &[("Content-Length", "0")], ""),
    };
    Said::json(&json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result}).to_string())
}

/// A company's proxy: lets through who shows its credentials, to that one address.
struct Proxy {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

fn proxy(to: SocketAddr) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                let mut head = String::new();
                let mut lines = BufReader::new(client.try_clone().unwrap());
                while lines.read_line(&mut head).is_ok_and(|bytes| bytes > 2) {}
                let known = head.to_lowercase().contains("proxy-authorization: basic ym9ionbac3m=");
                log.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
                if !known {
                    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
                    let _ = client.write_all(refusal.as_bytes());
                    return;
                }
                let server = TcpStream::connect(to).unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (mut up, mut down) = (server.try_clone().unwrap(), server);
                let mut from_client = client.try_clone().unwrap();
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from_client, &mut up);
                    let _ = up.shutdown(std::net::Shutdown::Write);
                });
                let _ = std::io::copy(&mut down, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    Proxy { at, asked }
}

struct Scene {
    world: World,
    authority: PathBuf,
    proxy: Proxy,
}

impl Scene {
    fn of(server: &Secured) -> Self {
        let world = World::new();
        let authority = world.path().join("authority.pem");
        std::fs::write(&authority, &server.authority).unwrap();
        let policy = POLICY.replace("http://127.0.0.1:9", &format!("https://{NAME}"));
        std::fs::write(world.policy(), policy).unwrap();
        Self { world, authority, proxy: proxy(server.at) }
    }

    fn dial(&self, environment: &[(&str, &str)]) -> Guard {
        self.world.guard(&["--http", &format!("https://{NAME}/mcp")], environment)
    }

    fn proxy(&self, credentials: &str) -> String {
        format!("{credentials}{}", self.proxy.at)
    }

    /// Asks through the proxy, trusting by that variable.
    fn ask(&self, trust: &str) -> serde_json::Value {
        let proxy = self.proxy(CREDENTIALS);
        let mut guard = self.dial(&[("HTTPS_PROXY", &proxy), (trust, self.authority.to_str().unwrap())]);
        guard.initialize();
        guard.call(1, "echo", &json!({}))
    }
}

#[test]
fn the_companys_authority_and_its_proxy_are_honoured_as_the_system_or_node_names_them() {
    for trust in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let scene = Scene::of(&secured(NAME, false));
        assert_eq!(text_of(&scene.ask(trust)), "behind TLS", "{trust}");
        let asked = scene.proxy.asked.lock().unwrap();
        assert!(asked.iter().all(|line| line.starts_with(&format!("CONNECT {NAME}:443 "))), "{asked:?}");
    }
}

#[test]
fn a_certificate_that_is_not_accepted_is_told_in_plain_words() {
    for (server, trust, parts) in [
        (secured(NAME, false), "UNUSED", ["unknown issuer", "NODE_EXTRA_CA_CERTS"]),
        (secured(NAME, true), "SSL_CERT_FILE", ["has expired", "renew"]),
        (secured("other.portreeve.test", false), "SSL_CERT_FILE", ["wrong host", "another host name"]),
    ] {
        let scene = Scene::of(&server);
        let refused = scene.ask(trust);
        for part in parts.iter().chain([&NAME]) {
            assert!(message_of(&refused).contains(part), "{part}: {refused}");
        }
    }
}

#[test]
fn a_proxy_that_wants_credentials_is_told_from_a_server_that_is_not_there() {
    let scene = Scene::of(&secured(NAME, false));
    let proxy = scene.proxy("http://");
    let mut guard = scene.dial(&[("HTTPS_PROXY", &proxy)]);
    let refused = guard.ask(1, "initialize", &json!({}));
    assert!(message_of(&refused).contains("the proxy on the way asks for credentials"), "{refused}");
}

#[test]
fn proxy_credentials_reach_no_sentence_and_no_log() {
    let scene = Scene::of(&secured(NAME, true));
    let proxy = format!("http://bob:wr0ng-s3cr3t@{}", scene.proxy.at);
    let mut guard = scene.dial(&[("HTTPS_PROXY", &proxy), ("PORTREEVE_LOG", "trace")]);
    let refused = guard.ask(1, "initialize", &json!({}));
    guard.close_stdin();
    guard.wait();
    let all = format!("{refused}{}{:?}", guard.complaints(), scene.world.records());
    assert!(!all.contains("wr0ng-s3cr3t"), "{all}");
}

#[test]
fn a_host_that_no_proxy_names_is_dialled_without_it() {
    let scene = Scene::of(&secured(NAME, false));
    let proxy = scene.proxy(CREDENTIALS);
    let mut guard = scene.dial(&[("HTTPS_PROXY", &proxy), ("NO_PROXY", ".portreeve.test")]);
    let refused = guard.ask(1, "initialize", &json!({}));
    assert!(message_of(&refused).contains("cannot be reached"), "{refused}");
    assert!(scene.proxy.asked.lock().unwrap().is_empty());
}

#[test]
fn this_machines_own_servers_are_never_asked_for_at_a_proxy() {
    let server = secured("localhost", false);
    let scene = Scene::of(&server);
    let at = format!("https://localhost:{}", server.at.port());
    std::fs::write(scene.world.policy(), POLICY.replace("http://127.0.0.1:9", &at)).unwrap();
    let proxy = scene.proxy(CREDENTIALS);
    let trust = ("SSL_CERT_FILE", scene.authority.to_str().unwrap());
    let mut guard = scene.world.guard(&["--http", &format!("{at}/mcp")], &[("HTTPS_PROXY", &proxy), trust]);
    guard.initialize();
    assert_eq!(text_of(&guard.call(1, "echo", &json!({}))), "behind TLS");
    assert!(scene.proxy.asked.lock().unwrap().is_empty());
}

#[test]
fn a_file_of_extra_authorities_that_is_not_there_stops_nobody() {
    let scene = Scene::of(&secured(NAME, false));
    let proxy = scene.proxy(CREDENTIALS);
    let mut guard = scene.dial(&[
        ("HTTPS_PROXY", &proxy),
        ("SSL_CERT_FILE", scene.authority.to_str().unwrap()),
        ("NODE_EXTRA_CA_CERTS", "/no/such/file.pem"),
    ]);
    guard.initialize();
    assert_eq!(text_of(&guard.call(1, "echo", &json!({}))), "behind TLS");
    guard.close_stdin();
    guard.wait();
    assert!(guard.complaints().contains("/no/such/file.pem"));
}
