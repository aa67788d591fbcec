//! Ending and restoring somebody's access. Both are a new signed policy version, pushed at once.

use crate::app::App;
use crate::author::{PublishError, publish_standing};
use crate::clock::now_ms;

#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error("no member {0} is known; check the spelling (see the list of members)")]
    Unknown(String),
    #[error("no device {0} is known")]
    UnknownDevice(String),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
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

/// Ends one device's access, for good: it has to enrol anew.
pub async fn revoke_device(app: &App, by: &str, id: &str) -> Result<StandingChange, MemberError> {
    if app.store.device(id).await?.is_none() {
        return Err(MemberError::UnknownDevice(id.to_owned()));
    }
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
    Ok(change)
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
