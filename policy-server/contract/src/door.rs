//! Under which codes an HTTP door records what it does not let in: [`What::Malformed`] of the client's.
//!
//! [`What::Malformed`]: crate::record::What::Malformed

/// The request names another host than the door's: a web page has had its name resolved anew.
pub const HOST: &str = "door-host";
/// A web page of another origin asks.
pub const ORIGIN: &str = "door-origin";
pub const NO_CREDENTIAL: &str = "door-no-credential";
/// A credential is shown, and it is nobody's.
pub const CREDENTIAL: &str = "door-credential";
/// The session is not known (any more).
pub const SESSION: &str = "door-session";
/// The session is another client's.
pub const OTHERS_SESSION: &str = "door-others-session";
pub const FULL: &str = "door-full";
/// What came is no HTTP request, or one that two readers would read differently.
pub const NOT_HTTP: &str = "door-not-http";

/// Does it tell of somebody who tries what is not theirs? The others have an everyday reason: a client that
/// was not set up yet, a session that ended, a program that looks for another one's port.
#[must_use]
pub fn is_attempt(code: &str) -> bool {
    [HOST, ORIGIN, CREDENTIAL, OTHERS_SESSION].contains(&code)
}
