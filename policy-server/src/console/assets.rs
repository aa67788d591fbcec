//! The console's own files, in the binary. Their paths carry a hash of their contents, so that a
//! browser may keep them for ever and still sees a new server's files at once.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

static CSS: Asset = Asset {
    name: "console.css",
    kind: "text/css; charset=utf-8",
    bytes: include_bytes!("../../assets/console.css"),
};
static JS: Asset = Asset {
    name: "console.js",
    kind: "text/javascript; charset=utf-8",
    bytes: include_bytes!("../../assets/console.js"),
};
static ICON: Asset = Asset {
    name: "console-icon.svg",
    kind: "image/svg+xml",
    bytes: include_bytes!("../../assets/console-icon.svg"),
};

static CSS_PATH: LazyLock<String> = LazyLock::new(|| path_of(&CSS));
static JS_PATH: LazyLock<String> = LazyLock::new(|| path_of(&JS));
static ICON_PATH: LazyLock<String> = LazyLock::new(|| path_of(&ICON));

pub fn css_path() -> &'static str {
    &CSS_PATH
}

pub fn js_path() -> &'static str {
    &JS_PATH
}

pub fn icon_path() -> &'static str {
    &ICON_PATH
}

fn path_of(asset: &Asset) -> String {
    let digest = Sha256::digest(asset.bytes);
    let hash = digest.iter().take(8).fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
    format!("/assets/{hash:016x}/{}", asset.name)
}

/// A hash of another version is answered with the present contents, but must not be kept.
pub async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = [&CSS, &JS, &ICON].into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let current = path_of(asset) == format!("/assets/{hash}/{name}");
    let keep = if current { "public, max-age=31536000, immutable" } else { "no-store" };
    ([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, keep)], asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_asset_is_kept_for_ever_only_under_its_own_hash() {
        let hash = css_path().split('/').nth(2).unwrap().to_owned();
        let good = serve(Path((hash, "console.css".into()))).await;
        assert_eq!(good.headers()["cache-control"], "public, max-age=31536000, immutable");
        let stale = serve(Path(("0123456789abcdef".into(), "console.css".into()))).await;
        assert_eq!(stale.headers()["cache-control"], "no-store");
        let none = serve(Path(("x".into(), "../Cargo.toml".into()))).await;
        assert_eq!(none.status(), StatusCode::NOT_FOUND);
    }
}
