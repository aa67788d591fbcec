//! Searching the record, and taking it away.

use super::encoded;
use crate::cli::CliError;
use crate::cli::arguments::{Filter, RecordForm, Records};
use crate::cli::connection::Connection;
use crate::cli::output::{Column, Out, shortened, text, when};
use crate::cli::record_file::{Pieces, say};
use serde_json::Value;

pub async fn run(records: Records, server: &Connection, out: Out) -> Result<(), CliError> {
    match records {
        Records::Search { filter, limit, after } => {
            let after = after.map(|after| format!("&after={}", encoded(&after))).unwrap_or_default();
            let path = format!("/v1/admin/records?limit={limit}{after}{}", query(&filter));
            search(&path, server, out).await
        }
        Records::Export { filter, format } => {
            let format = match format {
                RecordForm::Raw => "raw",
                RecordForm::Ocsf => "ocsf",
                RecordForm::Chained => "chained",
            };
            let path = format!("/v1/admin/records/export?format={format}{}", query(&filter));
            server.stream(&path, |part| Ok(out.bytes(part)?)).await
        }
        // With a file it needs no server and does not come here.
        Records::Verify { .. } => {
            let mut pieces = Pieces::default();
            let all = "/v1/admin/records/export?format=chained";
            server
                .stream(all, |part| {
                    pieces.take(part);
                    Ok(())
                })
                .await?;
            say(&pieces.finish(), out)
        }
    }
}

async fn search(path: &str, server: &Connection, out: Out) -> Result<(), CliError> {
    const COLUMNS: &[Column] = &[
        ("TIME", |record| when(record, "time_ms")),
        ("MEMBER", |record| text(record, "member")),
        ("CLIENT", client),
        ("KIND", kind),
        ("METHOD", |record| text(record, "method")),
        ("SERVER", |record| shortened(&text(&record["server"], "identity"), 48)),
        ("TOOL", |record| text(record, "tool")),
        ("DECISION", |record| text(record, "decision")),
        ("RULE", |record| text(record, "rule")),
        // What became of a call, or why a message was not taken.
        ("RESULT", |record| text(record, "fate") + &text(record, "code")),
    ];
    let found = server.get(path).await?;
    if out.for_programs {
        // As it came: reading and writing it again would change numbers in arguments.
        return Ok(out.document(found.text())?);
    }
    let page: Value = found.value()?;
    out.table(&page["records"], COLUMNS, "No record matches.")?;
    match page["next"].as_str() {
        Some(next) => Ok(out.line(&format!("There are more: --after {next}"))?),
        None => Ok(()),
    }
}

/// The program, and at an HTTP door the name of its credential.
fn client(record: &Value) -> String {
    let (name, door) = (text(&record["client"], "name"), text(&record["client"], "door"));
    if door.is_empty() { name } else { format!("{name} ({door})").trim_start().to_owned() }
}

/// Of a definition, also what happened to it: an approval is no sighting.
fn kind(record: &Value) -> String {
    [text(record, "kind"), text(record, "event")].join(" ").trim_end().to_owned()
}

fn query(filter: &Filter) -> String {
    let text = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("&{name}={}", encoded(value))).unwrap_or_default()
    };
    let time =
        |name: &str, value: Option<i64>| value.map(|value| format!("&{name}={value}")).unwrap_or_default();
    [
        text("member", &filter.member),
        text("device", &filter.device),
        text("server", &filter.server),
        text("tool", &filter.tool),
        text("decision", &filter.decision),
        text("kind", &filter.kind),
        text("rule", &filter.rule),
        text("client", &filter.client),
        text("fate", &filter.fate),
        text("code", &filter.code),
        text("text", &filter.text),
        time("since", filter.since),
        time("until", filter.until),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_client_at_a_door_is_told_with_its_credentials_name() {
        for (record, said) in [
            (json!({"client": {"name": "claude-code", "version": "2"}}), "claude-code"),
            (json!({"client": {"name": "bot", "door": "desktop"}}), "bot (desktop)"),
            (json!({"client": {"name": "", "door": "desktop"}}), "(desktop)"),
            (json!({}), ""),
        ] {
            assert_eq!(client(&record), said);
        }
    }

    #[test]
    fn an_approval_is_told_from_a_sighting() {
        for (record, said) in [
            (json!({"kind": "definition", "event": "approved"}), "definition approved"),
            (json!({"kind": "definition", "event": "new"}), "definition new"),
            (json!({"kind": "call"}), "call"),
        ] {
            assert_eq!(kind(&record), said);
        }
    }
}
