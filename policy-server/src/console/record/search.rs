//! The search form and its pages of results.

use super::{EntryRow, moment, rows};
use crate::console::fleet::Names;
use crate::console::frame::{Frame, Place};
use crate::console::problem::Problem;
use crate::console::visit::{Asked, Choice, Visit, choices, page};
use crate::store::records::{RecordCursor, RecordFilter, RecordPage as Found};
use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

const PAGE: u32 = 50;

/// The form as it was sent: every field a text, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Search {
    pub member: String,
    pub device: String,
    pub server: String,
    pub tool: String,
    pub decision: String,
    /// Empty: calls, or what has a fate or a code where one is asked for. `any`: everything.
    pub kind: String,
    pub rule: String,
    pub client: String,
    pub fate: String,
    pub code: String,
    pub since: String,
    pub until: String,
    pub text: String,
    /// The cursor of the page before.
    pub after: String,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    search: Search,
    decisions: Vec<Choice>,
    kinds: Vec<Choice>,
    fates: Vec<Choice>,
    rows: Vec<EntryRow>,
    searching: bool,
    newest_link: Option<String>,
    older: Option<String>,
    export_raw: Option<String>,
    export_ocsf: Option<String>,
    fault: Option<String>,
}

const DECISIONS: [(&str, &str); 4] =
    [("", "any"), ("allowed", "allowed"), ("refused", "refused"), ("would-refuse", "would be refused")];
const FATES: [(&str, &str); 6] = [
    ("", "any"),
    ("ok", "ok"),
    ("tool-error", "tool error"),
    ("error", "error"),
    ("cancelled", "cancelled"),
    ("lost", "lost"),
];
const KINDS: [(&str, &str); 10] = [
    ("", "calls"),
    ("any", "everything"),
    ("started", "guard started"),
    ("stopped", "guard stopped"),
    ("outcome", "outcomes"),
    ("listed", "lists shown"),
    ("malformed", "malformed messages"),
    ("definition", "definitions"),
    ("redacted", "things taken out of other messages"),
    ("restart", "restarts of servers"),
];

pub async fn show(visit: Visit, Asked(search): Asked<Search>) -> Result<Response, Problem> {
    let devices = visit.app.store.devices().await?;
    let filter = search.filter(&devices, visit.now_ms);
    let (found, export, fault) = match filter {
        Ok(filter) => {
            let found = visit.app.store.search_records(&filter, search.cursor(), PAGE).await?;
            (found, Some(filter), None)
        }
        Err(fault) => (Found { records: Vec::new(), next: None }, None, Some(fault)),
    };
    page(&RecordPage {
        frame: visit.frame(Some(Place::Record)).await?,
        rows: rows(&visit, &Names::new(&devices), found.records).await?,
        decisions: choices(&DECISIONS, &search.decision),
        kinds: choices(&KINDS, if search.kind == "call" { "" } else { &search.kind }),
        fates: choices(&FATES, &search.fate),
        searching: search != Search::default(),
        newest_link: (!search.after.is_empty()).then(|| search.link("/record", &[("after", "")])),
        older: found.next.map(|next| search.link("/record", &[("after", &next.to_string())])),
        export_raw: export.as_ref().map(|filter| export_link(filter, "raw")),
        export_ocsf: export.as_ref().map(|filter| export_link(filter, "ocsf")),
        search,
        fault,
    })
}

impl Search {
    /// # Errors
    /// A sentence about a field that cannot be understood.
    pub fn filter(
        &self,
        devices: &[crate::store::devices::Device],
        now_ms: i64,
    ) -> Result<RecordFilter, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let kind = match self.kind.as_str() {
            "" if !self.fate.is_empty() => Some("outcome".to_owned()),
            "" if !self.code.trim().is_empty() => Some("malformed".to_owned()),
            "" => Some("call".to_owned()),
            "any" => None,
            kind => Some(kind.to_owned()),
        };
        // People know machines by their host names; the record knows them by their ids.
        let device = given(&self.device).map(|wanted| {
            devices
                .iter()
                .find(|device| device.machine.hostname == wanted)
                .map_or(wanted, |device| device.id.clone())
        });
        let filter = RecordFilter {
            member: given(&self.member),
            device,
            server: given(&self.server),
            tool: given(&self.tool),
            decision: given(&self.decision),
            kind,
            rule: given(&self.rule),
            client: given(&self.client),
            fate: given(&self.fate),
            code: given(&self.code),
            since: moment::parse(&self.since, now_ms)?,
            until: moment::parse(&self.until, now_ms)?,
            text: given(&self.text),
        };
        filter.check().map_err(|fault| crate::console::problem::sentence(&fault))
    }

    /// A damaged cursor begins at the beginning.
    fn cursor(&self) -> Option<RecordCursor> {
        self.after.parse().ok()
    }

    /// The same search under another address; `other` replaces fields, empty fields are left out.
    fn link(&self, path: &str, other: &[(&str, &str)]) -> String {
        let own = [
            ("member", &self.member),
            ("device", &self.device),
            ("server", &self.server),
            ("tool", &self.tool),
            ("decision", &self.decision),
            ("kind", &self.kind),
            ("rule", &self.rule),
            ("client", &self.client),
            ("fate", &self.fate),
            ("code", &self.code),
            ("since", &self.since),
            ("until", &self.until),
            ("text", &self.text),
            ("after", &self.after),
        ];
        let kept = own.into_iter().map(|(name, value)| (name, value.as_str()));
        let kept = kept.filter(|(name, _)| !other.iter().any(|(replaced, _)| replaced == name));
        let mut query = Serializer::new(String::new());
        query.extend_pairs(kept.chain(other.iter().copied()).filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// The API's export of the same search: all of it, not a page.
fn export_link(filter: &RecordFilter, format: &str) -> String {
    let (since, until) = (filter.since.map(|ms| ms.to_string()), filter.until.map(|ms| ms.to_string()));
    let all = [
        ("member", &filter.member),
        ("device", &filter.device),
        ("server", &filter.server),
        ("tool", &filter.tool),
        ("decision", &filter.decision),
        ("kind", &filter.kind),
        ("rule", &filter.rule),
        ("client", &filter.client),
        ("fate", &filter.fate),
        ("code", &filter.code),
        ("since", &since),
        ("until", &until),
        ("text", &filter.text),
    ];
    let path = String::from("/v1/admin/records/export?");
    let start = path.len();
    let mut query = Serializer::for_suffix(path, start);
    query.extend_pairs(all.iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
    query.append_pair("format", format);
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_filters_and_nothing_else() {
        let search =
            Search { member: "a&b@x".into(), tool: "<x>".into(), after: "1.2".into(), ..Search::default() };
        assert_eq!(search.link("/record", &[("after", "")]), "/record?member=a%26b%40x&tool=%3Cx%3E");
        assert_eq!(Search::default().link("/record", &[]), "/record");
        let filter = Search { since: "1h".into(), ..search }.filter(&[], 3_600_500).unwrap();
        assert_eq!(
            export_link(&filter, "raw"),
            "/v1/admin/records/export?member=a%26b%40x&tool=%3Cx%3E&kind=call&since=500&format=raw"
        );
    }

    #[test]
    fn a_form_left_alone_looks_for_calls() {
        let filter = Search::default().filter(&[], 0).unwrap();
        assert_eq!(filter, RecordFilter { kind: Some("call".into()), ..RecordFilter::default() });
        let kind = |search: Search| search.filter(&[], 0).unwrap().kind.unwrap();
        assert_eq!(kind(Search { fate: "lost".into(), ..Search::default() }), "outcome", "calls have none");
        assert_eq!(kind(Search { code: "door-host".into(), ..Search::default() }), "malformed");
        assert!(Search { since: "soon".into(), ..Search::default() }.filter(&[], 0).is_err());
        let typo = Search { decision: "would-refused".into(), ..Search::default() };
        assert!(typo.filter(&[], 0).unwrap_err().contains("allowed, refused, would-refuse"));
    }
}
