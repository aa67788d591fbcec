//! A throw-away organisation to ask, and devices of it.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use policy_server::app::Shared;
use policy_server::serve::{Server, Settings, start};
use policy_server::tls::{Peer, PeerCertificate};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub struct Organisation {
    pub folder: TempDir,
    pub app: Shared,
    pub server: Option<Server>,
    pub token: String,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_else(|| panic!("no problem: {}", self.text)).to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

pub fn settings(data: &Path) -> Settings {
    Settings {
        data: data.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: None,
        organisation: Some("acme".to_owned()),
        dark_after: Duration::from_secs(90),
        tls: None,
    }
}

impl Organisation {
    pub async fn found() -> Self {
        Self::found_with(|_| {}).await
    }

    pub async fn found_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), change).await
    }

    pub async fn start_in(folder: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(folder.path());
        change(&mut settings);
        let server = start(settings).await.unwrap();
        let token = std::fs::read_to_string(folder.path().join("admin.token")).unwrap();
        Self { app: server.app.clone(), server: Some(server), folder, token }
    }

    /// Lets the server really listen and its tasks run. Gives the address.
    pub fn run(&mut self) -> String {
        let server = self.server.take().unwrap();
        let address = self.app.public_url.as_str().trim_end_matches('/').to_owned();
        tokio::spawn(server.run());
        address
    }

    pub async fn ask(&self, request: Request<Body>) -> Reply {
        let answer = policy_server::http::router(self.app.clone()).oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    /// Asked with the admin's token.
    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Reply {
        self.ask(
            request(method, path, body, PeerCertificate::None)
                .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
                .body_of(),
        )
        .await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.admin(Method::GET, path, Value::Null).await.expect(200).json()
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.admin(Method::POST, path, body).await
    }

    /// A fresh token's secret.
    pub async fn token(&self, wanted: Value) -> String {
        let made = self.post("/v1/admin/enrolment-tokens", wanted).await.expect(201).json();
        made["profile"]["enrolment_token"].as_str().unwrap().to_owned()
    }

    pub async fn enrol(&self, token: &str, member: Option<&str>) -> Reply {
        let key = rcgen::KeyPair::generate().unwrap();
        self.enrol_with(token, member, &csr(&key)).await
    }

    pub async fn enrol_with(&self, token: &str, member: Option<&str>, csr: &str) -> Reply {
        let body = json!({"token": token, "csr_pem": csr, "member": member, "machine": machine()});
        self.ask(request(Method::POST, "/v1/enrol", body, PeerCertificate::None).body_of()).await
    }

    /// The id of a new device of this member.
    pub async fn device(&self, member: &str) -> String {
        let token = self.token(json!({"member": member})).await;
        let enrolled = self.enrol(&token, None).await.expect(200).json();
        enrolled["device_id"].as_str().unwrap().to_owned()
    }

    /// Asked by a device, as if its certificate had been judged on the way in.
    pub async fn by_device(&self, device: &str, method: Method, path: &str, body: Value) -> Reply {
        let certificate = PeerCertificate::Device { id: device.to_owned() };
        self.ask(request(method, path, body, certificate).body_of()).await
    }

    pub async fn report(&self, device: &str, findings: Value) -> Reply {
        let body = json!({
            "machine": machine(), "policy_version": 1, "spool_depth": 0,
            "coverage": {"servers": []}, "findings": findings,
        });
        self.by_device(device, Method::POST, "/v1/agent/report", body).await.expect(200)
    }

    pub async fn alerts(&self, code: &str) -> Vec<Value> {
        let all = self.get("/v1/admin/alerts").await;
        all.as_array().unwrap().iter().filter(|alert| alert["code"] == code).cloned().collect()
    }

    pub async fn publish(&self, text: &str, base: u64) -> Reply {
        self.post("/v1/admin/policy/publish", json!({"text": text, "note": "a test", "base": base})).await
    }
}

pub fn machine() -> Value {
    json!({"hostname": "ada", "os": "linux", "os_version": "12", "agent_version": "0.1.0"})
}

pub fn csr(key: &rcgen::KeyPair) -> String {
    rcgen::CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "callers write the body in place")]
pub fn request(method: Method, path: &str, body: Value, certificate: PeerCertificate) -> Asking {
    let address = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let builder = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .extension(Peer { address, certificate });
    Asking { builder, body: if body.is_null() { String::new() } else { body.to_string() } }
}

/// A request to which a test adds what it is about.
pub struct Asking {
    builder: axum::http::request::Builder,
    body: String,
}

impl Asking {
    pub fn header(mut self, name: impl Into<header::HeaderName>, value: impl AsRef<str>) -> Self {
        self.builder = self.builder.header(name.into(), value.as_ref());
        self
    }

    /// A body that must not be read and written again on the way.
    pub fn raw(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    pub fn body_of(self) -> Request<Body> {
        self.builder.body(Body::from(self.body)).unwrap()
    }
}

/// Asks again and again until it holds.
pub async fn eventually<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
