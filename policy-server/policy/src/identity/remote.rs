//! Remote servers: scheme, host, port and path of a URL, as the WHATWG URL standard reads them.

use url::Url;

pub(super) fn identify(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|fault| format!("not a URL: {fault}"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("not an http or https URL: its scheme is `{}`", url.scheme()));
    }
    let host = url.host_str().ok_or("not a URL with a host")?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Ok(format!("{}://{host}{port}{}", url.scheme(), url.path()))
}

/// A matcher's host may begin with `*.`, or be `*`; its path may hold stars anywhere.
pub(super) fn matcher(scheme: &str, after: &str) -> Result<String, String> {
    let after = after.strip_prefix("//").ok_or("write `https://host/path`")?;
    let (authority, path) = match after.find('/') {
        Some(slash) => after.split_at(slash),
        None if after.ends_with('*') => return Err("put a `/` between host and `*`".to_owned()),
        None => (after, "/"),
    };
    let (wild, host) = match authority.strip_prefix("*.") {
        Some(domain) => ("*.", domain),
        None => ("", authority),
    };
    if host.contains(['*', '@']) || path.contains('#') {
        return Err("in a host, `*` stands only at its beginning: `https://*.acme.example/*`".to_owned());
    }
    if wild.is_empty() && !path.contains('*') {
        return identify(&format!("{scheme}://{authority}{path}"));
    }
    let canonical = identify(&format!("{scheme}://{host}/"))?;
    let bare = canonical.trim_end_matches('/').trim_start_matches(scheme).trim_start_matches("://");
    Ok(format!("{scheme}://{wild}{bare}{path}"))
}
