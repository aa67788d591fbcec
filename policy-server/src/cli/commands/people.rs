//! Members and their devices.

use super::{done, encoded};
use crate::cli::CliError;
use crate::cli::arguments::{Devices, Members};
use crate::cli::connection::Connection;
use crate::cli::output::{Column, Out, text, when};
use serde_json::{Value, json};

pub async fn members(members: Members, server: &Connection, out: Out) -> Result<(), CliError> {
    const COLUMNS: &[Column] = &[
        ("MEMBER", |member| text(member, "address")),
        ("DEVICES", |member| text(member, "devices")),
        ("LAST CONTACT", |member| when(member, "contact_ms")),
        ("ACCESS ENDED", |member| when(member, "suspended_ms")),
    ];
    match members {
        Members::List => {
            let found = server.get("/v1/admin/members").await?;
            Ok(out.table(&found.value()?, COLUMNS, "No members yet: nobody has enrolled a machine.")?)
        }
        Members::Offboard { address } => {
            let change = act(server, &format!("members/{}/offboard", encoded(&address))).await?;
            done(out, &sentence(&change, &format!("The access of {address} has ended")), &change)
        }
        Members::Restore { address } => {
            let change = act(server, &format!("members/{}/restore", encoded(&address))).await?;
            done(out, &sentence(&change, &format!("{address} has access again")), &change)
        }
    }
}

pub async fn devices(devices: Devices, server: &Connection, out: Out) -> Result<(), CliError> {
    const COLUMNS: &[Column] = &[
        ("ID", |device| text(device, "id")),
        ("MEMBER", |device| text(device, "member")),
        ("HOST", |device| text(device, "hostname")),
        ("STATUS", |device| text(device, "status")),
        ("POLICY", |device| text(device, "policy_version")),
        ("GOVERNED", governed),
        ("SPOOL", |device| text(device, "spool_depth")),
        ("LAST CONTACT", |device| when(device, "contact_ms")),
    ];
    match devices {
        Devices::List => {
            let found = server.get("/v1/admin/devices").await?;
            Ok(out.table(&found.value()?, COLUMNS, "No machine is enrolled yet.")?)
        }
        Devices::Revoke { id } => {
            let change = act(server, &format!("devices/{}/revoke", encoded(&id))).await?;
            done(out, &sentence(&change, &format!("The access of device {id} has ended")), &change)?;
            tell_of_tokens(&change, out)
        }
        Devices::Remove { id } => {
            server.delete(&format!("/v1/admin/devices/{}", encoded(&id))).await?;
            done(out, &format!("Device {id} is forgotten; its records stay."), &json!({"removed": id}))
        }
    }
}

/// What a revoked machine could still come back by.
fn tell_of_tokens(revocation: &Value, out: Out) -> Result<(), CliError> {
    if let Some(id) = revocation["withdrawn"].as_str() {
        out.aside(&format!("The enrolment token it came by ({id}) is withdrawn."))?;
    }
    let tokens = revocation["could_enrol_again"].as_array().into_iter().flatten();
    let ids: Vec<&str> = tokens.filter_map(|token| token["id"].as_str()).collect();
    if !ids.is_empty() {
        out.aside(&format!(
            "Tokens that could still enrol this machine: {}; withdraw them with",
            ids.join(", ")
        ))?;
    }
    for id in ids {
        out.aside(&format!("  portreeve-server enrolment token withdraw {id}"))?;
    }
    Ok(())
}

fn governed(device: &Value) -> String {
    let servers = device["coverage"]["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let governed = servers.iter().filter(|server| server["governed"] == true).count();
    format!("{governed} of {}", servers.len())
}

async fn act(server: &Connection, what: &str) -> Result<Value, CliError> {
    server.post(&format!("/v1/admin/{what}"), &json!({})).await?.value()
}

fn sentence(change: &Value, what: &str) -> String {
    if change["changed"] == true {
        format!("{what}: policy version {} says so, and is pushed.", change["policy_version"])
    } else {
        format!("{what} already (policy version {}).", change["policy_version"])
    }
}
