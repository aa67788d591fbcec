//! What the door refuses before a conversation hears of it, on record: somebody may have tried.
//!
//! A web page can ask a thousand times a second, so the first refusal of each kind is recorded at once, and
//! those that follow by their number. Never says what was shown as a credential, nor a path.

use crate::active_policy::PolicySignal;
use crate::audit::link::Link;
use crate::audit::recorder::Recorder;
use crate::audit::segment::Segment;
use crate::door::answer::{Refused, UNSUPPORTED_VERSION};
use crate::ipc::ToResident;
use contract::door;
use contract::record::What;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use platform::Layout;
use policy::ServerIdentity;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant};
use url::Url;
use uuid::Uuid;

/// Refusals of one kind are counted for so long, and then told.
const EVERY: Duration = Duration::from_secs(60);
/// As much of a host or an origin is repeated.
const LONGEST_NAME: usize = 200;
/// As much of a whole refusal.
const LONGEST_WHY: usize = 400;

/// The door's own stretch of the record.
pub struct Refusals {
    recorder: RefCell<Recorder>,
    segment: Rc<Segment>,
    counts: RefCell<Counts>,
    has_told: Cell<bool>,
    began: Instant,
    /// Nobody takes over the record of a trial.
    taker: Option<Taker>,
}

struct Taker {
    layout: Layout,
    run: Uuid,
    hello: ToResident,
}

/// One refusal that is worth a record.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    code: &'static str,
    why: String,
}

/// How often each kind was refused since it was told last.
#[derive(Default)]
struct Counts(BTreeMap<&'static str, Count>);

struct Count {
    told: Duration,
    more: u64,
    last: String,
}

impl Refusals {
    /// Into the one record of a trial.
    pub fn of_trial(segment: Rc<Segment>, member: &str, server: ServerIdentity, entry: &str) -> Self {
        let recorder = Recorder::new(Rc::clone(&segment), Uuid::now_v7(), server, entry.to_owned());
        Self::with(recorder.of_member(member, ""), segment, None)
    }

    /// Into a segment of its own, which the resident takes over.
    pub fn handed_over(layout: &Layout, server: ServerIdentity, entry: &str) -> Self {
        let run = Uuid::now_v7();
        let hello = ToResident::Hello {
            run,
            pid: std::process::id(),
            entry: entry.to_owned(),
            identity: server.as_str().to_owned(),
        };
        let segment = Rc::new(Segment::of(layout, run));
        let recorder = Recorder::new(Rc::clone(&segment), run, server, entry.to_owned());
        Self::with(recorder, segment, Some(Taker { layout: layout.clone(), run, hello }))
    }

    fn with(recorder: Recorder, segment: Rc<Segment>, taker: Option<Taker>) -> Self {
        let (recorder, counts) = (RefCell::new(recorder), RefCell::default());
        Self { recorder, segment, counts, has_told: Cell::new(false), began: Instant::now(), taker }
    }

    /// A request was refused.
    pub fn note(&self, refused: &Refused, parts: &Parts) {
        if let Some(refusal) = refusal(refused, parts) {
            self.count(refusal);
        }
    }

    /// What came was no request.
    pub fn note_no_http(&self, why: &hyper::Error) {
        self.count(Refusal { code: door::NOT_HTTP, why: format!("what came is no HTTP request: {why}") });
    }

    fn count(&self, refusal: Refusal) {
        let told = self.counts.borrow_mut().add(refusal, self.began.elapsed());
        self.record(told);
    }

    /// Tells what was counted and is due.
    pub fn sweep(&self) {
        let due = self.counts.borrow_mut().due(self.began.elapsed(), EVERY);
        self.record(due);
    }

    /// Tells what was counted, and closes the record.
    pub fn end(&self) {
        let rest = self.counts.borrow_mut().due(self.began.elapsed(), Duration::ZERO);
        self.record(rest);
        if self.has_told.get() {
            self.recorder.borrow_mut().note(What::Stopped { why: "the door was shut".to_owned() });
        }
        if self.taker.is_some() {
            self.segment.close();
        }
    }

    fn record(&self, told: impl IntoIterator<Item = Refusal>) {
        let mut recorder = self.recorder.borrow_mut();
        for Refusal { code, why } in told {
            self.has_told.set(true);
            recorder.note(What::Malformed { code: code.to_owned(), message: why, from_client: true });
        }
    }

    /// Hands over what is recorded, once there is something: no line is held for a door that nobody tries.
    /// Never ends; whoever runs the door drops it.
    pub async fn hand_over(&self) -> Infallible {
        let Some(Taker { layout, run, hello }) = &self.taker else { return std::future::pending().await };
        while self.segment.bytes() == 0 {
            self.segment.grown.notified().await;
        }
        let deaf = PolicySignal::default();
        Link::new(layout, &self.segment, &deaf, *run, hello.clone()).keep().await
    }
}

impl Counts {
    /// What is to be told of it at once.
    fn add(&mut self, Refusal { code, why }: Refusal, now: Duration) -> Option<Refusal> {
        if let Some(count) = self.0.get_mut(code) {
            count.more += 1;
            count.last = why;
            return None;
        }
        self.0.insert(code, Count { told: now, more: 0, last: String::new() });
        Some(Refusal { code, why })
    }

    /// What was counted for so long. A kind that was not seen meanwhile is told at once when it comes again.
    fn due(&mut self, now: Duration, every: Duration) -> Vec<Refusal> {
        let mut due = Vec::new();
        self.0.retain(|code, count| {
            let since = now.saturating_sub(count.told);
            if since < every {
                return true;
            }
            let Count { more, last, .. } = count;
            if *more == 0 {
                return false;
            }
            let seconds = since.as_secs();
            due.push(Refusal {
                code,
                why: format!("{more} more within {seconds} s, the last of them: {last}"),
            });
            *count = Count { told: now, more: 0, last: String::new() };
            true
        });
        due
    }
}

/// `None` where its own conversation has it on record.
fn refusal(refused: &Refused, parts: &Parts) -> Option<Refusal> {
    let (code, named) = match refused {
        Refused::Host => (door::HOST, format!(" ({})", host(parts))),
        Refused::Origin => (door::ORIGIN, format!(" ({})", origin(&parts.headers))),
        Refused::NoCredential => (door::NO_CREDENTIAL, String::new()),
        Refused::Credential => (door::CREDENTIAL, String::new()),
        Refused::Session => (door::SESSION, String::new()),
        Refused::OthersSession { owner, by } => {
            (door::OTHERS_SESSION, format!(" (it is that of the client `{}`, and `{}` asked)", owner.0, by.0))
        }
        Refused::Full => (door::FULL, String::new()),
        Refused::Path => (door::PATH, String::new()),
        Refused::Method(_) => (door::METHOD, format!(" (it was {})", parts.method)),
        Refused::NoSession => (door::NO_SESSION, String::new()),
        Refused::Accept(_) => (door::ACCEPT, String::new()),
        Refused::Content => (door::CONTENT, String::new()),
        Refused::TooLong(_) | Refused::Slow | Refused::Broken => (door::BODY, String::new()),
        Refused::Busy | Refused::Event => (door::STREAM, String::new()),
        Refused::Version(_) => (door::VERSION, String::new()),
        Refused::Disagreement(it) if it.code == UNSUPPORTED_VERSION => (door::VERSION, String::new()),
        Refused::Disagreement(_) => (door::MISMATCH, String::new()),
        Refused::Bad(_) => (door::BAD, String::new()),
        // Or whose record is closed.
        Refused::NoMessage | Refused::Closing => return None,
    };
    let mut why = match refused {
        Refused::Credential => "a credential was shown that is nobody's".to_owned(),
        _ => refused.to_string(),
    } + &named;
    // Some of it is the client's own text.
    if why.len() > LONGEST_WHY {
        why.truncate(why.floor_char_boundary(LONGEST_WHY));
        why.push('…');
    }
    Some(Refusal { code, why: gate::shown_text(&why, &[]) })
}

/// The host that is not ours: that of the address, or else of the header.
fn host(parts: &Parts) -> String {
    let addressed = parts.uri.authority().map(|authority| authority.as_str().to_owned());
    let named = addressed.into_iter().chain(texts(&parts.headers, &HOST));
    let names = named.map(|name| {
        let url = Url::parse(&format!("http://{name}/")).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| UNREADABLE.to_owned())
    });
    listed(names)
}

fn origin(headers: &HeaderMap) -> String {
    let origins = texts(headers, &ORIGIN).map(|text| match Url::parse(&text) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) if text == "null" => text,
        Err(_) => UNREADABLE.to_owned(),
    });
    listed(origins)
}

const UNREADABLE: &str = "an unreadable one";

fn texts(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let mut text = names.take(3).collect::<Vec<_>>().join(", ");
    text.truncate(text.floor_char_boundary(LONGEST_NAME));
    if text.is_empty() { "none".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn attack_a_web_page_floods_the_record_with_refusals() {
        let mut counts = Counts::default();
        let one = |n: u64| Refusal { code: door::ORIGIN, why: format!("page {n}") };
        let mut told = Vec::new();
        for n in 0..100_000 {
            told.extend(counts.add(one(n), at(n / 1000)));
            told.extend(counts.due(at(n / 1000), EVERY));
        }
        let sentences: Vec<_> = told.iter().map(|refusal| refusal.why.as_str()).collect();
        assert_eq!(sentences, ["page 0", "60000 more within 60 s, the last of them: page 60000"]);
        // The rest is told at the end, another kind at once, and the same kind again after a while of peace.
        let rest = counts.due(at(100), Duration::ZERO);
        assert_eq!(rest[0].why, "39999 more within 40 s, the last of them: page 99999");
        assert!(counts.add(Refusal { code: door::HOST, why: String::new() }, at(100)).is_some());
        assert!(counts.add(one(0), at(101)).is_none());
        assert_eq!(counts.due(at(161), EVERY).len(), 1);
        assert_eq!(counts.due(at(221), EVERY), []);
        assert!(counts.add(one(0), at(222)).is_some());
    }

    #[test]
    fn a_refusal_says_who_asked_and_no_secret() {
        let request = |headers: &[(&str, &str)]| {
            let request = Request::builder().uri("/s3cret?token=s3cret");
            let request =
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            request.body(()).unwrap().into_parts().0
        };
        let why = |refused: Refused, headers: &[(&str, &str)]| {
            let why = refusal(&refused, &request(headers)).unwrap().why;
            assert!(!why.contains("s3cret") && why.len() < 500, "{why}");
            why
        };
        assert!(why(Refused::Host, &[("host", "u:s3cret@evil.example:80")]).ends_with("(evil.example)"));
        assert!(why(Refused::Host, &[]).ends_with("(none)"));
        let long = format!("{}.example", "a.".repeat(10_000));
        assert!(why(Refused::Host, &[("host", &long)]).contains("(a.a."));
        assert!(why(Refused::Host, &[("host", "s3cret s3cret")]).ends_with("(an unreadable one)"));
        let page = ("origin", "https://u:s3cret@evil.example/s3cret");
        assert!(why(Refused::Origin, &[page]).ends_with("(https://evil.example)"));
        assert!(why(Refused::Origin, &[("origin", "null")]).ends_with("(null)"));
        why(Refused::Credential, &[("authorization", "Bearer s3cret")]);
        why(Refused::Path, &[]);
        let version = format!("ghp_012345678901234567890123456789abcdef{}", "x".repeat(9000));
        let version = why(Refused::Version(version), &[]);
        assert!(version.starts_with("the protocol version `") && !version.contains("ghp_"), "{version}");
        assert_eq!(refusal(&Refused::NoMessage, &request(&[])), None);
    }
}
