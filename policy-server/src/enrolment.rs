//! How a machine becomes a device: tokens, certificates, renewal, leaving.

mod oddity;
pub mod profile;
mod token;

pub use token::{MadeToken, NewToken, Withdrawal, caution, meaning, new_token, withdraw_token};

use crate::admin_auth::AuthError;
use crate::app::App;
use crate::clock::{now_ms, to_ms};
use crate::secret;
use crate::store::StoreError;
use crate::store::alerts::NewAlert;
use crate::store::devices::{Device, NewDevice};
use crate::store::tokens::EnrolmentToken;
use crate::tls::CertificateError;
use contract::enrolment::{EnrolReply, EnrolRequest, RenewRequest};
use contract::report::Severity;
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    #[error("this enrolment token is not known here; ask your IT for a current enrolment profile")]
    TokenUnknown,
    #[error("this enrolment token has expired; ask your IT for a current enrolment profile")]
    TokenExpired,
    #[error("this enrolment token was withdrawn; ask your IT for a current enrolment profile")]
    TokenWithdrawn,
    #[error("this enrolment token was used as often as it may be; ask your IT for another one")]
    TokenUsed,
    #[error(
        "it is not said whose machine this is: neither the token, nor the profile, nor the request names a member"
    )]
    NoMember,
    #[error("{0:?} is not a member's address")]
    BadMember(String),
    #[error("the access of {0} has ended; they cannot enrol a device")]
    MemberSuspended(String),
    #[error("this enrolment token is not for {0}; ask your IT for one that is")]
    MemberNotOfToken(String),
    #[error("the certificate request cannot be used: {0}")]
    BadRequest(#[from] CertificateError),
    #[error("an enrolment token is good for 1 to 100000 machines and for at most a year")]
    BadToken,
    #[error("{0:?} is not a pattern of members; write one such as *@acme.example")]
    BadPattern(String),
    #[error(
        "a token is for one member, or for members that fit a pattern, or for any member: say one of them"
    )]
    TokenForWhom,
    #[error(
        "whoever has a token for several machines could enrol as any member; say whose machines they are (member), which members may be named (members: *@acme.example), or that anybody is meant (any member)"
    )]
    TokenForAnybody,
    #[error(transparent)]
    TooMany(#[from] AuthError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Enrols a machine: counts the token, issues the certificate, adds the device.
pub async fn enrol(app: &App, peer: IpAddr, request: &EnrolRequest) -> Result<EnrolReply, EnrolmentError> {
    app.limits.enrolment(peer)?;
    let hash = secret::hash(&request.token);
    let token = app.store.enrolment_token(&hash).await?.ok_or(EnrolmentError::TokenUnknown)?;
    check_token(&token)?;
    let member = token.member.as_ref().or(request.member.as_ref()).ok_or(EnrolmentError::NoMember)?;
    let member = address(member)?;
    if !token.admits(&member) {
        return Err(EnrolmentError::MemberNotOfToken(member));
    }
    if let Err(refused) = check_standing(app, &member).await {
        if matches!(refused, EnrolmentError::MemberSuspended(_)) {
            oddity::tell_of_suspended(app, &token, &member, &request.machine).await?;
        }
        return Err(refused);
    }
    let before = oddity::before(app, &member, &request.machine).await?;
    let device = Uuid::now_v7().to_string();
    let issued = app.authority.issue(&request.csr_pem, &device, &app.organisation)?;
    let added = app
        .store
        .enrol(
            &hash,
            &NewDevice {
                id: &device,
                member: &member,
                machine: &request.machine,
                certificate_expires_ms: to_ms(issued.expires),
            },
        )
        .await?;
    if !added {
        return Err(EnrolmentError::TokenUsed);
    }
    oddity::tell(app, &before, &token, &device, &member, &request.machine).await?;
    tracing::info!(device, member, "device enrolled");
    Ok(EnrolReply {
        device_id: device,
        member,
        organisation: app.organisation.clone(),
        certificate_pem: issued.chain_pem,
        certificate_expires: issued.expires,
    })
}

/// A fresh certificate for a device.
pub async fn renew(app: &App, device: &Device, request: &RenewRequest) -> Result<EnrolReply, EnrolmentError> {
    check_standing(app, &device.member).await?;
    let issued = app.authority.issue(&request.csr_pem, &device.id, &app.organisation)?;
    app.store.set_certificate_expiry(&device.id, to_ms(issued.expires)).await?;
    Ok(EnrolReply {
        device_id: device.id.clone(),
        member: device.member.clone(),
        organisation: app.organisation.clone(),
        certificate_pem: issued.chain_pem,
        certificate_expires: issued.expires,
    })
}

/// The device takes itself out; that somebody did this is for a person to know.
pub async fn unenrol(app: &App, device: &Device) -> Result<(), StoreError> {
    if app.store.set_unenrolled(&device.id).await? {
        app.store.resolve_alert(&device.id, crate::fleet::DARK, &device.id).await?;
        app.store
            .raise_alert(&NewAlert {
                code: crate::alerts::UNENROLLED,
                severity: Severity::Warning,
                device: &device.id,
                member: &device.member,
                subject: &device.id,
                detail: &format!(
                    "{} of {} was taken out of the fleet on the machine itself.",
                    device.machine.hostname, device.member
                ),
                since_ms: now_ms(),
            })
            .await?;
        app.store.add_deed(&device.member, "device-unenrolled", &device.id, &device.machine.hostname).await?;
        app.courier.notify_one();
    }
    Ok(())
}

fn check_token(token: &EnrolmentToken) -> Result<(), EnrolmentError> {
    if token.withdrawn_ms.is_some() {
        Err(EnrolmentError::TokenWithdrawn)
    } else if token.expires_ms < now_ms() {
        Err(EnrolmentError::TokenExpired)
    } else if token.used >= token.uses {
        Err(EnrolmentError::TokenUsed)
    } else {
        Ok(())
    }
}

async fn check_standing(app: &App, member: &str) -> Result<(), EnrolmentError> {
    let suspended = app
        .store
        .current_policy()
        .await?
        .is_some_and(|policy| policy.standing.suspended_members.contains(member));
    if suspended { Err(EnrolmentError::MemberSuspended(member.to_owned())) } else { Ok(()) }
}

/// An address in its one spelling: a word that a policy can name, in small letters. Whether somebody
/// reads mail there is not ours to know. A `$` is a placeholder that no management system filled in.
pub fn address(member: &str) -> Result<String, EnrolmentError> {
    let member = member.trim().to_ascii_lowercase();
    let strange =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\' | '*' | '$');
    if member.is_empty() || member.len() > 254 || member.contains(strange) {
        return Err(EnrolmentError::BadMember(member));
    }
    Ok(member)
}

/// How long a device certificate lasts.
pub const CERTIFICATE_LASTS: Duration = Duration::from_hours(7 * 24);
/// How long after its expiry a certificate still renews itself: a laptop may be in a drawer for a while.
pub const RENEWAL_GRACE: Duration = Duration::from_hours(90 * 24);
