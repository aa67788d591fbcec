//! `portreeve door …`: what the resident's HTTP door serves, and to which clients.

use crate::cli::DoorVerb;
use crate::commands::look_again;
use crate::door::credential::Credential;
use crate::out::{Exit, Out, Tone};
use crate::resident::door::clients::{self, Client, ClientsError};
use crate::resident::door::notice::Notice;
use crate::upstream::now_ms;
use platform::Layout;
use platform::layout::Kind;
use serde_json::{Value, json};

pub fn run(verb: &DoorVerb, layout: &Layout, out: Out) -> Exit {
    if layout.kind == Kind::System {
        out.problem(SYSTEM);
        return Exit::Failed;
    }
    let done = match verb {
        DoorVerb::List => clients::read(layout).map(|clients| list(&clients, layout, out)),
        DoorVerb::Grant { client } => clients::grant(layout, client, now_ms())
            .map(|credential| granted(client, &credential, layout, out)),
        DoorVerb::Revoke { client } => clients::revoke(layout, client).map(|()| {
            out.say(format_args!("{client} is let in no more; what it had open ends within seconds"));
            out.value(&json!({"revoked": client}));
        }),
    };
    match done {
        Ok(()) => {
            if !matches!(verb, DoorVerb::List) {
                // A resident that is away reads the list when it starts.
                let _ = crate::commands::block_on(look_again(layout));
            }
            Exit::Done
        }
        Err(error) => {
            out.problem(&error);
            match error {
                ClientsError::Name(_) | ClientsError::Known(_) | ClientsError::Unknown(_) => Exit::Usage,
                ClientsError::File(_) | ClientsError::Malformed { .. } => Exit::Failed,
            }
        }
    }
}

const SYSTEM: &str = "the resident of a whole machine serves nobody's home yet, so it has no door; \
    `portreeve serve` opens one in front of a single server";
const SHUT: &str = "the door is shut: no resident runs, or policy keeps it shut (`[door] enabled`)";

fn list(clients: &[Client], layout: &Layout, out: Out) {
    let notice = Notice::read(layout);
    match &notice {
        None => out.say(SHUT),
        Some(notice) => {
            for server in &notice.servers {
                out.say(format_args!(
                    "{}  {}  {}",
                    out.tone(Tone::Strong, &server.name),
                    server.url,
                    server.identity
                ));
            }
            for (name, why) in &notice.left_out {
                out.say(format_args!("{}  not served: {why}", out.tone(Tone::Warn, name)));
            }
            if let Some(certificate) = &notice.certificate {
                out.say(format_args!("clients have to trust {}", certificate.display()));
            }
        }
    }
    if clients.is_empty() {
        out.say("no client has a credential; `portreeve door grant CLIENT` makes one");
    }
    for client in clients {
        out.say(format_args!("client {}", client.name));
    }
    let clients: Vec<Value> =
        clients.iter().map(|client| json!({"name": client.name, "since_ms": client.since_ms})).collect();
    out.value(&json!({"open": notice.is_some(), "door": notice, "clients": clients}));
}

/// The one time that it is told.
fn granted(client: &str, credential: &Credential, layout: &Layout, out: Out) {
    let notice = Notice::read(layout);
    out.say(format_args!("credential of {client} (told once): {}", credential.reveal()));
    out.say(format_args!("it is sent as a header: Authorization: Bearer {}", credential.reveal()));
    let servers = notice.map(|notice| notice.servers).unwrap_or_default();
    for server in &servers {
        out.say(format_args!("{}  {}", server.name, server.url));
    }
    out.value(&json!({"client": client, "credential": credential.reveal(), "servers": servers}));
}
