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

/// Nothing is served at its path.
pub const PATH: &str = "door-path";
/// Its path takes other methods.
pub const METHOD: &str = "door-method";
/// It accepts no answer that the door gives.
pub const ACCEPT: &str = "door-accept";
/// Its body is said to be something else than JSON.
pub const CONTENT: &str = "door-content";
/// Its body was too long, came too slowly, or broke off.
pub const BODY: &str = "door-body";
/// It names no session, and begins none.
pub const NO_SESSION: &str = "door-no-session";
/// It wants a stream that somebody reads already, or an event that never was.
pub const STREAM: &str = "door-stream";
/// It names a version of the protocol that is not spoken here.
pub const VERSION: &str = "door-version";
/// Its headers and its body disagree, or one of both lacks what the other needs.
pub const MISMATCH: &str = "door-mismatch";
/// It is no request of the protocol for another reason.
pub const BAD: &str = "door-bad";

/// Does it tell of somebody who tries what is not theirs? The others have an everyday reason: a client that
/// was not set up yet, a session that ended, a program that looks for another one's port.
#[must_use]
pub fn is_attempt(code: &str) -> bool {
    [HOST, ORIGIN, CREDENTIAL, OTHERS_SESSION].contains(&code)
}
