//! What an older client wants to be told unasked, as one `subscriptions/listen` at a newer server.
//!
//! A changed wish is a new stream beside the old one, which ends when the new one is acknowledged: nothing
//! is missed between. A stream that the server ended is opened again with the client's next request.

use super::envelope::{Envelope, SUBSCRIPTION_ID};
use super::object::{member, quoted};
use super::out::Out;
use super::own;
use crate::message::{Id, Kind, Message};
use crate::reply::{INTERNAL_ERROR, INVALID_PARAMS};
use crate::subject::Subject;
use std::collections::BTreeSet;

/// Resources that one client subscribes to.
const MAX_RESOURCES: usize = 4096;

/// List changes: what the filter calls them, and whose capability announces them.
const LISTS: [(&str, &str); 3] =
    [("toolsListChanged", "tools"), ("promptsListChanged", "prompts"), ("resourcesListChanged", "resources")];

#[derive(Debug, Default)]
pub(super) struct Listening {
    /// The list changes that the server announced.
    lists: Vec<&'static str>,
    resources: BTreeSet<String>,
    /// What the server serves, and what is to take its place.
    now: Option<Stream>,
    next: Option<Stream>,
    /// The server ended it.
    lost: bool,
    has_begun: bool,
}

#[derive(Debug)]
struct Stream {
    id: Id,
    /// The client's `resources/subscribe` that wait for it, and their URIs.
    waiting: Vec<(Id, String)>,
}

impl Listening {
    /// `capabilities`: as the server announced them.
    pub(super) fn of(capabilities: &str) -> Self {
        let announced = |capability| member(member(capabilities, capability)?, "listChanged");
        let lists = LISTS.iter().filter(|(_, capability)| announced(*capability) == Some("true"));
        Self { lists: lists.map(|(filter, _)| *filter).collect(), ..Self::default() }
    }

    /// The client is ready to be told.
    pub(super) fn begin(&mut self, client: &Envelope, out: &mut Out) {
        if !self.has_begun {
            self.has_begun = true;
            self.open(Vec::new(), client, out);
        }
    }

    /// Opens again what the server ended.
    pub(super) fn renew(&mut self, client: &Envelope, out: &mut Out) {
        if std::mem::take(&mut self.lost) {
            self.open(Vec::new(), client, out);
        }
    }

    pub(super) fn subscribe(&mut self, id: &Id, uri: String, client: &Envelope, out: &mut Out) {
        if self.resources.len() >= MAX_RESOURCES {
            let why =
                format!("{MAX_RESOURCES} resources are subscribed to already; unsubscribe from some first");
            return out.tell_client(own::error(id, INVALID_PARAMS, &why), Some(id));
        }
        self.resources.insert(uri.clone());
        self.open(vec![(id.clone(), uri)], client, out);
    }

    pub(super) fn unsubscribe(&mut self, uri: &str, client: &Envelope, out: &mut Out) {
        if self.resources.remove(uri) {
            self.open(Vec::new(), client, out);
        }
    }

    fn open(&mut self, mut waiting: Vec<(Id, String)>, client: &Envelope, out: &mut Out) {
        if let Some(replaced) = self.next.take() {
            out.tell_server(own::cancelled(&replaced.id, "another subscription takes its place"));
            waiting.splice(0..0, replaced.waiting);
        }
        if self.lists.is_empty() && self.resources.is_empty() {
            self.end_now(out);
            return;
        }
        let mut filter: Vec<String> = self.lists.iter().map(|list| format!("\"{list}\":true")).collect();
        if !self.resources.is_empty() {
            let uris: Vec<String> = self.resources.iter().map(|uri| quoted(uri)).collect();
            filter.push(format!("\"resourceSubscriptions\":[{}]", uris.join(",")));
        }
        let params = format!(r#"{{"notifications":{{{}}},"_meta":{}}}"#, filter.join(","), client.meta());
        let id = out.ask_server("subscriptions/listen", &params);
        self.next = Some(Stream { id, waiting });
    }

    fn end_now(&mut self, out: &mut Out) {
        if let Some(stream) = self.now.take() {
            out.tell_server(own::cancelled(&stream.id, "another subscription takes its place"));
        }
    }

    /// The end of one of our streams, or its refusal; `false` where the answer is to something else.
    pub(super) fn answered(&mut self, id: &Id, answer: &Message, out: &mut Out) -> bool {
        if self.now.as_ref().is_some_and(|stream| stream.id == *id) {
            self.now = None;
            self.lost = self.next.is_none();
            return true;
        }
        let Some(stream) = self.next.take_if(|stream| stream.id == *id) else { return false };
        let said = answer.error().and_then(|error| super::object::string(error, "message"));
        let said = said.unwrap_or_else(|| "it ended the subscription at once".to_owned());
        for (request, uri) in stream.waiting {
            self.resources.remove(&uri);
            let why = format!("The server does not tell of changes of this resource: {said}");
            out.tell_client(own::error(&request, INTERNAL_ERROR, &why), Some(&request));
        }
        true
    }

    /// A notification on one of our streams, in its older form; `false` where it is on none.
    pub(super) fn told(&mut self, message: &Message, out: &mut Out) -> bool {
        if let Subject::Cancelled { request: Some(id) } = message.subject() {
            return self.answered(&id.clone(), message, out);
        }
        let params = message.params().unwrap_or("{}");
        let on = member(params, "_meta").and_then(|meta| Id::from_json(member(meta, SUBSCRIPTION_ID)?));
        let Some(on) = on else { return false };
        let Kind::Notification { method } = message.kind() else { return false };
        let is = |stream: &Option<Stream>| stream.as_ref().is_some_and(|stream| stream.id == on);
        if is(&self.next) && method == "notifications/subscriptions/acknowledged" {
            self.acknowledged(params, out);
            return true;
        }
        if !is(&self.now) && !is(&self.next) {
            return false;
        }
        match method.as_str() {
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed" => {
                out.tell_client(own::notification(method, "{}"), None);
            }
            "notifications/resources/updated" => {
                if let Some(uri) = super::object::string(params, "uri") {
                    let params = format!(r#"{{"uri":{}}}"#, quoted(&uri));
                    out.tell_client(own::notification(method, &params), None);
                }
            }
            _ => {}
        }
        true
    }

    /// The new stream takes the place of the old one, and who waits for it is answered.
    fn acknowledged(&mut self, params: &str, out: &mut Out) {
        self.end_now(out);
        let Some(Stream { id, waiting }) = self.next.take() else { return };
        let honoured = member(params, "notifications").and_then(|it| member(it, "resourceSubscriptions"));
        let honoured: Vec<String> =
            honoured.and_then(|uris| serde_json::from_str(uris).ok()).unwrap_or_default();
        for (request, uri) in waiting {
            if honoured.contains(&uri) || !self.resources.contains(&uri) {
                out.tell_client(own::result(&request, "{}"), Some(&request));
            } else {
                self.resources.remove(&uri);
                let why = "The server does not tell of changes of this resource.";
                out.tell_client(own::error(&request, INVALID_PARAMS, why), Some(&request));
            }
        }
        self.now = Some(Stream { id, waiting: Vec::new() });
    }
}
