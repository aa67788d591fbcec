use super::*;
use crate::enrolment::{Enrolment, read_identity};
use crate::upstream::fake::{Answer, FakeServer};
use serde_json::json;
use tempfile::TempDir;

const ROOT: &str = r#"{"signed":{"_type":"root"},"signatures":[]}"#;

fn reply(device: &str, organisation: &str) -> EnrolReply {
    let certificate = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    EnrolReply {
        device_id: device.to_owned(),
        member: "alice@acme.example".to_owned(),
        organisation: organisation.to_owned(),
        certificate_pem: certificate.cert.pem(),
        certificate_expires: OffsetDateTime::now_utc(),
    }
}

fn machine_with(address: &Url, authority: &str, trust_root: &str) -> (TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::under(folder.path()).unwrap();
    place(&layout, address, authority, trust_root);
    (folder, layout)
}

fn place(layout: &Layout, address: &Url, authority: &str, trust_root: &str) {
    std::fs::create_dir_all(&layout.etc).unwrap();
    let profile = json!({
        "organisation": "acme", "server": address.as_str(), "server_ca": authority,
        "trust_root": trust_root, "enrolment_token": "a-secret-token",
    });
    files::replace_private(&layout.managed_profile(), profile.to_string().as_bytes()).unwrap();
}

fn left_behind(layout: &Layout) -> Vec<PathBuf> {
    [layout.identity(), layout.device_key(), layout.device_certificate(), layout.trust_root()]
        .into_iter()
        .filter(|path| path.exists())
        .collect()
}

#[tokio::test]
async fn a_machine_becomes_a_device_and_the_server_learns_no_key() {
    let server = FakeServer::start(|_| Answer::ok(&reply("d1", "acme"))).await;
    let (_folder, layout) = machine_with(&server.address, &server.authority, ROOT);
    enrol(&layout).await.unwrap();
    let enrolment = Enrolment::load(&layout).unwrap().unwrap();
    assert_eq!(
        (enrolment.identity.device_id.as_str(), enrolment.trust_root),
        ("d1", ROOT.as_bytes().to_vec())
    );
    let asked = server.asked.lock().unwrap();
    let body = String::from_utf8(asked[0].body.clone()).unwrap();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, paths::ENROL));
    assert!(body.contains("CERTIFICATE REQUEST") && !body.contains("PRIVATE KEY"), "{body}");
    // The server can refuse a profile that is not its own before it uses the token.
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(said["organisation"], "acme");
    assert_eq!(said["trust_root_digest"], trust_root_digest(ROOT).unwrap());
}

#[tokio::test]
async fn every_refusal_is_a_sentence_and_leaves_nothing_behind() {
    type Case = (fn() -> Answer, &'static str);
    let cases: [Case; 5] = [
        (
            || Answer::problem(403, "token-expired", json!({})),
            "did not enrol this machine: a sentence on token-expired",
        ),
        (
            || Answer::problem(403, "token-used", json!({})),
            "did not enrol this machine: a sentence on token-used",
        ),
        (
            || Answer::ok(&reply("d", "umbrella")),
            "is of the organisation `umbrella`, the managed profile of `acme`",
        ),
        (
            || Answer::ok(&EnrolReply { certificate_pem: "nonsense".to_owned(), ..reply("d", "acme") }),
            "certificate that cannot be read",
        ),
        (|| Answer::ok(&json!({ "device_id": "d" })), "cannot be read"),
    ];
    for (answer, expected) in cases {
        let server = FakeServer::start(move |_| answer()).await;
        let (_folder, layout) = machine_with(&server.address, &server.authority, ROOT);
        let error = enrol(&layout).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("a-secret-token"), "{error}");
        assert_eq!(left_behind(&layout), Vec::<PathBuf>::new(), "{expected}");
    }
}

#[tokio::test]
async fn an_attempt_that_fails_leaves_the_enrolment_that_was_there() {
    let good = FakeServer::start(|_| Answer::ok(&reply("d1", "acme"))).await;
    let (_folder, layout) = machine_with(&good.address, &good.authority, ROOT);
    enrol(&layout).await.unwrap();
    let key = std::fs::read(layout.device_key()).unwrap();
    let bad = FakeServer::start(|_| Answer::problem(403, "token-used", json!({}))).await;
    place(&layout, &bad.address, &bad.authority, ROOT);
    enrol(&layout).await.unwrap_err();
    assert_eq!(read_identity(&layout).unwrap().unwrap().device_id, "d1");
    assert_eq!(std::fs::read(layout.device_key()).unwrap(), key);
}

#[tokio::test]
async fn enrolling_again_is_no_way_back_to_an_older_policy_and_another_anchor_starts_anew() {
    let server = FakeServer::start(|_| Answer::ok(&reply("d2", "acme"))).await;
    let (_folder, layout) = machine_with(&server.address, &server.authority, ROOT);
    enrol(&layout).await.unwrap();
    let floor = layout.trusted().join("floor");
    std::fs::write(&floor, "7").unwrap();
    enrol(&layout).await.unwrap();
    assert!(floor.exists(), "the version floor went with the second enrolment");
    let other = r#"{"signed":{"_type":"root","version":2},"signatures":[]}"#;
    place(&layout, &server.address, &server.authority, other);
    enrol(&layout).await.unwrap();
    assert!(!floor.exists(), "the floor of another anchor stayed");
}

#[tokio::test]
async fn enrolling_again_takes_the_old_device_out_of_the_fleet() {
    let enrolled = std::sync::atomic::AtomicU32::new(0);
    let server = FakeServer::start(move |asked| match asked.path.as_str() {
        paths::ENROL => {
            let n = enrolled.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Answer::ok(&reply(&format!("d{n}"), "acme"))
        }
        _ => Answer::ok(&json!({})),
    })
    .await;
    let (_folder, layout) = machine_with(&server.address, &server.authority, ROOT);
    enrol(&layout).await.unwrap();
    // A certificate for the device's own key, as the server would have signed it.
    let key = rcgen::KeyPair::from_pem(&std::fs::read_to_string(layout.device_key()).unwrap()).unwrap();
    let own = rcgen::CertificateParams::new(["d0".to_owned()]).unwrap().self_signed(&key).unwrap();
    files::replace_private(&layout.device_certificate(), own.pem().as_bytes()).unwrap();

    assert_eq!(enrol(&layout).await.unwrap().device_id, "d1");
    let asked: Vec<String> = server.asked.lock().unwrap().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(asked, [paths::ENROL, paths::ENROL, paths::UNENROL]);
}

#[tokio::test]
async fn a_machine_that_was_taken_out_keeps_nothing_of_the_device() {
    let server = FakeServer::start(|_| Answer::ok(&reply("d1", "acme"))).await;
    let (_folder, layout) = machine_with(&server.address, &server.authority, ROOT);
    enrol(&layout).await.unwrap();
    clients::grant(&layout, "cursor", 1).unwrap();
    remove(&layout).unwrap();
    assert_eq!(clients::read(&layout).unwrap(), [], "they were let in for this member");
    assert_eq!(left_behind(&layout), Vec::<PathBuf>::new());
    assert!(Enrolment::load(&layout).unwrap().is_none());
    remove(&layout).unwrap();
}

#[test]
fn what_only_the_administrator_may_read_is_said_with_both_ways_on() {
    let denied = || FileError::Io {
        doing: "read",
        path: PathBuf::from("/etc/portreeve/managed.json"),
        source: std::io::ErrorKind::PermissionDenied.into(),
    };
    for error in
        [EnrolError::from(ProfileError::Unreadable(ManagedError::File(denied()))), EnrolError::from(denied())]
    {
        let said = error.to_string();
        assert!(said.contains("/etc/portreeve/managed.json: permission denied"), "{said}");
        assert!(said.contains("sudo portreeve enroll") && said.contains("portreeve run --enroll"), "{said}");
    }
}
