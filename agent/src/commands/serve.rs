//! `portreeve serve`: the HTTP door alone, in front of one server; for containers, trials and tests.
//!
//! Puts the door together and takes it down; what happens at it is in [`crate::door`].

use crate::active_policy::{ActivePolicy, InForce, LocalPolicyError, PolicySignal, local};
use crate::audit::segment::Segment;
use crate::cli::{ClientAuth, ServeArgs};
use crate::commands::trials;
use crate::door::credential::{Admitted, Credential, CredentialError};
use crate::door::served::{Bounds, Keeping, Served};
use crate::door::{Door, Names, Refusals};
use crate::out::{Exit, Out, Tone};
use crate::transport::http::BadHeaders;
use crate::transport::target::{Target, UnknownTarget};
use crate::trials::Note;
use platform::Layout;
use platform::shutdown::Shutdown;
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use uuid::Uuid;

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Target(#[from] UnknownTarget),
    #[error(transparent)]
    Headers(#[from] BadHeaders),
    #[error(transparent)]
    Policy(#[from] LocalPolicyError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(
        "--client-auth none is taken on loopback only, and with --policy: otherwise anybody who reaches {0} \
         would use this server in your name. Leave it out, and a credential is made"
    )]
    Unguarded(SocketAddr),
    #[error("{address} cannot be listened on: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the system gives no more: {0}")]
    System(#[from] io::Error),
}

pub fn run(args: ServeArgs, layout: &Layout, out: Out) -> Exit {
    let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => {
            out.problem(&ServeError::System(error));
            return Exit::Failed;
        }
    };
    match runtime.block_on(serve(args, layout.clone(), out)) {
        Ok(()) => Exit::Done,
        Err(error) => {
            out.problem(&error);
            error.exit()
        }
    }
}

impl ServeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Listen { .. } | Self::System(_) => Exit::Failed,
            Self::Target(_)
            | Self::Headers(_)
            | Self::Policy(_)
            | Self::Credential(_)
            | Self::Unguarded(_) => Exit::Usage,
        }
    }
}

async fn serve(args: ServeArgs, layout: Layout, out: Out) -> Result<(), ServeError> {
    let mut shutdown = Shutdown::listen()?;
    if args.client_auth == ClientAuth::None && !(args.listen.ip().is_loopback() && args.policy.is_some()) {
        return Err(ServeError::Unguarded(args.listen));
    }
    let (http, sse) = if args.sse { (None, args.upstream) } else { (args.upstream, None) };
    let target = Target::named_by(http.as_deref(), sse.as_deref(), args.command)?;
    let target = target.with_our_headers(args.policy.is_some())?;
    let credential = match (args.client_auth, &args.client_token_file) {
        (ClientAuth::None, _) => None,
        (ClientAuth::Token, Some(path)) => Some((Credential::read(path)?, false)),
        (ClientAuth::Token, None) => Some((Credential::make(), true)),
    };
    let signal = Rc::new(PolicySignal::default());
    let mut policy = ActivePolicy::of(&layout, &signal).for_server(target.identity());
    let in_force = match &args.policy {
        Some(document) => local(document, &args.member, &layout)?,
        None => policy.now().await,
    };
    let missing = target.missing_program().map(|program| trials::NoProgram(program).to_string());
    let unknown = || trials::unknown_server(&in_force, &target.identity());
    let unknown = missing.or_else(|| args.policy.as_ref().and_then(|_| unknown()));
    let InForce { member, device, ruleset } = in_force;
    let name = args.name.unwrap_or_default();
    let trial = args.policy.as_deref().map(|document| trial(&layout, document, &name, &target));
    let (rules, in_force) = watch::channel(Rc::new(ruleset));
    let refusals = match &trial {
        Some(segment) => Refusals::of_trial(Rc::clone(segment), &member, target.identity(), &name),
        None => Refusals::handed_over(&layout, target.identity(), &name),
    };
    let keeping = Keeping {
        layout: layout.clone(),
        signal: Rc::clone(&signal),
        rules: in_force,
        member,
        device,
        trial: trial.clone(),
        bounds: Bounds { conversations: args.sessions.into(), idle: Duration::from_secs(args.idle.into()) },
    };
    let served = Served::new(name, target, Rc::new(keeping));
    let listening = |source| ServeError::Listen { address: args.listen, source };
    let listener = TcpListener::bind(args.listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    announce(out, address, credential.as_ref(), trial.as_deref(), unknown.as_deref());
    let admitted = match &credential {
        Some((credential, _)) => Admitted::holders([("client", credential)]),
        None => Admitted::Anybody,
    };
    let door = Door::new(Names::new(address, args.host), admitted, refusals);
    door.serve("", served);
    let follow = async {
        loop {
            rules.send_replace(Rc::new(policy.changed().await));
        }
    };
    tokio::select! {
        () = shutdown.requested() => {}
        () = Rc::clone(&door).open(vec![listener], None) => {}
        () = follow => {}
    }
    door.end().await;
    if let Some(segment) = trial {
        segment.close();
    }
    Ok(())
}

/// The one record of a trial.
fn trial(layout: &Layout, document: &Path, name: &str, target: &Target) -> Rc<Segment> {
    let run = Uuid::now_v7();
    Note::of_us(document, name, target.identity().as_str()).leave(layout, run);
    Rc::new(Segment::of_trial(layout, run))
}

/// The one time that a credential of our making is told.
fn announce(
    out: Out,
    address: SocketAddr,
    credential: Option<&(Credential, bool)>,
    trial: Option<&Segment>,
    unknown: Option<&str>,
) {
    let url = format!("http://{address}/mcp");
    let made = credential.filter(|(_, made)| *made).map(|(credential, _)| credential.reveal());
    let record = trial.map(|segment| segment.path().to_string_lossy().into_owned());
    out.say(format_args!("listening on {url}"));
    if let Some(warning) = in_clear(address) {
        out.say(out.tone(Tone::Warn, warning));
    }
    if let Some(made) = made {
        out.say(format_args!("credential (told once): {made}"));
        out.say(format_args!("clients send it as a header: Authorization: Bearer {made}"));
    }
    if let Some(record) = &record {
        out.say(format_args!("a trial, under an unsigned policy; the record is {record}"));
    }
    if let Some(unknown) = unknown {
        out.say(out.tone(Tone::Warn, unknown));
    }
    out.value(&json!({"listening": url, "credential": made, "record": record, "warning": unknown}));
}

/// On loopback nobody is on the way.
fn in_clear(address: SocketAddr) -> Option<&'static str> {
    (!address.ip().to_canonical().is_loopback()).then_some(
        "this is plain HTTP beyond loopback: whoever is on the way reads the credential and every message; \
         put a proxy that speaks TLS in front of it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_warned_of_beyond_loopback_only() {
        for address in ["0.0.0.0:1", "192.168.1.7:1", "[::]:1"] {
            let said = in_clear(address.parse().unwrap()).unwrap_or_default();
            assert!(said.contains("plain HTTP"), "{address}");
        }
        for address in ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(in_clear(address.parse().unwrap()), None, "{address}");
        }
    }
}
