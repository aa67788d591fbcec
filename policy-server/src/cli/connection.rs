//! The way to the server of a folder: through its API if it runs, through the same API in this process
//! if it does not.

use super::CliError;
use crate::app::Shared;
use crate::serve::{self, DataFolder, Running};
use crate::tls::{Peer, PeerCertificate};
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

pub struct Connection {
    token: String,
    way: Way,
}

enum Way {
    Running {
        client: reqwest::Client,
        base: String,
    },
    /// Holds the folder, so that no server starts in the middle.
    Here {
        router: Router,
        app: Shared,
        _folder: DataFolder,
    },
}

/// The server's answer, as text.
pub struct Answer(String);

impl Answer {
    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn value(&self) -> Result<Value, CliError> {
        Ok(if self.0.is_empty() { Value::Null } else { serde_json::from_str(&self.0)? })
    }
}

impl Connection {
    pub async fn open(data: &Path) -> Result<Self, CliError> {
        let folder = DataFolder::look(data)?;
        let token = folder.admin_token().ok_or_else(|| {
            CliError::Said(format!(
                "{} cannot be read; are you the server's user?",
                data.join("admin.token").display()
            ))
        })?;
        let way = if let Some((base, client)) = reachable(&folder).await? {
            Way::Running { client, base }
        } else {
            let (folder, app) = serve::open_offline(data).await?;
            Way::Here { router: crate::http::router(app.clone()), app, _folder: folder }
        };
        Ok(Self { token, way })
    }

    pub async fn get(&self, path: &str) -> Result<Answer, CliError> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, CliError> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer, CliError> {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, CliError> {
        let mut text = Vec::new();
        self.read(method, path, body, |part| {
            text.extend_from_slice(part);
            Ok(())
        })
        .await?;
        Ok(Answer(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Gets a long answer piece by piece.
    pub async fn stream(
        &self,
        path: &str,
        each: impl FnMut(&[u8]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        self.read(Method::GET, path, None, each).await
    }

    async fn read(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        mut each: impl FnMut(&[u8]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        match &self.way {
            Way::Running { client, base } => {
                let mut answer = client
                    .request(method, format!("{base}{path}"))
                    .bearer_auth(&self.token)
                    .header(CONTENT_TYPE, "application/json")
                    .body(body)
                    .send()
                    .await?;
                if !answer.status().is_success() {
                    return Err(problem(&answer.bytes().await?));
                }
                while let Some(part) = answer.chunk().await? {
                    each(&part)?;
                }
            }
            Way::Here { router, .. } => {
                let answer = here(router, self.request(method, path, body)?).await?;
                let fine = answer.status().is_success();
                let mut body = answer.into_body();
                if !fine {
                    let bytes =
                        body.collect().await.map_err(|error| CliError::Said(error.to_string()))?.to_bytes();
                    return Err(problem(&bytes));
                }
                while let Some(frame) = body.frame().await {
                    let frame = frame.map_err(|error| CliError::Said(error.to_string()))?;
                    if let Some(part) = frame.data_ref() {
                        each(part)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn request(&self, method: Method, path: &str, body: String) -> Result<Request<Body>, CliError> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .extension(Peer {
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                certificate: PeerCertificate::None,
            })
            .body(Body::from(body))
            .map_err(|error| CliError::Said(error.to_string()))
    }

    pub async fn close(self) {
        if let Way::Here { app, .. } = self.way {
            app.store.close().await;
        }
    }
}

/// The running server, `None` where none runs. One that is just starting or stopping is waited for.
async fn reachable(folder: &DataFolder) -> Result<Option<(String, reqwest::Client)>, CliError> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while let Some(running) = folder.running() {
        let (base, client) = (base(&running), client(folder, &running)?);
        match client.get(format!("{base}/health")).send().await {
            Ok(_) => return Ok(Some((base, client))),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    Ok(None)
}

async fn here(router: &Router, request: Request<Body>) -> Result<axum::response::Response, CliError> {
    router.clone().oneshot(request).await.map_err(|never| match never {})
}

fn base(running: &Running) -> String {
    running.public_url.as_str().trim_end_matches('/').to_owned()
}

/// Whatever its public address is, the server of this folder is asked where it listens, here.
fn client(folder: &DataFolder, running: &Running) -> Result<reqwest::Client, CliError> {
    let mut address = running.listening;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let mut builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    if let Some(host) = running.public_url.host_str() {
        builder = builder.resolve(host, address);
    }
    if running.own_certificate {
        let file = folder.keys().join("authority.pem");
        let pem = std::fs::read(&file).map_err(|error| CliError::File(file, error))?;
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(&pem)?]);
    }
    Ok(builder.build()?)
}

fn problem(body: &[u8]) -> CliError {
    #[derive(serde::Deserialize)]
    struct Problem {
        code: String,
        detail: String,
        #[serde(default)]
        problems: Vec<policy::Problem>,
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => {
            CliError::Answered { code: problem.code, detail: problem.detail, problems: problem.problems }
        }
        Err(_) => CliError::Said(format!("the server answered: {}", String::from_utf8_lossy(body))),
    }
}
