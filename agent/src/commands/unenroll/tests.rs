use super::*;
use crate::enrolment::{enrol, read_identity};
use crate::ipc::{FromResident, Lines, write_message};
use crate::steward::tests::REAL;
use crate::upstream::fake::{Answer, FakeServer};
use contract::enrolment::EnrolReply;
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;
use time::OffsetDateTime;

const ROOT: &str = r#"{"signed":{"_type":"root"},"signatures":[]}"#;

/// An enrolled machine whose one configuration is wrapped.
struct Machine {
    folder: TempDir,
    layout: Layout,
    home: Home,
}

impl Machine {
    async fn enrolled(server: &FakeServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(&folder.path().join("p")).unwrap();
        std::fs::create_dir_all(&layout.etc).unwrap();
        let profile = json!({
            "organisation": "acme", "server": server.address.as_str(), "server_ca": server.authority,
            "trust_root": ROOT, "enrolment_token": "a-secret-token",
        });
        platform::files::replace_private(&layout.managed_profile(), profile.to_string().as_bytes()).unwrap();
        enrol(&layout).await.unwrap();
        let path = folder.path().join("home");
        std::fs::create_dir_all(path.join(".claude/sessions")).unwrap();
        std::fs::write(path.join(".claude.json"), REAL).unwrap();
        let home = Home { path, user: "alice".to_owned(), config_dirs: Vec::new() };
        Steward::new(&layout, &home).unwrap().apply().unwrap();
        let machine = Self { folder, layout, home };
        assert_ne!(machine.config(), REAL);
        machine
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.home.path.join(".claude.json")).unwrap()
    }

    async fn unenroll(&self, force: bool) -> Result<Option<Done>, UnenrolError> {
        unenroll(&UnenrollArgs { force }, &self.layout, Some(&self.home)).await
    }

    fn is_enrolled(&self) -> bool {
        read_identity(&self.layout).unwrap().is_some()
    }
}

/// Enrols whoever asks; answers the farewell as told.
async fn server(farewell: fn() -> Answer) -> FakeServer {
    FakeServer::start(move |asked| if asked.path == paths::ENROL { Answer::ok(&reply()) } else { farewell() })
        .await
}

fn reply() -> EnrolReply {
    let certificate = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    EnrolReply {
        device_id: "d1".to_owned(),
        member: "alice@acme.example".to_owned(),
        organisation: "acme".to_owned(),
        certificate_pem: certificate.cert.pem(),
        certificate_expires: OffsetDateTime::now_utc(),
    }
}

/// The device's key is not the fake certificate's: what is sent is not, and no farewell arrives.
fn with_a_usable_certificate(machine: &Machine) {
    let made = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    let write = |path: &Path, text: String| platform::files::replace_private(path, text.as_bytes()).unwrap();
    write(&machine.layout.device_certificate(), made.cert.pem());
    write(&machine.layout.device_key(), made.signing_key.serialize_pem());
}

#[tokio::test]
async fn a_machine_that_leaves_has_its_configurations_back_and_is_told_of_its_profile() {
    let server = server(|| Answer::ok(&json!({}))).await;
    let machine = Machine::enrolled(&server).await;
    with_a_usable_certificate(&machine);
    let done = machine.unenroll(false).await.unwrap().unwrap();
    assert_eq!((done.restored_entries, done.server_told), (4, true));
    assert_eq!(machine.config(), REAL);
    assert!(!machine.is_enrolled());
    assert_eq!(done.profile, Some(machine.layout.managed_profile()));
    assert!(machine.unenroll(false).await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_that_is_not_reached_leaves_everything_as_it_was() {
    let server = server(|| Answer::problem(503, "too-busy", json!({}))).await;
    let machine = Machine::enrolled(&server).await;
    with_a_usable_certificate(&machine);
    let before = machine.config();
    let error = machine.unenroll(false).await.unwrap_err();
    assert!(matches!(error, UnenrolError::NotTold(..)), "{error}");
    assert!(error.to_string().contains("nothing was changed"), "{error}");
    assert_eq!(machine.config(), before);
    assert!(machine.is_enrolled());
    let done = machine.unenroll(true).await.unwrap().unwrap();
    assert_eq!((machine.config().as_str(), done.server_told), (REAL, false));
    assert!(!machine.is_enrolled());
}

#[tokio::test]
async fn a_configuration_that_cannot_be_given_back_is_said_before_the_server_hears_anything() {
    let server = server(|| Answer::ok(&json!({}))).await;
    let machine = Machine::enrolled(&server).await;
    with_a_usable_certificate(&machine);
    let broken = machine.config().replacen('{', "", 1);
    std::fs::write(machine.home.path.join(".claude.json"), &broken).unwrap();
    let error = machine.unenroll(false).await.unwrap_err();
    assert!(matches!(error, UnenrolError::InTheWay(_)), "{error}");
    assert_eq!(machine.config(), broken);
    assert!(machine.is_enrolled());
    let asked = server.asked.lock().unwrap();
    assert!(asked.iter().all(|asked| asked.path != paths::UNENROL));
}

/// The resident that heals is asked to go first: nothing is given back while it is there.
#[tokio::test]
async fn a_resident_steps_aside_before_anything_is_given_back() {
    let server = server(|| Answer::ok(&json!({}))).await;
    let machine = Machine::enrolled(&server).await;
    with_a_usable_certificate(&machine);
    let mut listener = Listener::bind(&machine.layout).unwrap();
    let wrapped = machine.config();
    let config = machine.home.path.join(".claude.json");
    let resident = async {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = tokio::io::split(stream);
        let asked = Lines::new(read).next().await.unwrap().unwrap();
        assert_eq!(asked, br#""leaving""#);
        write_message(&mut write, &FromResident::Done).await.unwrap();
        assert_eq!(std::fs::read_to_string(&config).unwrap(), wrapped);
        drop(listener);
    };
    let ((), done) = tokio::join!(resident, machine.unenroll(false));
    assert_eq!(done.unwrap().unwrap().restored_entries, 4);
    assert_eq!(machine.config(), REAL);
    drop(machine.folder);
}
