//! Enrolment: making a token, and the profile that carries it, which is shown once.

use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::{Problem, sentence};
use crate::console::visit::{Choice, Posted, Visit, choices, page, page_again, see};
use crate::console::when::When;
use crate::enrolment::{self, EnrolmentError, MadeToken, NewToken, Withdrawal, profile};
use crate::store::tokens::EnrolmentToken;
use askama::Template;
use axum::response::Response;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    frame: Frame,
    member: String,
    members: String,
    any_member: bool,
    uses: String,
    lifetimes: Vec<Choice>,
    tokens: Vec<TokenRow>,
    fault: Option<String>,
}

struct TokenRow {
    id: String,
    member: String,
    used: String,
    made: When,
    by: String,
    expires: When,
    state: Mark,
    usable: bool,
}

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    frame: Frame,
    /// What the token is good for, and what may surprise.
    meaning: String,
    warnings: Vec<String>,
    token: String,
    forms: Vec<Form>,
}

/// The profile as one management system takes it.
struct Form {
    id: &'static str,
    title: &'static str,
    place: &'static str,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    member: String,
    /// Patterns, as typed: between them spaces, commas or line ends.
    members: String,
    /// Sent where the box is ticked.
    any_member: Option<String>,
    uses: String,
    hours: String,
}

#[derive(Deserialize)]
pub struct Which {
    id: String,
}

const LIFETIMES: [(&str, &str); 5] =
    [("1", "1 hour"), ("24", "1 day"), ("168", "7 days"), ("720", "30 days"), ("8760", "1 year")];

pub async fn form(visit: Visit) -> Result<Response, Problem> {
    let wish = Wish { uses: "1".into(), hours: "24".into(), ..Wish::default() };
    page(&enrol_page(&visit, wish, None).await?)
}

/// Answers with the profile itself, not with a redirect: the secret is nowhere to be fetched from again.
pub async fn make(Posted { visit, fields }: Posted<Wish>) -> Result<Response, Problem> {
    let member = Some(fields.member.trim().to_owned()).filter(|member| !member.is_empty());
    let wanted = NewToken {
        member,
        members: fields
            .members
            .split([' ', ',', ';', '\r', '\n', '\t'])
            .filter(|pattern| !pattern.is_empty())
            .map(str::to_owned)
            .collect(),
        any_member: fields.any_member.is_some(),
        uses: fields.uses.trim().parse().unwrap_or(0),
        expires_in_seconds: fields.hours.parse::<u64>().unwrap_or(0).saturating_mul(3600),
    };
    match enrolment::new_token(&visit.app, visit.by(), &wanted).await {
        Ok(made) => page(&profile_page(&visit, &made).await?),
        Err(EnrolmentError::Store(error)) => Err(error.into()),
        Err(error) => page_again(&enrol_page(&visit, fields, Some(sentence(&error.to_string()))).await?),
    }
}

pub async fn withdraw(Posted { visit, fields }: Posted<Which>) -> Result<Response, Problem> {
    if enrolment::withdraw_token(&visit.app, visit.by(), &fields.id).await? == Withdrawal::Unknown {
        return Err(Problem::NotFound("token that could be withdrawn"));
    }
    Ok(see("/fleet/enrol?done=token-withdrawn"))
}

async fn enrol_page(visit: &Visit, wish: Wish, fault: Option<String>) -> Result<EnrolPage, Problem> {
    let tokens = visit.app.store.enrolment_tokens().await?;
    Ok(EnrolPage {
        frame: visit.frame(Some(Place::Fleet)).await?,
        lifetimes: choices(&LIFETIMES, &wish.hours),
        member: wish.member,
        members: wish.members,
        any_member: wish.any_member.is_some(),
        uses: wish.uses,
        tokens: tokens.into_iter().map(|token| TokenRow::new(visit, token)).collect(),
        fault,
    })
}

impl TokenRow {
    fn new(visit: &Visit, token: EnrolmentToken) -> Self {
        let state = if token.withdrawn_ms.is_some() {
            Mark::off("withdrawn")
        } else if token.used >= token.uses {
            Mark::off("used up")
        } else if token.expires_ms < visit.now_ms {
            Mark::off("expired")
        } else {
            Mark::ok("good")
        };
        Self {
            used: format!("{} of {}", token.used, token.uses),
            made: visit.when(token.created_ms),
            expires: visit.when(token.expires_ms),
            usable: state == Mark::ok("good"),
            id: token.id,
            member: match token.member {
                Some(member) => member,
                None if token.members.0.is_empty() => "any member".into(),
                None => token.members.0.join(", "),
            },
            by: token.created_by,
            state,
        }
    }
}

async fn profile_page(visit: &Visit, made: &MadeToken) -> Result<ProfilePage, Problem> {
    let caution = enrolment::caution(&made.token).map(str::to_owned);
    Ok(ProfilePage {
        frame: visit.frame(Some(Place::Fleet)).await?,
        meaning: format!("it is {}.", enrolment::meaning(&made.token)),
        warnings: made.warnings.iter().cloned().chain(caution).collect(),
        token: made.profile.enrolment_token.clone(),
        forms: vec![
            Form {
                id: "profile-json",
                title: "File (Linux, or to try it)",
                place: "Place it at /etc/portreeve/managed.json. For a trial in a folder of its own: at DIR/etc/managed.json, then portreeve --root DIR enroll.",
                text: profile::as_json(&made.profile),
            },
            Form {
                id: "profile-mobileconfig",
                title: "Configuration profile (macOS, any MDM)",
                place: "Save it as portreeve.mobileconfig and upload it as a custom profile. Put your MDM's placeholder for the user's address in the place of $EMAIL.",
                text: profile::as_mobileconfig(&made.profile),
            },
            Form {
                id: "profile-plist",
                title: "Managed preferences (Jamf, macOS)",
                place: "Custom settings for the preference domain com.portreeve.agent. Jamf puts the member's address in the place of $EMAIL.",
                text: profile::as_plist(&profile::for_mdm(&made.profile)),
            },
            Form {
                id: "profile-reg",
                title: "Registry (Intune, Windows)",
                place: "Values of HKEY_LOCAL_MACHINE\\Software\\Policies\\Portreeve.",
                text: profile::as_registry_file(&made.profile),
            },
        ],
    })
}
