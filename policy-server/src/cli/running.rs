//! `serve`: from the command line to a server that runs until it is told to stop.

use super::CliError;
use super::arguments::Serve;
use super::output::Out;
use crate::serve::{self, ServeError, Server, Settings};
use serde_json::json;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

pub async fn serve(data: PathBuf, arguments: Serve, out: Out) -> Result<(), CliError> {
    log();
    let settings = Settings {
        data: data.clone(),
        listen: arguments.listen,
        public_url: arguments.public_url,
        organisation: arguments.organisation,
        dark_after: Duration::from_secs(arguments.dark_after),
        tls: arguments.tls_cert.zip(arguments.tls_key),
    };
    let server = serve::start(settings).await?;
    // Before anybody is told where it is: who reads the line may stop it at once.
    let stopped = stop_signal().map_err(ServeError::Signal)?;
    say(&server, &data, out)?;
    let app = server.app.clone();
    tokio::spawn(async move {
        stopped.await;
        tracing::info!("stopping");
        app.stopping.send_replace(true);
    });
    Ok(server.run().await?)
}

fn say(server: &Server, data: &std::path::Path, out: Out) -> Result<(), CliError> {
    let organisation = &server.app.organisation;
    if out.for_programs {
        return Ok(out.json(&json!({
            "listening": server.listening.to_string(),
            "url": server.app.public_url,
            "console": server.console,
            "organisation": organisation,
        }))?);
    }
    out.line(&format!("The policy server of {organisation} is at {}", server.app.public_url))?;
    match &server.console {
        Some(link) => out.line(&format!("Console, once, within 15 minutes: {link}"))?,
        None => out.line(&format!(
            "For a link into the console: portreeve-server admin link --data {}",
            data.display()
        ))?,
    }
    Ok(())
}

/// To standard error: lines for a person at a terminal, JSON for whatever collects it otherwise.
fn log() {
    let filter =
        EnvFilter::try_from_env("PORTREEVE_LOG").unwrap_or_else(|_| EnvFilter::new("info,hyper=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber in one process is a test's affair.
    let _ = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}

/// Ctrl-C, or what a service manager sends.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
