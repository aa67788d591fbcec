//! A browser, driven over WebDriver's HTTP: just the commands these tests need.

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Browser {
    client: reqwest::Client,
    session: String,
    driver: Child,
    _profile: tempfile::TempDir,
}

/// Where the browser and its driver are. `None`, said loudly, on a machine without them; under
/// `CI=true` their absence is a failure.
pub fn find() -> Option<(PathBuf, PathBuf)> {
    let there = |variable: &str, name: &str| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join(name));
        named.into_iter().chain(on_path).find(|program| program.is_file())
    };
    let found = there("CHROMIUM", "chromium").zip(there("CHROMEDRIVER", "chromedriver"));
    if found.is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !ci,
            "no Chromium with its driver: install chromium and chromium-driver, or set CHROMIUM and CHROMEDRIVER"
        );
        eprintln!(
            "SKIPPED: the console was not checked in a browser, there is no Chromium with its driver here"
        );
    }
    found
}

impl Browser {
    pub async fn start((chromium, chromedriver): &(PathBuf, PathBuf), width: u32, dark: bool) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let port = free_port();
        let driver = Command::new(chromedriver)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        ready(&client, &base).await;
        let mut args: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--ignore-certificate-errors",
            "--hide-scrollbars",
        ]
        .map(String::from)
        .to_vec();
        args.push(format!("--user-data-dir={}", profile.path().display()));
        args.push(format!("--window-size={width},900"));
        if dark {
            args.push("--force-dark-mode".into());
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": chromium, "args": args},
        }}});
        let mut browser = Self { client, session: base, driver, _profile: profile };
        let begun = browser.post("/session", &wanted).await;
        browser.session = format!("{}/session/{}", browser.session, begun["sessionId"].as_str().unwrap());
        browser
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.client.post(format!("{}{path}", self.session)).json(body).send().await.unwrap();
        let status = answer.status();
        let mut answer: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {}", answer["value"]["message"]);
        answer["value"].take()
    }

    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// Runs a script of the test's in the page; `arguments[0]` is `argument`.
    pub async fn run(&self, script: &str, argument: Value) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [argument] })).await
    }

    async fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css })).await;
        let id = found.as_object().and_then(|ids| ids.values().next()).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no {css} on the page")).to_owned()
    }

    /// A real click: the element must be there, visible and not covered.
    pub async fn click(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/click"), &json!({})).await;
    }

    pub async fn write(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/clear"), &json!({})).await;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).await;
    }

    pub async fn text(&self, css: &str) -> String {
        let text = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css.into()).await;
        text.as_str().unwrap().to_owned()
    }

    /// Waits until the element's text has the words in it.
    pub async fn wait_for(&self, css: &str, words: &str) {
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            let text = self.text(css).await;
            if text.contains(words) {
                return;
            }
            assert!(Instant::now() < end, "{css} never said {words:?}, but {text:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the browser had to complain about since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" })).await;
        log.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["message"].as_str().unwrap_or("?").to_owned())
            .collect()
    }

    /// The whole page as PNG.
    pub async fn picture(&self, file: &Path) {
        use base64::Engine as _;
        let size = "return Math.ceil(document.documentElement.scrollHeight)";
        let height = self.run(size, Value::Null).await.as_u64().unwrap().clamp(400, 6_000);
        let rect = self.run("return innerWidth", Value::Null).await;
        let device = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params":
            {"width": rect, "height": height, "deviceScaleFactor": 1, "mobile": false}});
        self.post("/goog/cdp/execute", &device).await;
        let answer = self.client.get(format!("{}/screenshot", self.session)).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let png =
            base64::engine::general_purpose::STANDARD.decode(answer["value"].as_str().unwrap()).unwrap();
        std::fs::write(file, png).unwrap();
    }

    /// Makes the page as wide as a window of that width, whatever the smallest window is.
    pub async fn resize(&self, width: u32) {
        let device = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params":
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}});
        self.post("/goog/cdp/execute", &device).await;
    }

    pub async fn prefer(&self, scheme: &str) {
        let media = json!({"cmd": "Emulation.setEmulatedMedia", "params":
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]}});
        self.post("/goog/cdp/execute", &media).await;
    }
}

impl Drop for Browser {
    /// Also where a test failed: the browser goes with its session, the driver alone would leave it behind.
    fn drop(&mut self) {
        if let Some((address, path)) = self.session.trim_start_matches("http://").split_once('/')
            && let Ok(mut driver) = TcpStream::connect(address)
        {
            let end = format!(
                "DELETE /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            let _ = driver.set_read_timeout(Some(Duration::from_secs(10)));
            let _ = driver.write_all(end.as_bytes());
            let _ = driver.read_to_end(&mut Vec::new());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn ready(client: &reqwest::Client, base: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while client.get(format!("{base}/status")).send().await.is_err() {
        assert!(Instant::now() < end, "the browser's driver did not start");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}
