//! A policy server for tests: real TLS on a port of its own, and answers that a test decides.

use super::{Credentials, Upstream};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub known_tag: Option<String>,
    pub body: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub tag: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn ok(value: &impl serde::Serialize) -> Self {
        Self { status: 200, tag: None, body: serde_json::to_vec(value).unwrap() }
    }

    pub fn problem(status: u16, code: &str, more: serde_json::Value) -> Self {
        let mut body =
            serde_json::json!({ "code": code, "detail": format!("a sentence on {code}"), "status": status });
        if let (Some(body), serde_json::Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        Self { status, ..Self::ok(&body) }
    }
}

pub struct FakeServer {
    pub address: Url,
    /// PEM.
    pub authority: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl FakeServer {
    pub async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Url::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (book, answer) = (Arc::clone(&asked), Arc::new(answer));
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, book, answer) = (acceptor.clone(), Arc::clone(&book), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(|request| respond(request, &book, &*answer));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, authority: made.cert.pem(), asked, listening }
    }

    pub fn upstream(&self) -> Arc<Upstream> {
        let credentials = Credentials { server_ca: Some(self.authority.clone()), device: None };
        Arc::new(Upstream::new(self.address.clone(), &credentials).unwrap())
    }
}

async fn respond(
    request: Request<Incoming>,
    book: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked) -> Answer + Send + Sync),
) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = Asked {
        path: request.uri().path().to_owned(),
        known_tag: request.headers().get("if-none-match").map(|tag| tag.to_str().unwrap().to_owned()),
        body: request.into_body().collect().await.unwrap().to_bytes().to_vec(),
    };
    let answer = answer(&asked);
    book.lock().unwrap().push(asked);
    let mut response = Response::builder().status(answer.status).header("content-type", "application/json");
    if let Some(tag) = answer.tag {
        response = response.header("etag", tag);
    }
    Ok(response.body(Full::from(answer.body)).unwrap())
}
