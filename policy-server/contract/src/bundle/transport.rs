//! Hands the files of a bundle to the TUF client.

use super::Bundle;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tough::{Transport, TransportError, TransportErrorKind, TransportStream};
use url::Url;

/// What the files' names are relative to.
pub(super) const BASE: &str = "bundle:///";

#[derive(Debug, Clone)]
pub(super) struct InMemory {
    files: Arc<BTreeMap<String, Bytes>>,
}

impl InMemory {
    pub(super) fn new(bundle: Bundle) -> Self {
        let files = bundle.files.into_iter().map(|(name, text)| (name, Bytes::from(text))).collect();
        Self { files: Arc::new(files) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Bytes> {
        self.files.get(name)
    }
}

#[async_trait::async_trait]
impl Transport for InMemory {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let contents = url.as_str().strip_prefix(BASE).and_then(|name| self.files.get(name)).cloned();
        let contents = contents.ok_or_else(|| TransportError::new(TransportErrorKind::FileNotFound, &url))?;
        Ok(Box::pin(futures_util::stream::iter([Ok(contents)])))
    }
}
