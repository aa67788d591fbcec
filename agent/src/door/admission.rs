//! Before anything of a request is believed: the host it names, the page it comes from, the credential
//! it shows.

use crate::door::answer::Refused;
use crate::door::credential::{Admitted, Caller};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use url::{Host, Url};

/// By which a browser says who made it ask: `none` is whoever sits before it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Under which names the door may be spoken to.
#[derive(Debug, Clone)]
pub struct Names {
    listening: SocketAddr,
    /// Beyond loopback's own.
    hosts: Vec<String>,
}

impl Names {
    pub fn new(listening: SocketAddr, hosts: Vec<String>) -> Self {
        let hosts = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { listening, hosts }
    }

    /// Rebinding needs a name that an attacker's server resolves; an address is none.
    fn is_ours(&self, host: &Host<String>) -> bool {
        match host {
            Host::Domain(name) => {
                name == "localhost" || name.ends_with(".localhost") || self.hosts.contains(name)
            }
            Host::Ipv4(address) => self.is_our_address(IpAddr::V4(*address)),
            Host::Ipv6(address) => self.is_our_address(IpAddr::V6(*address)),
        }
    }

    fn is_our_address(&self, address: IpAddr) -> bool {
        let listening = self.listening.ip();
        address.is_loopback() || address == listening || listening.is_unspecified()
    }

    /// Who may come in, and as whom.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, parts: &Parts, admitted: &Admitted) -> Result<Caller, Refused> {
        self.check_host(parts)?;
        self.check_origin(&parts.headers)?;
        let nothing_shown =
            parts.headers.get_all(AUTHORIZATION).iter().all(|value| value.as_bytes().trim_ascii().is_empty());
        let refused = if nothing_shown { Refused::NoCredential } else { Refused::Credential };
        admitted.caller(bearer(&parts.headers)).ok_or(refused)
    }

    fn check_host(&self, parts: &Parts) -> Result<(), Refused> {
        let named = only(&parts.headers, &HOST)?.map(|host| host.to_str().map_err(|_| Refused::Host));
        let target = parts.uri.authority().map(|authority| Ok(authority.as_str()));
        let mut names = named.into_iter().chain(target).peekable();
        if names.peek().is_none() {
            return Err(Refused::Host);
        }
        for name in names {
            let name = name?;
            // A reader of URLs drops tabs.
            if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Refused::Host);
            }
            // Most clients name the address; a URL's grammar reads it as no other.
            if name.parse::<SocketAddrV4>().is_ok_and(|named| self.is_our_address(IpAddr::V4(*named.ip()))) {
                continue;
            }
            // A scheme, so that a port is read as one.
            let url = Url::parse(&format!("http://{name}/")).map_err(|_| Refused::Host)?;
            let plain = url.username().is_empty() && url.password().is_none() && url.path() == "/";
            if !plain || !url.host().is_some_and(|host| self.is_ours(&host.to_owned())) {
                return Err(Refused::Host);
            }
        }
        Ok(())
    }

    /// Programs send none. A page of our own origin would be one that we served, and we serve none; but
    /// clients inside a browser's engine send it.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refused> {
        // An image or a script of another page is asked for without an origin.
        if headers.get_all(FETCH_SITE).iter().any(|site| site != "same-origin" && site != "none") {
            return Err(Refused::Origin);
        }
        let Some(origin) = only(headers, &ORIGIN).map_err(|_| Refused::Origin)? else { return Ok(()) };
        let origin =
            origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()).ok_or(Refused::Origin)?;
        let is_ours = origin.host().is_some_and(|host| self.is_ours(&host.to_owned()))
            && matches!(origin.scheme(), "http" | "https")
            && origin.port_or_known_default() == Some(self.listening.port());
        if is_ours { Ok(()) } else { Err(Refused::Origin) }
    }
}

/// Two of them would be read differently by somebody.
fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a hyper::header::HeaderValue>, Refused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Refused::Host),
        (only, None) => Ok(only),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = only(headers, &AUTHORIZATION).ok()??.as_bytes();
    let (scheme, credential) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(credential.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn admitted(listening: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Caller, Refused> {
        let request = headers
            .iter()
            .fold(Request::builder().uri(uri), |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let names = Names::new(listening.parse().unwrap(), vec!["Mcp.Example".to_owned()]);
        names.admit(&parts, &Admitted::Anybody)
    }

    #[test]
    fn attack_dns_rebinding_by_host() {
        for host in [
            "127.0.0.1:80",
            "localhost",
            "LOCALHOST:7",
            "[::1]:1",
            "a.localhost",
            "mcp.example:9",
            "127.1.2.3",
        ] {
            assert!(admitted("127.0.0.1:80", "/mcp", &[("host", host)]).is_ok(), "{host}");
        }
        for host in [
            "[::\t1]",
            "local\thost",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "192.168.1.7",
            "evil.example@127.0.0.1",
            "127.0.0.1/x",
            "",
            "localhost evil.example",
            "mcp.example.evil.example",
        ] {
            assert_eq!(admitted("127.0.0.1:80", "/mcp", &[("host", host)]), Err(Refused::Host), "{host}");
        }
        assert_eq!(admitted("127.0.0.1:80", "/mcp", &[]), Err(Refused::Host));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(admitted("127.0.0.1:80", "/mcp", &two), Err(Refused::Host));
        let absolute = admitted("127.0.0.1:80", "http://evil.example/mcp", &[("host", "localhost")]);
        assert_eq!(absolute, Err(Refused::Host));
    }

    #[test]
    fn beyond_loopback_an_address_is_no_name_that_can_be_rebound() {
        assert!(admitted("0.0.0.0:80", "/mcp", &[("host", "192.168.1.7")]).is_ok());
        assert!(admitted("192.168.1.7:80", "/mcp", &[("host", "192.168.1.7")]).is_ok());
        assert!(admitted("192.168.1.7:80", "/mcp", &[("host", "192.168.1.8")]).is_err());
        assert!(admitted("0.0.0.0:80", "/mcp", &[("host", "evil.example")]).is_err());
    }

    #[test]
    fn attack_dns_rebinding_by_origin() {
        let with =
            |origin: &str| admitted("127.0.0.1:8080", "/mcp", &[("host", "localhost"), ("origin", origin)]);
        assert!(with("http://localhost:8080").is_ok());
        assert!(with("http://127.0.0.1:8080").is_ok());
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://localhost",
            "http://localhost:3000",
            "https://127.0.0.1",
            "file://",
        ] {
            assert_eq!(with(origin), Err(Refused::Origin), "{origin}");
        }
    }

    #[test]
    fn a_credential_is_shown_in_one_way_only() {
        let shown = |headers: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                let name: hyper::header::HeaderName = name.parse().unwrap();
                map.append(name, value.parse().unwrap());
            }
            bearer(&map).map(<[u8]>::to_vec)
        };
        assert_eq!(shown(&[("authorization", "Bearer x")]).as_deref(), Some(&b"x"[..]));
        assert_eq!(shown(&[("authorization", "bearer  x ")]).as_deref(), Some(&b"x"[..]));
        for headers in [&[][..], &[("authorization", "Basic x")], &[("authorization", "Bearer")]] {
            assert_eq!(shown(headers), None);
        }
        assert_eq!(shown(&[("authorization", "Bearer x"), ("authorization", "Bearer y")]), None);
    }
}
