//! The HTTP door: MCP clients that speak only URLs, in front of the same pipeline as those on stdio.
//!
//! Who may come in is decided by [`admission`]; what a request is, by its path and method; everything
//! that a client says is judged, recorded and released by [`crate::pipeline`]. All of it on one thread.

mod admission;
mod answer;
mod body;
mod conversation;
pub mod credential;
mod events;
mod ids;
mod posted;
pub mod served;
mod streamable;
mod told;

pub use admission::Names;

use answer::{Answer, Refused};
use body::{Bodies, accepts, check_content};
use credential::{Admitted, Caller};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use posted::Posted;
use served::Served;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep};

const CONNECTIONS: usize = 512;
/// For the headers of a request, from the moment that one may come.
const HEADERS: Duration = Duration::from_secs(60);
const HEADER_BYTES: usize = 64 * 1024;
const SWEEP: Duration = Duration::from_secs(1);
const BOTH: [&str; 2] = ["application/json", "text/event-stream"];

pub struct Door {
    pub names: Names,
    pub admitted: Admitted,
    pub served: Rc<Served>,
    bodies: Bodies,
}

impl Door {
    pub fn new(names: Names, admitted: Admitted, served: Rc<Served>) -> Rc<Self> {
        Rc::new(Self { names, admitted, served, bodies: Bodies::default() })
    }

    /// Lets clients in for ever; whoever runs the door drops this.
    pub async fn open(self: Rc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let sweeping = Rc::clone(&self);
        let sweep = async move {
            let mut tick = interval(SWEEP);
            loop {
                tick.tick().await;
                sweeping.served.sweep();
            }
        };
        let accept = async {
            loop {
                // It is never closed.
                let place = Arc::clone(&places).acquire_owned().await;
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let door = Rc::clone(&self);
                        tokio::task::spawn_local(async move {
                            // Nagle's wait would be felt at every event.
                            let _ = stream.set_nodelay(true);
                            door.talk(stream).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection was not taken");
                        // Out of descriptors, most likely: some will be closed.
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        tokio::join!(sweep, accept);
    }

    async fn talk(self: Rc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let service = service_fn(move |request| {
            let door = Rc::clone(&self);
            async move { Ok::<_, Infallible>(door.answer(request).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection broke off");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match self.let_in(request).await {
            Ok(answer) => answer,
            Err(refused) => {
                tracing::info!(%refused, "a request was not let in");
                refused.answer()
            }
        }
    }

    async fn let_in(&self, request: Request<Incoming>) -> Result<Answer, Refused> {
        let (parts, body) = request.into_parts();
        let caller = self.names.admit(&parts, &self.admitted)?;
        match parts.uri.path() {
            "/mcp" => match parts.method {
                Method::POST => self.post(&caller, &parts.headers, body).await,
                Method::GET => streamable::get(&self.served, &caller, &parts.headers).await,
                Method::DELETE => streamable::delete(&self.served, &caller, &parts.headers),
                _ => Err(Refused::Method("GET, POST, DELETE")),
            },
            _ => Err(Refused::Path),
        }
    }

    async fn post(
        &self,
        caller: &Caller,
        headers: &hyper::HeaderMap,
        body: Incoming,
    ) -> Result<Answer, Refused> {
        check_content(headers)?;
        if !accepts(headers, &BOTH) {
            return Err(Refused::Accept("application/json and text/event-stream"));
        }
        let (bytes, _room) = self.bodies.read(body).await?;
        streamable::post(&self.served, caller, headers, Posted::read(bytes)).await
    }
}
