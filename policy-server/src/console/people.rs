//! The members: who has access, by which roles, on which machines; and ending it.

use super::fleet::{Names, is_there};
use super::frame::{Frame, Place};
use super::mark::Mark;
use super::problem::Problem;
use super::visit::{Asked, Posted, Visit, form, page, see};
use super::when::When;
use super::words::count;
use crate::app::Shared;
use crate::members;
use crate::store::deeds::Deed;
use crate::store::devices::Device;
use crate::store::members::Member;
use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use policy::Document;
use policy::document::Role;
use policy::pattern::Pattern;
use serde::Deserialize;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/people", get(list))
        .route("/people/offboard", form(offboard, "/people"))
        .route("/people/restore", form(restore, "/people"))
        .route("/people/actions", get(actions))
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    q: String,
    members: Vec<MemberRow>,
}

struct MemberRow {
    address: String,
    access: Mark,
    suspended: bool,
    roles: Vec<String>,
    devices: Vec<MemberDevice>,
    /// `their 2 devices`
    devices_words: String,
    last_contact: Option<When>,
}

struct MemberDevice {
    id: String,
    hostname: String,
}

#[derive(Template)]
#[template(path = "actions.html")]
struct ActionsPage {
    frame: Frame,
    actions: Vec<ActionRow>,
}

struct ActionRow {
    at: When,
    who: String,
    what: String,
    subject: String,
    detail: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    q: String,
}

#[derive(Deserialize)]
struct Whose {
    member: String,
}

async fn list(visit: Visit, Asked(wanted): Asked<Wanted>) -> Result<Response, Problem> {
    let store = &visit.app.store;
    let devices = store.devices().await?;
    let current = store.current_policy().await?;
    let document = current.and_then(|policy| Document::parse(&policy.text).ok());
    let q = wanted.q.trim().to_lowercase();
    let members = store.members().await?;
    let members = members
        .into_iter()
        .filter(|member| member.address.to_lowercase().contains(&q))
        .map(|member| MemberRow::new(&visit, document.as_ref(), &devices, member))
        .collect();
    page(&PeoplePage { frame: visit.frame(Some(Place::People)).await?, q: wanted.q, members })
}

async fn offboard(Posted { visit, fields }: Posted<Whose>) -> Result<Response, Problem> {
    members::offboard(&visit.app, visit.by(), fields.member.trim()).await?;
    Ok(see("/people?done=offboarded"))
}

async fn restore(Posted { visit, fields }: Posted<Whose>) -> Result<Response, Problem> {
    members::restore(&visit.app, visit.by(), fields.member.trim()).await?;
    Ok(see("/people?done=restored"))
}

async fn actions(visit: Visit) -> Result<Response, Problem> {
    let deeds = visit.app.store.deeds(500).await?;
    let names = Names::new(&visit.app.store.devices().await?);
    page(&ActionsPage {
        frame: visit.frame(Some(Place::People)).await?,
        actions: deeds.into_iter().map(|deed| ActionRow::new(&visit, &names, deed)).collect(),
    })
}

impl MemberRow {
    fn new(visit: &Visit, document: Option<&Document>, devices: &[Device], member: Member) -> Self {
        let devices: Vec<MemberDevice> = devices
            .iter()
            .filter(|device| device.member == member.address && is_there(device))
            .map(|device| MemberDevice { id: device.id.clone(), hostname: device.machine.hostname.clone() })
            .collect();
        let suspended = member.suspended_ms.is_some();
        Self {
            access: if suspended { Mark::bad("ended") } else { Mark::ok("has access") },
            suspended,
            roles: document.map(|document| roles(document, &member.address)).unwrap_or_default(),
            devices_words: match devices.len() {
                0 => "any device they ever enrol".to_owned(),
                n => format!("their {}", count(n, "device", "devices")),
            },
            devices,
            last_contact: member.contact_ms.map(|at| visit.when(at)),
            address: member.address,
        }
    }
}

/// The roles whose members' patterns this address fits.
fn roles(document: &Document, address: &str) -> Vec<String> {
    let address = address.to_ascii_lowercase();
    let fits =
        |role: &&Role| role.members.iter().any(|member| Pattern::new(member.as_str()).matches(&address));
    document.roles().iter().filter(fits).map(|role| role.name.clone()).collect()
}

impl ActionRow {
    fn new(visit: &Visit, names: &Names, deed: Deed) -> Self {
        Self {
            at: visit.when(deed.at_ms),
            what: deed.what.replace('-', " "),
            subject: names.of(&deed.subject),
            who: deed.who,
            detail: deed.detail,
        }
    }
}
