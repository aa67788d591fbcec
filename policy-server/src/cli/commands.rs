//! The commands that speak to a server.

mod bundle;
mod enrolment;
mod people;
mod policy;
mod records;

use super::CliError;
use super::arguments::{Admin, Alerts, Command, Webhooks};
use super::connection::Connection;
use super::output::{Column, Out, text, when};
use percent::encoded;
use serde_json::json;

pub async fn run(command: Command, server: &Connection, out: Out) -> Result<(), CliError> {
    match command {
        Command::Enrolment(super::arguments::Enrolment::Token(token)) => {
            enrolment::run(token, server, out).await
        }
        Command::Members(members) => people::members(members, server, out).await,
        Command::Devices(devices) => people::devices(devices, server, out).await,
        Command::Policy(policy) => policy::run(policy, server, out).await,
        Command::Records(records) => records::run(records, server, out).await,
        Command::Alerts(alerts) => self::alerts(alerts, server, out).await,
        Command::Webhooks(webhooks) => self::webhooks(webhooks, server, out).await,
        Command::Admin(Admin::Link) => link(server, out).await,
        Command::Serve(_) | Command::Openapi => Err(CliError::Said("this command needs no server".into())),
    }
}

async fn alerts(alerts: Alerts, server: &Connection, out: Out) -> Result<(), CliError> {
    const COLUMNS: &[Column] = &[
        ("OPENED", |alert| when(alert, "opened_ms")),
        ("STATE", |alert| text(alert, "state")),
        ("SEVERITY", |alert| text(alert, "severity")),
        ("CODE", |alert| text(alert, "code")),
        ("MEMBER", |alert| text(alert, "member")),
        ("ID", |alert| text(alert, "id")),
        ("DETAIL", |alert| text(alert, "detail")),
    ];
    match alerts {
        Alerts::List { state } => {
            let state = state.map(|state| format!("&state={}", encoded(&state))).unwrap_or_default();
            let found = server.get(&format!("/v1/admin/alerts?limit=1000{state}")).await?;
            Ok(out.table(&found.value()?, COLUMNS, "No alerts.")?)
        }
        Alerts::Ack { all: true, code, .. } => {
            let asked = json!({"code": code});
            let acknowledged = server.post("/v1/admin/alerts/acknowledge", &asked).await?.value()?;
            let sentence = match acknowledged["acknowledged"].as_u64() {
                Some(0) => "No alert was open.".to_owned(),
                Some(1) => "1 alert is acknowledged.".to_owned(),
                _ => format!("{} alerts are acknowledged.", acknowledged["acknowledged"]),
            };
            done(out, &sentence, &acknowledged)
        }
        Alerts::Ack { id, .. } => {
            let id = id.unwrap_or_default();
            server.post(&format!("/v1/admin/alerts/{}/acknowledge", encoded(&id)), &json!({})).await?;
            done(out, &format!("Alert {id} is acknowledged."), &json!({"acknowledged": id}))
        }
    }
}

async fn webhooks(webhooks: Webhooks, server: &Connection, out: Out) -> Result<(), CliError> {
    const COLUMNS: &[Column] = &[
        ("ID", |webhook| text(webhook, "id")),
        ("URL", |webhook| text(webhook, "url")),
        ("STATE", |webhook| match webhook["failures"].as_i64() {
            None | Some(0) => "fine".to_owned(),
            Some(1) => "failed once".to_owned(),
            Some(failures) => {
                format!("failed {failures} times since {}", when(webhook, "failing_since_ms"))
            }
        }),
        ("WAITING", |webhook| text(webhook, "pending")),
        ("GIVEN UP", |webhook| text(webhook, "abandoned")),
        ("LAST ERROR", |webhook| text(webhook, "last_error")),
    ];
    match webhooks {
        Webhooks::List => {
            let found = server.get("/v1/admin/webhooks").await?;
            Ok(out.table(&found.value()?, COLUMNS, "Alerts are sent nowhere.")?)
        }
        Webhooks::Add { url, secret } => {
            let added =
                server.post("/v1/admin/webhooks", &json!({"url": url, "secret": secret})).await?.value()?;
            let sentence = format!("Alerts are sent to {url}, signed with {}", text(&added, "secret"));
            done(out, &sentence, &added)
        }
        Webhooks::Remove { webhook } => {
            server.delete(&format!("/v1/admin/webhooks/{}", encoded(&webhook))).await?;
            done(out, &format!("Alerts are no longer sent to {webhook}."), &json!({"removed": webhook}))
        }
    }
}

/// The link alone, so that a script can open it.
async fn link(server: &Connection, out: Out) -> Result<(), CliError> {
    let made = server.post("/v1/admin/link", &json!({})).await?.value()?;
    if out.for_programs { Ok(out.json(&made)?) } else { Ok(out.line(&text(&made, "console"))?) }
}

/// A sentence for people, JSON for programs.
fn done(out: Out, sentence: &str, value: &serde_json::Value) -> Result<(), CliError> {
    if out.for_programs { Ok(out.json(value)?) } else { Ok(out.line(sentence)?) }
}

mod percent {
    use url::form_urlencoded::byte_serialize;

    /// For a path segment or a query value.
    pub(super) fn encoded(text: &str) -> String {
        byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
    }
}
