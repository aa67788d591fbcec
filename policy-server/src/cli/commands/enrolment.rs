//! Enrolment tokens.

use super::{done, encoded};
use crate::cli::CliError;
use crate::cli::arguments::{ProfileForm, Token};
use crate::cli::connection::Connection;
use crate::cli::output::{Column, Out, text, when};
use crate::enrolment::profile;
use contract::enrolment::ManagedProfile;
use serde_json::{Value, json};

pub async fn run(token: Token, server: &Connection, out: Out) -> Result<(), CliError> {
    const COLUMNS: &[Column] = &[
        ("ID", |token| text(token, "id")),
        ("MEMBER", whose),
        ("USED", |token| format!("{} of {}", token["used"], token["uses"])),
        ("EXPIRES", |token| when(token, "expires_ms")),
        ("WITHDRAWN", |token| when(token, "withdrawn_ms")),
        ("MADE BY", |token| text(token, "created_by")),
    ];
    match token {
        Token::Create { member, members, any_member, uses, expires, profile } => {
            let wanted = json!({
                "member": member, "members": members, "any_member": any_member,
                "uses": uses, "expires_in_seconds": expires,
            });
            let made = server.post("/v1/admin/enrolment-tokens", &wanted).await?.value()?;
            if out.for_programs {
                return Ok(out.json(&made)?);
            }
            out.aside(&format!("This token is {}.", text(&made, "meaning")))?;
            for warning in made["warnings"].as_array().into_iter().flatten() {
                out.aside(warning.as_str().unwrap_or_default())?;
            }
            print(&serde_json::from_value(made["profile"].clone())?, profile, out)
        }
        Token::List => {
            let found = server.get("/v1/admin/enrolment-tokens").await?;
            Ok(out.table(&found.value()?, COLUMNS, "No enrolment tokens.")?)
        }
        Token::Withdraw { id } => {
            server.delete(&format!("/v1/admin/enrolment-tokens/{}", encoded(&id))).await?;
            done(out, &format!("Enrolment token {id} is withdrawn."), &json!({"withdrawn": id}))
        }
    }
}

fn whose(token: &Value) -> String {
    let patterns = token["members"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let patterns: Vec<&str> = patterns.collect();
    match token["member"].as_str() {
        Some(member) => member.to_owned(),
        None if patterns.is_empty() => "any member".to_owned(),
        None => patterns.join(" "),
    }
}

fn print(profile: &ManagedProfile, form: ProfileForm, out: Out) -> Result<(), CliError> {
    let text = match form {
        ProfileForm::Json => profile::as_json(profile),
        ProfileForm::Plist => profile::as_plist(&profile::for_mdm(profile)),
        ProfileForm::Mobileconfig => profile::as_mobileconfig(profile),
        ProfileForm::Reg => profile::as_registry_file(profile),
    };
    Ok(out.bytes(format!("{}\n", text.trim_end()).as_bytes())?)
}
