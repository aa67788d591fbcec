//! Plays a script to a server as a client with every capability, and keeps all that it hears.

use anyhow::{Context, Result, bail};
use harness::wire::{Address, Wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(40);

/// The revision a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// A handshake with this version.
    Handshake(&'static str),
    /// 2026-07-28: no handshake, and `_meta` with each request.
    Stateless,
}

/// Everything that one client heard in one session.
#[derive(Debug, Default)]
pub struct Heard {
    /// By the request's number; what the request was, and the answer as it came.
    pub answers: BTreeMap<u64, (String, String)>,
    /// Progress, by the request that was open when it came.
    pub progress: BTreeMap<u64, Vec<String>>,
    /// All else by its method, in order.
    pub unasked: BTreeMap<String, Vec<String>>,
    /// The whole of it in the order in which it came.
    pub order: Vec<String>,
    /// Each HTTP exchange in a line.
    pub exchanges: Vec<String>,
}

pub struct Player {
    wire: Box<dyn Wire>,
    era: Era,
    heard: Heard,
    /// How much of each method was waited for already.
    awaited: BTreeMap<String, usize>,
    /// Progress tokens of cancelled requests: how far those came is a matter of time.
    given_up: Vec<Value>,
    /// Requests are open at once: in what order they are answered is a matter of time.
    together: bool,
    /// The request that a step left open.
    held: u64,
    next_id: u64,
    open: u64,
}

/// Plays all of it.
pub fn play(address: Address, era: Era, steps: &[Value]) -> Result<Heard> {
    let wire = address.dial()?;
    let (heard, awaited) = (Heard::default(), BTreeMap::new());
    let mut player = Player {
        wire,
        era,
        heard,
        awaited,
        given_up: Vec::new(),
        together: false,
        held: 0,
        next_id: 1,
        open: 0,
    };
    player.greet()?;
    for step in steps {
        player.step(step).with_context(|| format!("at the step {step}"))?;
    }
    let Player { wire, mut heard, .. } = player;
    heard.exchanges = wire.exchanges();
    wire.leave();
    Ok(heard)
}

impl Player {
    fn greet(&mut self) -> Result<()> {
        let Era::Handshake(version) = self.era else {
            self.ask("server/discover", &json!({}))?;
            return Ok(());
        };
        self.ask(
            "initialize",
            &json!({"protocolVersion": version, "capabilities": capabilities(), "clientInfo": client_info()}),
        )?;
        self.say("notifications/initialized", &Value::Null)
    }

    fn step(&mut self, step: &Value) -> Result<()> {
        let params = &step["params"];
        if let Some(method) = step["ask"].as_str() {
            if let Some(sign) = step["cancel_after"].as_str() {
                return self.cancel_after(sign, method, params);
            }
            let answer = self.ask(method, params)?;
            if step["as_task"] == true {
                return self.follow_task(&answer);
            }
        } else if let Some(method) = step["say"].as_str() {
            self.say(method, params)?;
        } else if let Some(method) = step["await"].as_str() {
            self.wait_for(method)?;
        } else if let Some(batch) = step["batch"].as_array() {
            self.batch(batch)?;
        } else if let Some(method) = step["open"].as_str() {
            self.held = self.begin(method, params)?;
        } else if step["close"] == true {
            self.give_up(self.held)?;
        } else if let Some(text) = step["raw"].as_str() {
            let id = self.number();
            self.open = id;
            self.wire.send(&text.replace("{id}", &id.to_string()))?;
            self.answer(id, "raw")?;
        } else if let Some(together) = step["together"].as_array() {
            self.together = true;
            let mut ids = Vec::new();
            for ask in together {
                let method = ask["ask"].as_str().context("together are only questions")?;
                ids.push((self.begin(method, &ask["params"])?, method.to_owned()));
            }
            for (id, method) in ids {
                self.answer(id, &method)?;
            }
            self.together = false;
        } else {
            bail!("a step of no known kind");
        }
        Ok(())
    }

    /// Asks, and where the server wants input first (2026-07-28), asks again with it.
    fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        let mut params = params.clone();
        loop {
            let id = self.begin(method, &params)?;
            let answer = self.answer(id, method)?;
            let result = &answer["result"];
            if result["resultType"] != "input_required" {
                return Ok(answer);
            }
            let wanted = result["inputRequests"].as_object().into_iter().flatten();
            let given: serde_json::Map<String, Value> =
                wanted.map(|(key, request)| (key.clone(), reply(request))).collect();
            params["inputResponses"] = Value::Object(given);
            if let Some(state) = result.get("requestState") {
                params["requestState"] = state.clone();
            }
        }
    }

    fn begin(&mut self, method: &str, params: &Value) -> Result<u64> {
        let id = self.number();
        self.open = id;
        let mut message = json!({"jsonrpc": "2.0", "id": id, "method": method});
        if !params.is_null() {
            message["params"] = params.clone();
        }
        if self.era == Era::Stateless {
            let meta = &mut message["params"]["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientInfo"] = client_info();
            meta["io.modelcontextprotocol/clientCapabilities"] = capabilities();
        }
        self.wire.send(&message.to_string())?;
        Ok(id)
    }

    fn say(&mut self, method: &str, params: &Value) -> Result<()> {
        let mut message = json!({"jsonrpc": "2.0", "method": method});
        if !params.is_null() {
            message["params"] = params.clone();
        }
        self.wire.send(&message.to_string())
    }

    /// A request that is given up once something about it was heard; no answer is to come.
    fn cancel_after(&mut self, sign: &str, method: &str, params: &Value) -> Result<()> {
        let id = self.begin(method, params)?;
        self.wait_for(sign)?;
        self.give_up(id)?;
        self.given_up.push(params["_meta"]["progressToken"].clone());
        self.heard.progress.remove(&id);
        Ok(())
    }

    /// Several messages in one (2025-03-26 alone).
    fn batch(&mut self, batch: &[Value]) -> Result<()> {
        let mut messages = Vec::new();
        let mut ids = Vec::new();
        for step in batch {
            let method = step["ask"].as_str().or(step["say"].as_str()).unwrap_or_default();
            let mut message = json!({"jsonrpc": "2.0", "method": method, "params": step["params"]});
            if step["ask"].is_string() {
                ids.push((self.number(), method));
                message["id"] = json!(self.next_id - 1);
            }
            messages.push(message);
        }
        self.together = true;
        self.wire.send(&Value::Array(messages).to_string())?;
        for (id, method) in ids {
            self.answer(id, method)?;
        }
        self.together = false;
        Ok(())
    }

    /// Over HTTP closing its stream ends a request, since 2026-07-28.
    fn give_up(&mut self, id: u64) -> Result<()> {
        if self.era == Era::Stateless && self.wire.hang_up(id) {
            return Ok(());
        }
        self.say("notifications/cancelled", &json!({"requestId": id, "reason": "changed my mind"}))
    }

    /// A task's life (2025-11-25): looked at, its result fetched, listed, cancelled too late.
    fn follow_task(&mut self, created: &Value) -> Result<()> {
        let id = &created["result"]["task"]["taskId"];
        anyhow::ensure!(id.is_string(), "no task was made: {created}");
        let named = json!({"taskId": id});
        self.ask("tasks/get", &named)?;
        self.ask("tasks/result", &named)?;
        self.ask("tasks/get", &named)?;
        self.ask("tasks/list", &json!({}))?;
        self.ask("tasks/cancel", &named)?;
        Ok(())
    }

    fn number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn answer(&mut self, id: u64, method: &str) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        while !self.heard.answers.contains_key(&id) {
            self.hear(deadline).with_context(|| format!("waiting for the answer to {id} {method}"))?;
        }
        let (what, text) = self.heard.answers.get_mut(&id).context("it was just there")?;
        *what = method.to_owned();
        Ok(serde_json::from_str(text)?)
    }

    fn wait_for(&mut self, method: &str) -> Result<()> {
        let wanted = self.awaited.get(method).copied().unwrap_or(0) + 1;
        let deadline = Instant::now() + PATIENCE;
        while self.came(method) < wanted {
            self.hear(deadline).with_context(|| format!("waiting for {method}"))?;
        }
        self.awaited.insert(method.to_owned(), wanted);
        Ok(())
    }

    /// How much of it was heard; of progress, whether the open request made any.
    fn came(&self, method: &str) -> usize {
        if method == "notifications/progress" {
            return self.heard.progress.get(&self.open).map_or(0, |_| usize::MAX);
        }
        self.heard.unasked.get(method).map_or(0, Vec::len)
    }

    /// Takes one message in, and answers it where it is a request.
    fn hear(&mut self, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        let text = self.wire.next(left)?.context("nothing came in time")?;
        let message: Value = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
        if let Value::Array(batch) = message {
            return batch.iter().try_for_each(|message| self.take(message.to_string(), message));
        }
        self.take(text, &message)
    }

    fn take(&mut self, text: String, message: &Value) -> Result<()> {
        if self.given_up.contains(&message["params"]["progressToken"]) {
            return Ok(());
        }
        if !self.together {
            self.heard.order.push(text.clone());
        }
        let Some(method) = message["method"].as_str() else {
            let id = message["id"].as_u64().unwrap_or_default();
            self.heard.answers.insert(id, (String::new(), text));
            return Ok(());
        };
        if method == "notifications/progress" {
            self.heard.progress.entry(self.open).or_default().push(text);
            return Ok(());
        }
        self.heard.unasked.entry(method.to_owned()).or_default().push(text);
        if message.get("id").is_some() {
            let answer = match reply(message) {
                Value::Null => json!({"jsonrpc": "2.0", "id": message["id"],
                    "error": {"code": -32601, "message": "Method not found"}}),
                result => json!({"jsonrpc": "2.0", "id": message["id"], "result": result}),
            };
            self.wire.send(&answer.to_string())?;
        }
        Ok(())
    }
}

fn client_info() -> Value {
    json!({"name": "transparency", "version": "1.0", "title": "A client that does everything"})
}

fn capabilities() -> Value {
    json!({
        "roots": {"listChanged": true},
        "sampling": {"tools": {}, "context": {}},
        "elicitation": {"form": {}, "url": {}},
        "tasks": {"list": {}, "cancel": {},
                  "requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}}},
        "extensions": {"com.example/unknown": {"level": 3}},
        "experimental": {"x": {}}
    })
}

/// What this client answers to a request of the server; null for what it does not know.
fn reply(request: &Value) -> Value {
    let params = &request["params"];
    let as_task = params.get("task").is_some();
    match request["method"].as_str().unwrap_or_default() {
        "roots/list" => json!({"roots": [{"uri": "file:///home/alice/project", "name": "project"}]}),
        "ping" => json!({}),
        "sampling/createMessage" | "elicitation/create" if as_task => {
            let kind = request["method"].as_str().unwrap_or_default();
            json!({"task": task(kind, "working")})
        }
        "tasks/get" => task(params["taskId"].as_str().unwrap_or_default(), "completed"),
        "tasks/result" if params["taskId"] == "sampling/createMessage" => sampled(),
        "tasks/result" => json!({"action": "accept", "content": {"name": "Alice"}}),
        "sampling/createMessage" => sampled(),
        "elicitation/create" if params["mode"] == "url" => json!({"action": "accept"}),
        "elicitation/create" => json!({"action": "accept", "content": filled_in(&params["requestedSchema"])}),
        _ => Value::Null,
    }
}

fn sampled() -> Value {
    json!({"role": "assistant", "content": {"type": "text", "text": "Hello."}, "model": "none", "stopReason": "endTurn"})
}

fn task(id: &str, status: &str) -> Value {
    json!({"taskId": id, "status": status, "ttl": 60000, "pollInterval": 100,
           "createdAt": "2026-11-20T10:00:00Z", "lastUpdatedAt": "2026-11-20T10:00:00Z"})
}

/// A form with something plain in each field that has no default and is required.
fn filled_in(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let fields = required.map(|name| {
        let field = &schema["properties"][name];
        let value = match field["type"].as_str() {
            Some("boolean") => json!(true),
            Some("integer" | "number") => json!(7),
            _ => field["enum"].get(0).cloned().unwrap_or_else(|| json!("Alice")),
        };
        (name.to_owned(), value)
    });
    Value::Object(fields.collect())
}
