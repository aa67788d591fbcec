//! Enrolment: making a token, and the profile that carries it, which is shown once.

use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::{Problem, sentence};
use crate::console::visit::{Choice, Posted, Visit, choices, page, page_again, see};
use crate::console::when::When;
use crate::enrolment::{self, EnrolmentError, MadeToken, NewToken};
use crate::store::tokens::EnrolmentToken;
use askama::Template;
use axum::response::Response;
use contract::enrolment::ManagedProfile;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    frame: Frame,
    member: String,
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
    meaning: String,
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

#[derive(Deserialize)]
pub struct Wish {
    #[serde(default)]
    member: String,
    #[serde(default)]
    uses: String,
    #[serde(default)]
    hours: String,
}

#[derive(Deserialize)]
pub struct Which {
    id: String,
}

const LIFETIMES: [(&str, &str); 5] =
    [("1", "1 hour"), ("24", "1 day"), ("168", "7 days"), ("720", "30 days"), ("8760", "1 year")];

pub async fn form(visit: Visit) -> Result<Response, Problem> {
    let wish = Wish { member: String::new(), uses: "1".into(), hours: "24".into() };
    page(&enrol_page(&visit, wish, None).await?)
}

/// Answers with the profile itself, not with a redirect: the secret is nowhere to be fetched from again.
pub async fn make(Posted { visit, fields }: Posted<Wish>) -> Result<Response, Problem> {
    let member = Some(fields.member.trim().to_owned()).filter(|member| !member.is_empty());
    let wanted = NewToken {
        member,
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
    if !enrolment::withdraw_token(&visit.app, visit.by(), &fields.id).await? {
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
            member: token.member.unwrap_or_else(|| "any member".into()),
            by: token.created_by,
            state,
        }
    }
}

async fn profile_page(visit: &Visit, made: &MadeToken) -> Result<ProfilePage, Problem> {
    let machines = super::super::words::count(made.token.uses.unsigned_abs(), "machine", "machines");
    let whose = match &made.token.member {
        Some(member) => format!("as {member}'s"),
        None => "for the member its profile names".to_owned(),
    };
    Ok(ProfilePage {
        frame: visit.frame(Some(Place::Fleet)).await?,
        meaning: format!("whoever has it can enrol {machines}, {whose}."),
        token: made.profile.enrolment_token.clone(),
        forms: vec![
            Form {
                id: "profile-json",
                title: "File (Linux, or to try it)",
                place: "Place it at /etc/portreeve/managed.json. For a trial in a folder of its own: at DIR/etc/managed.json, then portreeve --root DIR enroll.",
                text: serde_json::to_string_pretty(&made.profile).unwrap_or_default(),
            },
            Form {
                id: "profile-plist",
                title: "Managed preferences (Jamf, macOS)",
                place: "Custom settings for the preference domain com.portreeve.agent. Jamf puts the member's address in the place of $EMAIL.",
                text: plist(&made.profile),
            },
            Form {
                id: "profile-reg",
                title: "Registry (Intune, Windows)",
                place: "Values of HKEY_LOCAL_MACHINE\\Software\\Policies\\Portreeve.",
                text: registry(&made.profile),
            },
        ],
    })
}

/// The keys of a profile, in the order they are written everywhere.
fn keys(profile: &ManagedProfile) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(map)) = serde_json::to_value(profile) else { return Vec::new() };
    map.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect()
}

const PLIST_HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
"#;

fn plist(profile: &ManagedProfile) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut out = String::from(PLIST_HEAD);
    for (key, value) in with_member(profile, "$EMAIL") {
        out += &["  <key>", &key, "</key>\n  <string>", &escape(&value), "</string>\n"].concat();
    }
    out.push_str("</dict>\n</plist>\n");
    out
}

fn registry(profile: &ManagedProfile) -> String {
    let mut out = String::from(
        "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\Software\\Policies\\Portreeve]\n",
    );
    for (key, value) in keys(profile) {
        out += &["\"", &key, "\"=", &registry_value(&value), "\n"].concat();
    }
    out
}

/// A value with line breaks cannot be written as a quoted string; it goes as UTF-16 bytes (REG_SZ).
fn registry_value(value: &str) -> String {
    if value.chars().any(char::is_control) {
        let bytes: Vec<String> = value
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("hex(1):{}", bytes.join(","))
    } else {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Where the token is not for one member, the management system says whose machine it is.
fn with_member(profile: &ManagedProfile, variable: &str) -> Vec<(String, String)> {
    let mut all = keys(profile);
    if profile.member.is_none() {
        all.push(("member".into(), variable.into()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> ManagedProfile {
        ManagedProfile {
            organisation: "Acme & <Sons>".into(),
            server: "https://portreeve.acme.example".into(),
            server_ca: Some("-----BEGIN\nX\n-----END\n".into()),
            trust_root: r#"{"signed":{"a":"\\"}}"#.into(),
            enrolment_token: "tok".into(),
            member: None,
        }
    }

    #[test]
    fn markup_in_a_profile_stays_text_in_the_plist() {
        let text = plist(&profile());
        assert!(text.contains("<string>Acme &amp; &lt;Sons&gt;</string>"), "{text}");
        assert!(text.contains("<key>member</key>\n  <string>$EMAIL</string>"), "{text}");
    }

    #[test]
    fn a_value_with_line_breaks_survives_the_registry() {
        let text = registry(&profile());
        assert!(text.contains("\"enrolment_token\"=\"tok\""), "{text}");
        assert!(text.contains("\"server_ca\"=hex(1):2d,00,2d,00"), "{text}");
        assert!(text.contains(r#""trust_root"="{\"signed\":{\"a\":\"\\\\\"}}""#), "{text}");
    }
}
