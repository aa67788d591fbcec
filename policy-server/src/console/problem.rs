//! What went wrong, as a page: one sentence and a way back.

use super::frame::Frame;
use crate::admin_auth::AuthError;
use crate::author::PublishError;
use crate::members::MemberError;
use crate::store::StoreError;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("There is no {0} here, or not any more.")]
    NotFound(&'static str),
    #[error("The form could not be read: {0}.")]
    Unreadable(String),
    #[error("That is more than the console takes: a form may be 4 MiB.")]
    TooLarge,
    #[error("{0}")]
    Auth(#[from] AuthError),
    #[error("{0}")]
    Member(#[from] MemberError),
    #[error("{0}")]
    Publish(#[from] PublishError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the page could not be made: {0}")]
    Page(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: &'static str,
    sentence: String,
    back: &'static str,
    back_words: &'static str,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::Member(MemberError::Unknown(_) | MemberError::UnknownDevice(_)) => {
                StatusCode::NOT_FOUND
            }
            Self::Member(MemberError::StillLive(_)) | Self::Publish(PublishError::NoSuchBase { .. }) => {
                StatusCode::CONFLICT
            }
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Auth(AuthError::TooMany) => StatusCode::TOO_MANY_REQUESTS,
            Self::Auth(AuthError::StaleForm | AuthError::Refused) => StatusCode::FORBIDDEN,
            Self::Auth(AuthError::ShortPassword) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(&self) -> &'static str {
        match self.status() {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
            StatusCode::FORBIDDEN => "Not done",
            StatusCode::INTERNAL_SERVER_ERROR => "The server failed",
            _ => "That did not work",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = %self, "a console page failed");
        }
        let page = ProblemPage {
            frame: Frame::outside(String::new()),
            title: self.title(),
            sentence: sentence(&self.to_string()),
            back: "/",
            back_words: "Back to the overview",
        };
        let headers = [(header::CACHE_CONTROL, "no-store")];
        match page.render() {
            Ok(html) => (status, headers, Html(html)).into_response(),
            Err(_) => (status, headers, "The server failed, and its page about that failed as well.")
                .into_response(),
        }
    }
}

/// Errors are lower case and without a full stop; a page speaks in sentences.
pub fn sentence(error: &str) -> String {
    let mut letters = error.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if error.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_sentences() {
        assert_eq!(sentence("no member x is known"), "No member x is known.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }
}
