//! `subscriptions/listen` in front of a server that knows none: what it says unasked, told to those who
//! asked for it, on the stream of their request.

use super::envelope::SUBSCRIPTION_ID;
use super::object::{member, quoted, string};
use super::out::Out;
use super::own;
use crate::message::{Id, Kind, Message};
use std::collections::{BTreeSet, HashMap};

/// Resources of one subscription.
const MAX_RESOURCES: usize = 4096;

/// List changes: what the filter calls them, whose capability announces them, and their notification.
const LISTS: [(&str, &str, &str); 3] = [
    ("toolsListChanged", "tools", "notifications/tools/list_changed"),
    ("promptsListChanged", "prompts", "notifications/prompts/list_changed"),
    ("resourcesListChanged", "resources", "notifications/resources/list_changed"),
];
const UPDATED: &str = "notifications/resources/updated";

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    listens: Vec<Listen>,
    /// Our `resources/subscribe` on their way: for which listen, and which resource.
    asking: HashMap<Id, (Id, String)>,
}

#[derive(Debug)]
struct Listen {
    /// The client's request.
    id: Id,
    /// What is honoured: names of the filter, and URIs.
    lists: Vec<&'static str>,
    resources: BTreeSet<String>,
    /// Resources that the server has not answered about. None: it is acknowledged.
    waiting: usize,
}

impl Subscriptions {
    /// `welcome`: what the server said in the handshake.
    pub(super) fn listen(&mut self, id: &Id, params: &str, welcome: &str, out: &mut Out) {
        let filter = member(params, "notifications").unwrap_or("{}");
        let capability = |name, flag| {
            member(welcome, "capabilities").and_then(|it| member(member(it, name)?, flag)) == Some("true")
        };
        let lists = LISTS.iter().filter(|(wish, name, _)| {
            member(filter, wish) == Some("true") && capability(name, "listChanged")
        });
        let mut listen = Listen {
            id: id.clone(),
            lists: lists.map(|(wish, ..)| *wish).collect(),
            resources: BTreeSet::new(),
            waiting: 0,
        };
        if capability("resources", "subscribe") {
            let wished = member(filter, "resourceSubscriptions");
            let wished: BTreeSet<String> =
                wished.and_then(|uris| serde_json::from_str(uris).ok()).unwrap_or_default();
            for uri in wished.into_iter().take(MAX_RESOURCES) {
                if self.is_subscribed(&uri) {
                    listen.resources.insert(uri);
                    continue;
                }
                let params = format!(r#"{{"uri":{}}}"#, quoted(&uri));
                let at_server = out.ask_server("resources/subscribe", &params);
                self.asking.insert(at_server, (id.clone(), uri));
                listen.waiting += 1;
            }
        }
        if listen.waiting == 0 {
            listen.acknowledge(out);
        }
        self.listens.push(listen);
    }

    fn is_subscribed(&self, uri: &str) -> bool {
        self.listens.iter().any(|listen| listen.resources.contains(uri))
    }

    /// The server's answer to a request of ours; `false` where it is to something else.
    pub(super) fn answered(&mut self, id: &Id, answer: &Message, out: &mut Out) -> bool {
        let Some((listen, uri)) = self.asking.remove(id) else { return false };
        let is_taken = matches!(answer.kind(), Kind::Response { .. });
        match self.listens.iter_mut().find(|it| it.id == listen) {
            Some(listen) => {
                if is_taken {
                    listen.resources.insert(uri);
                }
                listen.waiting -= 1;
                if listen.waiting == 0 {
                    listen.acknowledge(out);
                }
            }
            // It was cancelled meanwhile.
            None if is_taken => self.unsubscribe([uri], out),
            None => {}
        }
        true
    }

    /// The client listens no more; `false` where that id is another request's.
    pub(super) fn cancelled(&mut self, id: &Id, out: &mut Out) -> bool {
        let Some(at) = self.listens.iter().position(|listen| listen.id == *id) else { return false };
        let listen = self.listens.swap_remove(at);
        self.unsubscribe(listen.resources, out);
        true
    }

    fn unsubscribe(&self, uris: impl IntoIterator<Item = String>, out: &mut Out) {
        for uri in uris.into_iter().filter(|uri| !self.is_subscribed(uri)) {
            let params = format!(r#"{{"uri":{}}}"#, quoted(&uri));
            out.ask_server("resources/unsubscribe", &params);
        }
    }

    /// Tells it to those who asked for it; `false` where it is nothing that one asks for.
    pub(super) fn told(&self, message: &Message, method: &str, out: &mut Out) -> bool {
        let wish = LISTS.iter().find(|(.., notification)| *notification == method).map(|(wish, ..)| *wish);
        if wish.is_none() && method != UPDATED {
            return false;
        }
        let uri = message.params().and_then(|params| string(params, "uri")).unwrap_or_default();
        for listen in self.listens.iter().filter(|listen| listen.waiting == 0) {
            let wants = match wish {
                Some(wish) => listen.lists.contains(&wish),
                // It may be about a part of the resource.
                None => listen.resources.iter().any(|resource| uri.starts_with(resource.as_str())),
            };
            if wants {
                let own = if wish.is_some() { String::new() } else { format!(r#""uri":{},"#, quoted(&uri)) };
                let params = format!("{{{own}{}}}", listen.meta());
                out.tell_client(own::notification(method, &params), Some(&listen.id));
            }
        }
        true
    }
}

impl Listen {
    fn acknowledge(&self, out: &mut Out) {
        let mut honoured: Vec<String> = self.lists.iter().map(|list| format!("\"{list}\":true")).collect();
        if !self.resources.is_empty() {
            let uris: Vec<String> = self.resources.iter().map(|uri| quoted(uri)).collect();
            honoured.push(format!("\"resourceSubscriptions\":[{}]", uris.join(",")));
        }
        let params = format!(r#"{{"notifications":{{{}}},{}}}"#, honoured.join(","), self.meta());
        out.tell_client(
            own::notification("notifications/subscriptions/acknowledged", &params),
            Some(&self.id),
        );
    }

    fn meta(&self) -> String {
        format!(r#""_meta":{{"{SUBSCRIPTION_ID}":{}}}"#, self.id.as_json())
    }
}
