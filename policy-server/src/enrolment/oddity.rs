//! Enrolments that a person should hear of: they are what a token in the wrong hands looks like.

use crate::alerts::{REVOKED_ENROLLED_AGAIN, SECOND_DEVICE, SUSPENDED_TRIED};
use crate::app::App;
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::store::alerts::NewAlert;
use crate::store::tokens::EnrolmentToken;
use contract::enrolment::Machine;
use contract::report::Severity;

/// What was true of a member before a new device of theirs was added.
pub(super) struct Before {
    was_revoked: bool,
    /// Host names of their other live devices.
    others: Vec<String>,
}

pub(super) async fn before(app: &App, member: &str, machine: &Machine) -> Result<Before, StoreError> {
    let others = app.store.devices_of(member).await?;
    Ok(Before {
        was_revoked: app.store.was_revoked(member, &machine.hostname).await?,
        others: others.into_iter().map(|device| device.machine.hostname).collect(),
    })
}

/// Raises what the new device makes worth hearing of.
pub(super) async fn tell(
    app: &App,
    before: &Before,
    token: &EnrolmentToken,
    device: &str,
    member: &str,
    machine: &Machine,
) -> Result<(), StoreError> {
    let host = &machine.hostname;
    if before.was_revoked {
        let detail = format!(
            "{host} of {member} was revoked and has enrolled again, by the enrolment token {}. If nobody meant it to come back, revoke it and withdraw the token.",
            token.id
        );
        raise(app, REVOKED_ENROLLED_AGAIN, Severity::Critical, (device, member, device), &detail).await?;
    }
    if !before.others.is_empty() {
        // Where an admin made the token for this very member, a second machine is likely meant.
        let meant = token.member.is_some();
        let severity = if meant { Severity::Info } else { Severity::Warning };
        let said = if meant { "" } else { " Nobody but the machine said that it is theirs." };
        let others = before.others.join(", ");
        let detail = format!("{member} has enrolled {host} beside {others}.{said}");
        raise(app, SECOND_DEVICE, severity, (device, member, device), &detail).await?;
    }
    Ok(())
}

/// Somebody whose access has ended had a good token.
pub(super) async fn tell_of_suspended(
    app: &App,
    token: &EnrolmentToken,
    member: &str,
    machine: &Machine,
) -> Result<(), StoreError> {
    let host = &machine.hostname;
    let detail = format!(
        "{host} tried to enrol as {member}, whose access has ended, by the enrolment token {}. It was refused.",
        token.id
    );
    let subject = format!("{member} on {host}");
    raise(app, SUSPENDED_TRIED, Severity::Warning, ("", member, &subject), &detail).await
}

async fn raise(
    app: &App,
    code: &str,
    severity: Severity,
    (device, member, subject): (&str, &str, &str),
    detail: &str,
) -> Result<(), StoreError> {
    let alert = NewAlert { code, severity, device, member, subject, detail, since_ms: now_ms() };
    if app.store.raise_alert(&alert).await? {
        app.courier.notify_one();
    }
    Ok(())
}
