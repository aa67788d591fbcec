//! The console from outside: over HTTP as a script would use it, and in a real browser.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests; what fails here fails the test")]

mod entering;
mod looks;
mod pages;
mod record;
mod seed;
mod story;
mod webdriver;

use policy_server::app::Shared;
use policy_server::serve::{self, Settings};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode};
use std::time::Duration;

/// A policy server of the test's own, listening.
struct Console {
    app: Shared,
    base: String,
    link: String,
    running: tokio::task::JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl Console {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = serve::start(Settings {
            data: data.path().join("server"),
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: None,
            organisation: Some("Acme".into()),
            // Nobody goes dark by themselves while these tests run.
            dark_after: Duration::from_secs(3_600),
            tls: None,
        })
        .await
        .unwrap();
        let (app, link) = (server.app.clone(), server.console.as_ref().unwrap().to_string());
        let base = format!("https://{}", server.listening);
        let running = tokio::spawn(async move { server.run().await.unwrap() });
        Self { app, base, link, running, _data: data }
    }

    async fn stop(self) {
        self.app.stopping.send_replace(true);
        self.running.await.unwrap();
    }
}

/// An admin with a cookie and no browser.
struct Admin {
    client: Client,
    base: String,
    cookie: String,
}

impl Admin {
    async fn log_in(console: &Console) -> Self {
        let client = client();
        let answer = client.post(&console.link).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { client, base: console.base.clone(), cookie }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).header(COOKIE, &self.cookie).send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// The token that our forms carry.
    async fn csrf(&self) -> String {
        let page = self.page("/account").await;
        let (_, rest) = page.split_once(r#"name="csrf" value=""#).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let csrf = self.csrf().await;
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post_bare(path, &all).await
    }

    async fn post_bare(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.client
            .post(format!("{}{path}", self.base))
            .header(COOKIE, &self.cookie)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.finish())
            .send()
            .await
            .unwrap()
    }
}

/// Follows no redirects, and takes the certificate that the server just made for itself.
fn client() -> Client {
    Client::builder()
        .no_proxy()
        .danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

fn location(answer: &Response) -> &str {
    answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default()
}
