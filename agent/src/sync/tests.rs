use super::*;
use crate::upstream::fake::{Answer, Asked, FakeServer};
use contract::bundle::{Anchor, Bundle, FORMAT, TargetFacts};
use contract::signing::{Publication, RoleSpec, RootSpec, SigningKey, first_root, sign_repository};
use platform::Layout;
use policy::Standing;
use std::sync::Mutex;
use tempfile::TempDir;
use time::{Duration as Span, OffsetDateTime};
use tokio::sync::watch;

const POLICY: &str = "[defaults]\nmode = \"enforce\"\nheal = true\n";
const LONG: Duration = Duration::from_secs(20);

/// Who signs for an organisation.
struct Signer {
    key: SigningKey,
    root: Vec<u8>,
}

impl Signer {
    async fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let role = || RoleSpec::of(&key);
        let expires = OffsetDateTime::now_utc() + Span::days(300);
        let spec = RootSpec { expires, root: role(), targets: role(), snapshot: role(), timestamp: role() };
        Self { root: first_root(&spec).await.unwrap(), key }
    }

    fn anchor(&self) -> Anchor {
        Anchor { organisation: "acme".to_owned(), root: self.root.clone() }
    }

    async fn publish(&self, version: u64, policy_toml: &str) -> Vec<u8> {
        let facts = TargetFacts { organisation: "acme".to_owned(), format: FORMAT, policy_version: version };
        let soon = OffsetDateTime::now_utc() + Span::days(2);
        let bundle: Bundle = sign_repository(&Publication {
            roots: std::slice::from_ref(&self.root),
            keys: std::slice::from_ref(&self.key),
            policy_toml,
            standing: &Standing::default(),
            facts: &facts,
            version,
            timestamp_version: version,
            expires: soon,
            timestamp_expires: soon,
        })
        .await
        .unwrap();
        serde_json::to_vec(&bundle).unwrap()
    }
}

fn layout() -> (TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::under(folder.path()).unwrap();
    layout.create().unwrap();
    (folder, layout)
}

#[tokio::test]
async fn a_good_bundle_is_adopted_and_recalled_after_a_restart() {
    let (_folder, layout) = layout();
    let signer = Signer::new().await;
    let adopted = adopt(&layout, &signer.anchor(), &signer.publish(3, POLICY).await).await.unwrap();
    assert_eq!((adopted.version, adopted.settings.heal), (3, true));
    let recalled = recall(&layout, &signer.anchor()).await.unwrap().unwrap();
    assert_eq!((recalled.version, recalled.mode), (3, policy::Mode::Enforce));
}

#[tokio::test]
async fn what_is_not_to_be_believed_is_refused_by_name_and_the_last_good_one_stays() {
    let (_folder, layout) = layout();
    let (signer, forger) = (Signer::new().await, Signer::new().await);
    let anchor = signer.anchor();
    adopt(&layout, &anchor, &signer.publish(5, POLICY).await).await.unwrap();
    let good = std::fs::read(layout.adopted_policy()).unwrap();

    let newer = signer.publish(6, POLICY).await;
    let tampered = String::from_utf8(newer.clone()).unwrap().replace("enforce", "monitor").into_bytes();
    let cases = [
        ("forged", forger.publish(6, POLICY).await),
        ("rolled-back", signer.publish(4, POLICY).await),
        ("truncated", newer[..newer.len() / 2].to_vec()),
        ("forged", tampered),
        ("unusable", signer.publish(7, "[defaults]\nmood = \"enforce\"\n").await),
    ];
    for (code, bytes) in cases {
        let refusal = adopt(&layout, &anchor, &bytes).await.unwrap_err().to_report();
        assert_eq!(refusal.code, code, "{}", refusal.detail);
        assert_eq!(std::fs::read(layout.adopted_policy()).unwrap(), good, "{code}");
    }
    let later = adopt(&layout, &anchor, &signer.publish(8, POLICY).await).await.unwrap();
    assert_eq!(later.version, 8, "what was refused shuts nothing out");
}

/// A server that was broken into signs a version far ahead, of a text that is no policy; then the
/// honest server is back.
#[tokio::test]
async fn a_signed_policy_that_does_not_compile_shuts_out_every_later_one() {
    let (_folder, layout) = layout();
    let signer = Signer::new().await;
    let anchor = signer.anchor();
    adopt(&layout, &anchor, &signer.publish(1, POLICY).await).await.unwrap();
    let useless = "this = \"does not compile\"";
    for (version, code) in [(900_000, "unusable"), (i64::MAX.unsigned_abs(), "version-jump")] {
        let refusal = adopt(&layout, &anchor, &signer.publish(version, useless).await).await.unwrap_err();
        assert_eq!(refusal.to_report().code, code, "{refusal}");
    }
    let honest = adopt(&layout, &anchor, &signer.publish(2, POLICY).await).await.unwrap();
    assert_eq!(honest.version, 2);
    // What was adopted is a floor nevertheless.
    let refusal = adopt(&layout, &anchor, &signer.publish(1, POLICY).await).await.unwrap_err();
    assert_eq!(refusal.to_report().code, "rolled-back");
}

/// A server whose bundle a test exchanges, and which says so on its stream.
async fn serve(bundle: Arc<Mutex<(String, Vec<u8>)>>) -> FakeServer {
    FakeServer::start(move |asked: &Asked| {
        if asked.path == paths::STREAM {
            return Answer {
                status: 200,
                tag: None,
                body: b"event: policy\ndata: {\"version\":1}\n\n".to_vec(),
            };
        }
        let (tag, bytes) = bundle.lock().unwrap().clone();
        let status = if asked.known_tag.as_ref() == Some(&tag) { 304 } else { 200 };
        Answer { status, tag: Some(tag), body: if status == 304 { Vec::new() } else { bytes } }
    })
    .await
}

#[tokio::test]
async fn a_published_version_is_adopted_and_a_forged_one_reported_while_running() {
    let (_folder, layout) = layout();
    let (signer, forger) = (Signer::new().await, Signer::new().await);
    let bundle = Arc::new(Mutex::new(("\"1\"".to_owned(), signer.publish(1, POLICY).await)));
    let server = serve(Arc::clone(&bundle)).await;
    let policy = watch::Sender::new(PolicyState::default());
    let mut state = policy.subscribe();
    let intake = Arc::new(Intake::new(layout, signer.anchor(), policy));
    let sync = Sync { intake, upstream: server.upstream() };
    let running = tokio::spawn(sync.run());
    let mut wait = async |what: fn(&PolicyState) -> bool| {
        tokio::time::timeout(LONG, state.wait_for(what)).await.unwrap().unwrap().clone()
    };

    wait(|state| state.version() == 1).await;
    *bundle.lock().unwrap() = ("\"2\"".to_owned(), forger.publish(2, POLICY).await);
    let refused = wait(|state| state.refused.is_some()).await;
    assert_eq!((refused.version(), refused.refused.unwrap().code.as_str()), (1, "forged"));
    *bundle.lock().unwrap() = ("\"3\"".to_owned(), signer.publish(3, POLICY).await);
    assert_eq!(wait(|state| state.version() == 3).await.refused, None);
    running.abort();
}
