//! HTTP to HTTP: bodies stream through, one connection onwards for each connection in.

use anyhow::{Context, Result};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::io::Write;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

pub async fn run(url: &str) -> Result<()> {
    let upstream: Uri = url.parse()?;
    let authority = upstream.authority().context("a URL with a host")?.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "http://{}{}", listener.local_addr()?, upstream.path())?;
    stdout.flush()?;
    loop {
        let (connection, _) = listener.accept().await?;
        let authority = authority.clone();
        tokio::spawn(async move {
            // A client that leaves ends its connection, and nothing else.
            let _ = serve(connection, &authority).await;
        });
    }
}

async fn serve(connection: TcpStream, authority: &str) -> Result<()> {
    connection.set_nodelay(true)?;
    let onwards = TcpStream::connect(authority).await?;
    onwards.set_nodelay(true)?;
    let (sender, driver) = client::handshake(TokioIo::new(onwards)).await?;
    tokio::spawn(driver);
    let sender = Arc::new(Mutex::new(sender));
    let pass = service_fn(move |request: Request<Incoming>| {
        let sender = Arc::clone(&sender);
        async move {
            let mut sender = sender.lock().await;
            sender.ready().await?;
            sender.send_request(request).await
        }
    });
    Ok(server::Builder::new().serve_connection(TokioIo::new(connection), pass).await?)
}
