//! Making and withdrawing enrolment tokens, and saying in words what one is good for.

use super::{EnrolmentError, address};
use crate::admin_auth::AuthError;
use crate::app::App;
use crate::clock::{from_ms, now_ms};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::tokens::{EnrolmentToken, MemberPatterns};
use contract::enrolment::ManagedProfile;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an enrolment token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewToken {
    /// The member its devices will belong to, whatever the machine says; `null` for a fleet-wide token.
    pub member: Option<String>,
    /// Patterns (`*@acme.example`) of which the member that the machine names has to fit one.
    pub members: Vec<String>,
    /// The machine may name anybody. A token for several machines needs a member, patterns, or this.
    pub any_member: bool,
    /// How many machines it enrols.
    pub uses: u32,
    pub expires_in_seconds: u64,
}

impl Default for NewToken {
    fn default() -> Self {
        Self { member: None, members: Vec::new(), any_member: false, uses: 1, expires_in_seconds: 24 * 3600 }
    }
}

/// A token that was just made, with the secret in it: shown once.
#[derive(Debug, Clone)]
pub struct MadeToken {
    pub token: EnrolmentToken,
    /// What IT places on the machines; holds the secret.
    pub profile: ManagedProfile,
    /// Sentences about what may surprise whoever made it.
    pub warnings: Vec<String>,
}

/// Makes an enrolment token and the managed profile that carries it.
pub async fn new_token(app: &App, by: &str, wanted: &NewToken) -> Result<MadeToken, EnrolmentError> {
    if !(1..=100_000).contains(&wanted.uses) || !(1..=366 * 86_400).contains(&wanted.expires_in_seconds) {
        return Err(EnrolmentError::BadToken);
    }
    let member = wanted.member.as_deref().map(address).transpose()?;
    let members = wanted.members.iter().map(|text| pattern(text)).collect::<Result<Vec<_>, _>>()?;
    check_bounds(wanted)?;
    let secret = Secret::generate().map_err(AuthError::from)?;
    let lasts = i64::try_from(wanted.expires_in_seconds).map_err(|_| EnrolmentError::BadToken)? * 1000;
    let now = now_ms();
    let token = EnrolmentToken {
        id: Uuid::now_v7().to_string(),
        any_member: member.is_none() && members.is_empty(),
        member: member.clone(),
        members: MemberPatterns(members),
        uses: i64::from(wanted.uses),
        used: 0,
        expires_ms: now + lasts,
        created_ms: now,
        created_by: by.to_owned(),
        withdrawn_ms: None,
    };
    app.store.add_enrolment_token(&token, &secret.hash()).await?;
    app.store.add_deed(by, "enrolment-token-made", &token.id, &meaning(&token)).await?;
    let warnings = warnings(app, &token).await?;
    Ok(MadeToken { profile: profile(app, &secret, member), token, warnings })
}

/// Whoever holds a token for many machines could enrol as anybody, so somebody has to have meant that.
fn check_bounds(wanted: &NewToken) -> Result<(), EnrolmentError> {
    let (one, some) = (wanted.member.is_some(), !wanted.members.is_empty());
    if (one && some) || ((one || some) && wanted.any_member) {
        return Err(EnrolmentError::TokenForWhom);
    }
    if wanted.uses > 1 && !one && !some && !wanted.any_member {
        return Err(EnrolmentError::TokenForAnybody);
    }
    Ok(())
}

/// A member pattern in its one spelling. One that fits everybody is said in another way.
fn pattern(text: &str) -> Result<String, EnrolmentError> {
    let bad = || EnrolmentError::BadPattern(text.to_owned());
    let wanted = text.trim().to_ascii_lowercase();
    let named = address(&wanted.replace('*', "a")).is_ok() && wanted.contains('@');
    if !named || wanted.chars().all(|c| matches!(c, '*' | '@')) {
        return Err(bad());
    }
    Ok(wanted)
}

async fn warnings(app: &App, token: &EnrolmentToken) -> Result<Vec<String>, StoreError> {
    let (Some(member), Some(policy)) = (&token.member, app.store.current_policy().await?) else {
        return Ok(Vec::new());
    };
    Ok(if policy.standing.suspended_members.contains(member) {
        vec![format!("The access of {member} has ended: this token enrols nothing until they are restored.")]
    } else {
        Vec::new()
    })
}

/// `good for 25 machines of members like *@acme.example until 2026-11-21 09:00 UTC`.
#[must_use]
pub fn meaning(token: &EnrolmentToken) -> String {
    let machines = if token.uses == 1 { "1 machine".to_owned() } else { format!("{} machines", token.uses) };
    let whose = match &token.member {
        Some(member) => format!("of {member}"),
        None if token.any_member => "of any member".to_owned(),
        None => format!("of members like {}", token.members.0.join(" or ")),
    };
    format!("good for {machines} {whose} until {}", until(token.expires_ms))
}

/// What a token that binds nobody means for whom it falls into the hands of.
#[must_use]
pub fn caution(token: &EnrolmentToken) -> Option<&'static str> {
    (token.member.is_none() && token.any_member).then_some(
        "Whoever has it can enrol a machine as any member, with that member's rights: the machine says whose it is.",
    )
}

fn until(at_ms: i64) -> String {
    use time::macros::format_description;
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    from_ms(at_ms).and_then(|time| time.format(&form).ok()).unwrap_or_default()
}

/// What withdrawing a token came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    Done,
    /// It was withdrawn before.
    Already,
    Unknown,
}

pub async fn withdraw_token(app: &App, by: &str, id: &str) -> Result<Withdrawal, StoreError> {
    if app.store.withdraw_enrolment_token(id).await? {
        app.store.add_deed(by, "enrolment-token-withdrawn", id, "").await?;
        return Ok(Withdrawal::Done);
    }
    let known = app.store.enrolment_token_by_id(id).await?.is_some();
    Ok(if known { Withdrawal::Already } else { Withdrawal::Unknown })
}

fn profile(app: &App, secret: &Secret, member: Option<String>) -> ManagedProfile {
    ManagedProfile {
        organisation: app.organisation.clone(),
        server: app.public_url.as_str().trim_end_matches('/').to_owned(),
        server_ca: app.authority.vouches_for_listener().then(|| app.authority.certificate_pem().to_owned()),
        trust_root: app.publisher.trust_root().to_owned(),
        enrolment_token: secret.reveal().to_owned(),
        member,
    }
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn a_pattern_names_somebody_beyond_its_stars() {
        assert_eq!(pattern(" *@Acme.example").unwrap(), "*@acme.example");
        for wrong in ["", "*", "*@*", "**", "acme.example", "a b@x", "$EMAIL", "\"@x"] {
            assert!(pattern(wrong).is_err(), "{wrong:?}");
        }
    }
}
