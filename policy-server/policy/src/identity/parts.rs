//! The parts of a canonical identity, borrowed: what a matcher compares.

/// The schemes an identity can have.
pub(crate) const SCHEMES: [&str; 7] = ["npm", "pypi", "oci", "exec", "https", "http", "client"];

/// | identity | name | rest | words |
/// |---|---|---|---|
/// | `npm:@scope/name@1.2.3 bin` | `@scope/name` | `1.2.3` | `bin` |
/// | `pypi:name[extra]==1.0` | `name` | `[extra]==1.0` | |
/// | `oci:ghcr.io/x/y:1@sha256:…` | `ghcr.io/x/y` | `:1@sha256:…` | |
/// | `exec:node /srv/x.js` | `node` | | `/srv/x.js` |
/// | `https://host:8443/path` | `host:8443` | `/path` | |
/// | `client:claude-code` | `claude-code` | | |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts<'t> {
    pub scheme: &'t str,
    pub name: &'t str,
    pub rest: Option<&'t str>,
    /// Scheme and name as one text.
    pub key: &'t str,
    words: &'t str,
}

impl<'t> Parts<'t> {
    pub fn of(text: &'t str) -> Self {
        let (scheme, after) = text.split_once(':').unwrap_or(("", text));
        let after =
            if scheme.starts_with("http") { after.strip_prefix("//").unwrap_or(after) } else { after };
        let (subject, words) = after.split_once(' ').unwrap_or((after, ""));
        let end = match scheme {
            "npm" => subject.get(1..).and_then(|rest| rest.find('@')).map(|at| at + 1),
            "pypi" => subject.find(['[', '=', '<', '>', '!', '~', '@']),
            "oci" => image_end(subject),
            "https" | "http" => subject.find('/'),
            _ => None,
        };
        let name_end = end.unwrap_or(subject.len());
        let rest = end.map(|end| &subject[end..]);
        let rest = if scheme == "npm" { rest.and_then(|rest| rest.strip_prefix('@')) } else { rest };
        let key_end = text.len() - after.len() + name_end;
        Self { scheme, name: &subject[..name_end], rest, key: &text[..key_end], words }
    }

    /// What of the command line decides what is run, beyond the name.
    pub fn words(&self) -> impl Iterator<Item = &'t str> {
        self.words.split(' ').filter(|word| !word.is_empty())
    }
}

/// Where an image's tag or digest begins: the first `@`, or a `:` after the last `/`.
fn image_end(image: &str) -> Option<usize> {
    let repository = image.find('@').unwrap_or(image.len());
    let last = image[..repository].rfind('/').map_or(0, |slash| slash + 1);
    let tag = image[last..repository].find(':').map(|colon| last + colon);
    tag.or_else(|| (repository < image.len()).then_some(repository))
}

/// A matcher's text in the form identities have, or what is wrong with it.
pub(crate) fn canonical_matcher(text: &str) -> Result<String, String> {
    let (scheme, after) = text.split_once(':').unwrap_or(("", text));
    match scheme {
        "pypi" => Ok(format!("pypi:{}", super::command::python_name(after))),
        "oci" => Ok(format!("oci:{}", super::command::image_name(after))),
        "https" | "http" => super::remote::matcher(scheme, after),
        _ => Ok(text.to_owned()),
    }
}
