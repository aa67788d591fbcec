//! Ending and restoring somebody's access. Both are a new signed policy version, pushed at once.

use crate::app::App;
use crate::author::{PublishError, publish_standing};
use crate::clock::now_ms;
use crate::fleet::DeviceStatus;
use crate::store::StoreError;
use crate::store::tokens::EnrolmentToken;

#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error("no member {0} is known; check the spelling (see the list of members)")]
    Unknown(String),
    #[error("no device {0} is known")]
    UnknownDevice(String),
    #[error("device {0} is live; revoke it first, or wait until it is dark")]
    StillLive(String),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What ending or restoring access came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct StandingChange {
    /// The policy version that carries it.
    pub policy_version: u64,
    /// `false`: it was so already, and nothing was published.
    pub changed: bool,
}

/// Ends a member's access on every device of theirs.
pub async fn offboard(app: &App, by: &str, address: &str) -> Result<StandingChange, MemberError> {
    let address = &known(app, address).await?;
    let change = publish_standing(app, by, &format!("offboard {address}"), |standing| {
        standing.suspended_members.insert(address.to_owned())
    })
    .await?;
    app.store.set_suspended(address, Some(now_ms())).await?;
    app.store
        .add_deed(by, "member-offboarded", address, &format!("policy version {}", change.policy_version))
        .await?;
    Ok(change)
}

/// Gives a member their access back.
pub async fn restore(app: &App, by: &str, address: &str) -> Result<StandingChange, MemberError> {
    let address = &known(app, address).await?;
    let change = publish_standing(app, by, &format!("restore {address}"), |standing| {
        standing.suspended_members.remove(address)
    })
    .await?;
    app.store.set_suspended(address, None).await?;
    app.store
        .add_deed(by, "member-restored", address, &format!("policy version {}", change.policy_version))
        .await?;
    Ok(change)
}

/// What revoking a device came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Revocation {
    #[serde(flatten)]
    pub change: StandingChange,
    /// The id of the token it had enrolled by, where that was for it or its member alone: it is
    /// withdrawn now.
    pub withdrawn: Option<String>,
    /// Tokens by which this machine could enrol again. They serve other machines as well, so an admin
    /// has to say that they are withdrawn.
    pub could_enrol_again: Vec<EnrolmentToken>,
}

/// Ends one device's access, for good: it has to enrol anew.
pub async fn revoke_device(app: &App, by: &str, id: &str) -> Result<Revocation, MemberError> {
    let Some(device) = app.store.device(id).await? else {
        return Err(MemberError::UnknownDevice(id.to_owned()));
    };
    app.store.set_revoked(id).await?;
    let change = publish_standing(app, by, &format!("revoke device {id}"), |standing| {
        standing.revoked_devices.insert(id.to_owned())
    })
    .await?;
    app.store.resolve_alert(id, crate::fleet::DARK, id).await?;
    app.courier.notify_one();
    app.store
        .add_deed(by, "device-revoked", id, &format!("policy version {}", change.policy_version))
        .await?;
    let withdrawn = withdraw_its_token(app, by, id).await?;
    Ok(Revocation { change, withdrawn, could_enrol_again: tokens_for(app, &device.member).await? })
}

/// A token for this one machine, or bound to its member, is spent with the device.
async fn withdraw_its_token(app: &App, by: &str, device: &str) -> Result<Option<String>, MemberError> {
    let own = app.store.token_of_device(device).await?;
    let Some(token) = own.filter(|token| token.member.is_some() || token.uses == 1) else { return Ok(None) };
    let done = crate::enrolment::withdraw_token(app, by, &token.id).await?;
    Ok((done == crate::enrolment::Withdrawal::Done).then_some(token.id))
}

/// Usable tokens by which a machine could enrol as this member.
pub async fn tokens_for(app: &App, member: &str) -> Result<Vec<EnrolmentToken>, StoreError> {
    let now = now_ms();
    let tokens = app.store.enrolment_tokens().await?;
    Ok(tokens.into_iter().filter(|token| token.is_usable(now) && token.admits(member)).collect())
}

/// Forgets a machine that is gone for good. Its alerts are closed; its records stay.
pub async fn remove_device(app: &App, by: &str, id: &str) -> Result<(), MemberError> {
    let Some(device) = app.store.device(id).await? else {
        return Err(MemberError::UnknownDevice(id.to_owned()));
    };
    if crate::fleet::status(&device) == DeviceStatus::Live {
        return Err(MemberError::StillLive(id.to_owned()));
    }
    if !app.store.remove_device(id).await? {
        return Err(MemberError::UnknownDevice(id.to_owned()));
    }
    for alert in app.store.live_alerts_of(id).await? {
        app.store.resolve_alert(id, &alert.code, &alert.subject).await?;
    }
    app.courier.notify_one();
    app.store
        .add_deed(by, "device-removed", id, &format!("{} of {}", device.machine.hostname, device.member))
        .await?;
    Ok(())
}

/// The one spelling of somebody with a device, or named by the policy in force.
async fn known(app: &App, asked: &str) -> Result<String, MemberError> {
    let unknown = || MemberError::Unknown(asked.to_owned());
    let address = crate::enrolment::address(asked).map_err(|_| unknown())?;
    if app.store.members().await?.iter().any(|member| member.address == address) {
        return Ok(address);
    }
    let Some(policy) = app.store.current_policy().await? else { return Err(unknown()) };
    let named = policy.text.to_ascii_lowercase().contains(&format!("\"{address}\""));
    if named || policy.standing.suspended_members.contains(&address) { Ok(address) } else { Err(unknown()) }
}
