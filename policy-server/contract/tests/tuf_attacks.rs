//! Every way we know to give an agent policy that its organisation did not publish for it, now.
//! Each attack has a name, and the code with which it is refused.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are a test")]

use contract::bundle::{
    Anchor, Bundle, FORMAT, LONGEST_STEP, MAX_BUNDLE_BYTES, Passed, Rejection, TargetFacts, Verified, verify,
    verify_again,
};
use contract::signing::{
    Publication, RoleSpec, RootSpec, SigningKey, first_root, next_root, sign_repository,
};
use policy::Standing;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

const POLICY: &str = "[defaults]\nmode = \"enforce\"\n";

/// An organisation with one offline root key and one online key.
struct Organisation {
    root_key: SigningKey,
    online: SigningKey,
    roots: Vec<Vec<u8>>,
    name: &'static str,
}

/// What a test changes about an otherwise good publication.
struct Edition {
    version: u64,
    timestamp_version: u64,
    policy_version: u64,
    policy: &'static str,
    format: u32,
    expires_in: Duration,
    timestamp_expires_in: Duration,
}

fn edition(version: u64) -> Edition {
    Edition {
        version,
        timestamp_version: version,
        policy_version: version,
        policy: POLICY,
        format: FORMAT,
        expires_in: Duration::days(30),
        timestamp_expires_in: Duration::days(1),
    }
}

fn in_time(duration: Duration) -> OffsetDateTime {
    OffsetDateTime::now_utc() + duration
}

fn root_spec(root: RoleSpec, online: &SigningKey) -> RootSpec {
    let online = RoleSpec::of(online);
    let (targets, snapshot, timestamp) = (online.clone(), online.clone(), online);
    RootSpec { expires: in_time(Duration::days(365)), root, targets, snapshot, timestamp }
}

impl Organisation {
    async fn new(name: &'static str) -> Self {
        let (root_key, online) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let root = first_root(&root_spec(RoleSpec::of(&root_key), &online)).await.unwrap();
        Self { root_key, online, roots: vec![root], name }
    }

    fn anchor(&self) -> Anchor {
        Anchor { organisation: self.name.to_owned(), root: self.roots[0].clone() }
    }

    async fn publish(&self, edition: Edition) -> Bundle {
        self.publish_with(edition, std::slice::from_ref(&self.online)).await
    }

    async fn publish_with(&self, edition: Edition, keys: &[SigningKey]) -> Bundle {
        let standing =
            Standing { suspended_members: ["mallory@acme.example".to_owned()].into(), ..Standing::default() };
        let facts = TargetFacts {
            organisation: self.name.to_owned(),
            format: edition.format,
            policy_version: edition.policy_version,
        };
        let publication = Publication {
            roots: &self.roots,
            keys,
            policy_toml: edition.policy,
            standing: &standing,
            facts: &facts,
            version: edition.version,
            timestamp_version: edition.timestamp_version,
            expires: in_time(edition.expires_in),
            timestamp_expires: in_time(edition.timestamp_expires_in),
        };
        sign_repository(&publication).await.unwrap()
    }

    /// Replaces the online key.
    async fn rotate(&mut self) {
        self.online = SigningKey::generate().unwrap();
        self.renew_root().await;
    }

    async fn renew_root(&mut self) {
        let spec = root_spec(RoleSpec::of(&self.root_key), &self.online);
        let next = next_root(self.roots.last().unwrap(), &spec.root.keys, &spec).await.unwrap();
        self.roots.push(next);
    }
}

/// One machine: its anchor and what it has verified before.
struct Machine {
    anchor: Anchor,
    trusted: TempDir,
}

impl Machine {
    fn of(organisation: &Organisation) -> Self {
        Self { anchor: organisation.anchor(), trusted: tempfile::tempdir().unwrap() }
    }

    async fn take(&self, bundle: &Bundle) -> Result<Verified, Rejection> {
        self.pass(bundle).await?.keep()
    }

    /// Verified, and not kept.
    async fn pass(&self, bundle: &Bundle) -> Result<Passed, Rejection> {
        verify(&serde_json::to_vec(bundle).unwrap(), &self.anchor, self.trusted.path()).await
    }

    async fn refuses(&self, bundle: &Bundle, code: &str) {
        let rejection = self.take(bundle).await.unwrap_err();
        assert_eq!(rejection.code(), code, "{rejection}");
    }
}

fn edit(bundle: &mut Bundle, file: &str, change: impl FnOnce(&mut Value)) {
    let text = bundle.files.get_mut(file).unwrap();
    let mut value: Value = serde_json::from_str(text).unwrap();
    change(&mut value);
    *text = serde_json::to_string(&value).unwrap();
}

// What must work.

#[tokio::test]
async fn good_policy_is_taken_and_taken_again_and_followed_by_the_next() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    for version in [1, 1, 2, 7] {
        let verified = machine.take(&acme.publish(edition(version)).await).await.unwrap();
        assert_eq!(verified.policy_version, version);
        assert_eq!(verified.policy_toml, POLICY);
        assert!(verified.standing.suspended_members.contains("mallory@acme.example"));
        let lasts = verified.expires - OffsetDateTime::now_utc();
        assert!(
            lasts > Duration::hours(23) && lasts < Duration::hours(25),
            "the timestamp expires first: {lasts}"
        );
    }
}

#[tokio::test]
async fn a_guard_verifies_the_same_bytes_without_floors() {
    let acme = Organisation::new("acme").await;
    let bundle = serde_json::to_vec(&acme.publish(edition(3)).await).unwrap();
    let verified = verify_again(&bundle, &acme.anchor()).await.unwrap();
    assert_eq!((verified.policy_version, verified.policy_toml.as_str()), (3, POLICY));
    let foreign = Organisation::new("acme").await;
    assert_eq!(verify_again(&bundle, &foreign.anchor()).await.unwrap_err().code(), "forged");
}

#[tokio::test]
async fn keys_that_were_replaced_are_followed_from_the_oldest_anchor() {
    let mut acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(1)).await).await.unwrap();
    for version in [2, 3] {
        acme.rotate().await;
        machine.take(&acme.publish(edition(version)).await).await.unwrap();
    }
    let newcomer =
        Machine { anchor: Anchor { root: acme.roots[2].clone(), ..acme.anchor() }, ..Machine::of(&acme) };
    newcomer.take(&acme.publish(edition(3)).await).await.unwrap();
}

#[tokio::test]
async fn a_role_of_two_keys_is_taken_when_both_sign() {
    let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let acme = two_of_two(&one, &two).await;
    let bundle = acme.publish_with(edition(1), &[one, two, acme.online.clone()]).await;
    Machine::of(&acme).take(&bundle).await.unwrap();
}

#[tokio::test]
async fn extra_files_are_ignored() {
    let acme = Organisation::new("acme").await;
    let mut bundle = acme.publish(edition(1)).await;
    for name in ["../../etc/passwd", "metadata/evil.json", "targets/other.toml", "policy.toml"] {
        bundle.files.insert(name.to_owned(), "[defaults]\nmode = \"monitor\"".to_owned());
    }
    let machine = Machine::of(&acme);
    assert_eq!(machine.take(&bundle).await.unwrap().policy_toml, POLICY);
    let kept: Vec<_> =
        std::fs::read_dir(machine.trusted.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 6, "only what the workflow keeps: {kept:?}");
}

#[tokio::test]
async fn a_machine_enrolled_anew_begins_from_nothing() {
    let (old, new) = (Organisation::new("acme").await, Organisation::new("acme").await);
    let mut machine = Machine::of(&old);
    machine.take(&old.publish(edition(9)).await).await.unwrap();
    machine.anchor = new.anchor();
    machine.take(&new.publish(edition(1)).await).await.unwrap();
    machine.refuses(&old.publish(edition(10)).await, "forged").await;
}

#[tokio::test]
async fn a_newer_root_with_the_same_online_keys_keeps_the_floors() {
    let mut acme = Organisation::new("acme").await;
    let mut machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(5)).await).await.unwrap();
    acme.renew_root().await;
    machine.refuses(&acme.publish(edition(4)).await, "rolled-back").await;
    machine.anchor.root.clone_from(&acme.roots[1]);
    machine.refuses(&acme.publish(edition(4)).await, "rolled-back").await;
    machine.take(&acme.publish(edition(6)).await).await.unwrap();
}

// Step 1: size and shape.

#[tokio::test]
async fn endless_data() {
    let machine = Machine::of(&Organisation::new("acme").await);
    let endless = vec![b' '; MAX_BUNDLE_BYTES + 1];
    let rejection = verify(&endless, &machine.anchor, machine.trusted.path()).await.err().unwrap();
    assert_eq!(rejection.code(), "oversized");
}

#[tokio::test]
async fn endless_metadata() {
    let acme = Organisation::new("acme").await;
    let mut bundle = acme.publish(edition(1)).await;
    let padded = format!("{}{}", bundle.files["metadata/timestamp.json"], " ".repeat(2 << 20));
    bundle.files.insert("metadata/timestamp.json".to_owned(), padded);
    Machine::of(&acme).refuses(&bundle, "mixed").await;
}

#[tokio::test]
async fn truncated_bundle() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    let whole = serde_json::to_vec(&acme.publish(edition(1)).await).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        let rejection =
            verify(&whole[..length], &machine.anchor, machine.trusted.path()).await.err().unwrap();
        assert_eq!(rejection.code(), "truncated", "{length}: {rejection}");
    }
}

#[tokio::test]
async fn missing_files() {
    let acme = Organisation::new("acme").await;
    let whole = acme.publish(edition(1)).await;
    for name in whole.files.keys().filter(|name| !name.ends_with("root.json")) {
        let mut bundle = whole.clone();
        bundle.files.remove(name);
        Machine::of(&acme).refuses(&bundle, "truncated").await;
    }
}

// Step 2: the chain of roots.

#[tokio::test]
async fn root_rotation_signed_only_by_the_new_key() {
    let mut acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    let thief = SigningKey::generate().unwrap();
    let spec = root_spec(RoleSpec::of(&thief), &acme.online);
    let usurped = next_root(&acme.roots[0], &[thief], &spec).await;
    // The library will not sign for a root without its keys; an attacker has no such scruples.
    assert!(usurped.is_err());
    acme.rotate().await;
    let mut bundle = acme.publish(edition(1)).await;
    let usurped =
        first_root(&root_spec(RoleSpec::of(&SigningKey::generate().unwrap()), &acme.online)).await.unwrap();
    bundle.files.insert("metadata/2.root.json".to_owned(), String::from_utf8(usurped).unwrap());
    machine.refuses(&bundle, "forged").await;
}

#[tokio::test]
async fn a_root_is_not_made_with_fewer_keys_than_it_asks_for() {
    let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let mut spec = root_spec(RoleSpec { keys: vec![one.clone(), two.clone()], threshold: 2 }, &one);
    let first = first_root(&spec).await.unwrap();
    spec.root = RoleSpec::of(&SigningKey::generate().unwrap());
    assert!(
        next_root(&first, std::slice::from_ref(&one), &spec).await.is_err(),
        "one of two of the old keys"
    );
    next_root(&first, &[one, two], &spec).await.unwrap();
    spec.root.threshold = 2;
    assert!(first_root(&spec).await.is_err(), "more than there are keys");
}

#[tokio::test]
async fn root_rotation_that_skips_a_version() {
    let mut acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    for _ in 0..2 {
        acme.rotate().await;
    }
    let mut bundle = acme.publish(edition(1)).await;
    let third = bundle.files["metadata/3.root.json"].clone();
    bundle.files.insert("metadata/2.root.json".to_owned(), third);
    machine.refuses(&bundle, "rolled-back").await;
}

#[tokio::test]
async fn a_key_that_was_rotated_away_is_not_revived_by_leaving_the_newer_root_out() {
    let mut acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    let (stolen, first_roots) = (acme.online.clone(), acme.roots.clone());
    acme.rotate().await;
    machine.take(&acme.publish(edition(1)).await).await.unwrap();
    acme.roots = first_roots;
    let bundle = acme.publish_with(edition(2), &[stolen]).await;
    machine.refuses(&bundle, "forged").await;
}

#[tokio::test]
async fn a_trust_root_that_is_none() {
    let acme = Organisation::new("acme").await;
    let bundle = acme.publish(edition(1)).await;
    for root in ["", "{}", "not a root"] {
        let mut machine = Machine::of(&acme);
        machine.anchor.root = root.into();
        machine.refuses(&bundle, "trust-root").await;
    }
}

// Steps 3 to 5: signatures, versions, expiry.

#[tokio::test]
async fn forged_signature() {
    let acme = Organisation::new("acme").await;
    for role in ["timestamp", "snapshot", "targets"] {
        let mut bundle = acme.publish(edition(1)).await;
        edit(&mut bundle, &format!("metadata/{role}.json"), |signed| {
            signed["signed"]["version"] = json!(2);
        });
        let rejection = Machine::of(&acme).take(&bundle).await.unwrap_err();
        // Snapshot and targets are bound by hash as well, and fail by it first.
        assert!(["forged", "mixed"].contains(&rejection.code()), "{role}: {rejection}");
    }
}

#[tokio::test]
async fn signed_by_a_stranger() {
    let (acme, stranger) = (Organisation::new("acme").await, Organisation::new("acme").await);
    Machine::of(&acme).refuses(&stranger.publish(edition(1)).await, "forged").await;
}

async fn two_of_two(one: &SigningKey, two: &SigningKey) -> Organisation {
    let mut acme = Organisation::new("acme").await;
    let mut spec = root_spec(RoleSpec::of(&acme.root_key), &acme.online);
    spec.targets = RoleSpec { keys: vec![one.clone(), two.clone()], threshold: 2 };
    spec.timestamp = spec.targets.clone();
    acme.roots = vec![first_root(&spec).await.unwrap()];
    acme
}

#[tokio::test]
async fn threshold_not_met() {
    let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let acme = two_of_two(&one, &two).await;
    let mut bundle = acme.publish_with(edition(1), &[one, two, acme.online.clone()]).await;
    edit(&mut bundle, "metadata/timestamp.json", |signed| {
        signed["signatures"].as_array_mut().unwrap().truncate(1);
    });
    Machine::of(&acme).refuses(&bundle, "forged").await;
}

#[tokio::test]
async fn duplicate_signature_counts_once() {
    let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let acme = two_of_two(&one, &two).await;
    let mut bundle = acme.publish_with(edition(1), &[one, two, acme.online.clone()]).await;
    edit(&mut bundle, "metadata/timestamp.json", |signed| {
        let signatures = signed["signatures"].as_array_mut().unwrap();
        signatures[1] = signatures[0].clone();
    });
    Machine::of(&acme).refuses(&bundle, "forged").await;
}

#[tokio::test]
async fn a_role_signed_by_the_key_of_another_role() {
    let mut acme = Organisation::new("acme").await;
    let timestamp_key = SigningKey::generate().unwrap();
    let mut spec = root_spec(RoleSpec::of(&acme.root_key), &acme.online);
    spec.timestamp = RoleSpec::of(&timestamp_key);
    acme.roots = vec![first_root(&spec).await.unwrap()];
    let machine = Machine::of(&acme);
    let mut bundle = acme.publish_with(edition(1), &[acme.online.clone(), timestamp_key.clone()]).await;
    // The same repository, where the timestamp's key was made to sign everything.
    let mut evil =
        acme_with_every_role(&acme, &timestamp_key).await.publish_with(edition(2), &[timestamp_key]).await;
    evil.files
        .insert("metadata/1.root.json".to_owned(), bundle.files.remove("metadata/1.root.json").unwrap());
    machine.refuses(&evil, "forged").await;
}

async fn acme_with_every_role(acme: &Organisation, key: &SigningKey) -> Organisation {
    let spec = root_spec(RoleSpec::of(&acme.root_key), key);
    let roots = vec![first_root(&spec).await.unwrap()];
    Organisation { root_key: acme.root_key.clone(), online: key.clone(), roots, name: acme.name }
}

#[tokio::test]
async fn rolled_back_timestamp() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    let old = acme.publish(edition(1)).await;
    machine.take(&acme.publish(edition(2)).await).await.unwrap();
    machine.refuses(&old, "rolled-back").await;
}

#[tokio::test]
async fn rolled_back_snapshot_under_a_new_timestamp() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(5)).await).await.unwrap();
    let older = Edition { timestamp_version: 6, policy_version: 5, ..edition(4) };
    machine.refuses(&acme.publish(older).await, "rolled-back").await;
}

#[tokio::test]
async fn expired_timestamp() {
    let acme = Organisation::new("acme").await;
    let old = Edition { timestamp_expires_in: Duration::hours(-1), ..edition(1) };
    let rejection = Machine::of(&acme).take(&acme.publish(old).await).await.unwrap_err();
    assert_eq!(rejection, Rejection::Expired { role: "timestamp".into() });
}

#[tokio::test]
async fn expired_policy_under_a_fresh_timestamp() {
    let acme = Organisation::new("acme").await;
    let old = Edition { expires_in: Duration::hours(-1), ..edition(1) };
    Machine::of(&acme).refuses(&acme.publish(old).await, "expired").await;
}

#[tokio::test]
async fn expired_root() {
    let mut acme = Organisation::new("acme").await;
    let spec = RootSpec {
        expires: in_time(Duration::hours(-1)),
        ..root_spec(RoleSpec::of(&acme.root_key), &acme.online)
    };
    acme.roots = vec![first_root(&spec).await.unwrap()];
    let machine = Machine::of(&acme);
    machine.refuses(&acme.publish(edition(1)).await, "expired").await;
    // An expired anchor is walked forward from.
    acme.rotate().await;
    machine.take(&acme.publish(edition(1)).await).await.unwrap();
}

#[tokio::test]
async fn mix_and_match_snapshot() {
    let acme = Organisation::new("acme").await;
    let (one, two) = (acme.publish(edition(1)).await, acme.publish(edition(2)).await);
    for file in ["metadata/snapshot.json", "metadata/targets.json"] {
        let mut mixed = two.clone();
        mixed.files.insert(file.to_owned(), one.files[file].clone());
        Machine::of(&acme).refuses(&mixed, "mixed").await;
    }
}

#[tokio::test]
async fn clock_stepped_back() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(1)).await).await.unwrap();
    std::fs::write(machine.trusted.path().join("latest_known_time.json"), "\"2100-01-01T00:00:00Z\"")
        .unwrap();
    machine.refuses(&acme.publish(edition(2)).await, "clock-stepped-back").await;
}

// Step 6: the files themselves.

#[tokio::test]
async fn truncated_target() {
    let acme = Organisation::new("acme").await;
    let mut bundle = acme.publish(edition(1)).await;
    bundle.files.insert("targets/policy.toml".to_owned(), POLICY[..POLICY.len() - 5].to_owned());
    Machine::of(&acme).refuses(&bundle, "forged").await;
}

#[tokio::test]
async fn exchanged_target_of_the_same_length() {
    let acme = Organisation::new("acme").await;
    for (file, from, to) in [("policy.toml", "enforce", "monitor"), ("standing.json", "mallory", "someone")] {
        let mut bundle = acme.publish(edition(1)).await;
        let text = bundle.files.get_mut(&format!("targets/{file}")).unwrap();
        *text = text.replace(from, to);
        Machine::of(&acme).refuses(&bundle, "forged").await;
    }
}

// Step 7: whose, in which format, and how old.

#[tokio::test]
async fn policy_of_another_organisation() {
    let acme = Organisation::new("acme").await;
    let machine =
        Machine { anchor: Anchor { organisation: "globex".into(), ..acme.anchor() }, ..Machine::of(&acme) };
    machine.refuses(&acme.publish(edition(1)).await, "foreign-organisation").await;
}

/// With keys of its own; only one that claims to be ours is a forgery.
#[tokio::test]
async fn policy_of_another_organisation_with_its_own_keys() {
    let (acme, globex) = (Organisation::new("acme").await, Organisation::new("globex").await);
    let machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(1)).await).await.unwrap();
    machine.refuses(&globex.publish(edition(9)).await, "foreign-organisation").await;
    let impostor = Organisation::new("acme").await;
    machine.refuses(&impostor.publish(edition(9)).await, "forged").await;
    machine.take(&acme.publish(edition(2)).await).await.unwrap();
}

#[tokio::test]
async fn unknown_format() {
    let acme = Organisation::new("acme").await;
    let newer = Edition { format: FORMAT + 1, ..edition(1) };
    Machine::of(&acme).refuses(&acme.publish(newer).await, "unknown-format").await;
}

#[tokio::test]
async fn rolled_back_policy_version() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(5)).await).await.unwrap();
    let older = Edition { policy_version: 4, ..edition(6) };
    machine.refuses(&acme.publish(older).await, "rolled-back").await;
}

// Step 8, and what is kept.

#[tokio::test]
async fn a_standing_list_that_is_not_understood() {
    let acme = Organisation::new("acme").await;
    let mut bundle = acme.publish(edition(1)).await;
    bundle.files.insert("targets/standing.json".to_owned(), r#"{"unknown":[]}"#.to_owned());
    // Signed as it stands, by the organisation's own key.
    let resigned = resign_standing(&acme, &bundle).await;
    Machine::of(&acme).refuses(&resigned, "malformed").await;
}

/// The bundle with its `standing.json` as it is, hashes and signatures made right again.
async fn resign_standing(acme: &Organisation, bundle: &Bundle) -> Bundle {
    use aws_lc_rs::digest::{SHA256, digest};
    use tough::editor::signed::SignedRole;
    use tough::key_source::KeySource;
    use tough::schema::{KeyHolder, Root, Signed, Snapshot, Targets, Timestamp};
    let mut bundle = bundle.clone();
    let root: Signed<Root> = serde_json::from_slice(&acme.roots[0]).unwrap();
    let (holder, keys) =
        (KeyHolder::Root(root.signed), [Box::new(acme.online.clone()) as Box<dyn KeySource>]);
    let rng = aws_lc_rs::rand::SystemRandom::new();
    let contents = bundle.files["targets/standing.json"].clone();

    let mut targets: Signed<Targets> = serde_json::from_str(&bundle.files["metadata/targets.json"]).unwrap();
    for (name, target) in &mut targets.signed.targets {
        if name.raw() == "standing.json" {
            target.length = contents.len() as u64;
            target.hashes.sha256 = digest(&SHA256, contents.as_bytes()).as_ref().to_vec().into();
        }
    }
    let targets = SignedRole::new(targets.signed, &holder, &keys, &rng).await.unwrap();
    let mut snapshot: Signed<Snapshot> =
        serde_json::from_str(&bundle.files["metadata/snapshot.json"]).unwrap();
    for meta in snapshot.signed.meta.values_mut() {
        meta.length = Some(*targets.length());
        meta.hashes.as_mut().unwrap().sha256 = targets.sha256().to_vec().into();
    }
    let snapshot = SignedRole::new(snapshot.signed, &holder, &keys, &rng).await.unwrap();
    let mut timestamp: Signed<Timestamp> =
        serde_json::from_str(&bundle.files["metadata/timestamp.json"]).unwrap();
    for meta in timestamp.signed.meta.values_mut() {
        meta.length = Some(*snapshot.length());
        meta.hashes.as_mut().unwrap().sha256 = snapshot.sha256().to_vec().into();
    }
    let timestamp = SignedRole::new(timestamp.signed, &holder, &keys, &rng).await.unwrap();
    for (role, bytes) in
        [("targets", targets.buffer()), ("snapshot", snapshot.buffer()), ("timestamp", timestamp.buffer())]
    {
        bundle.files.insert(format!("metadata/{role}.json"), String::from_utf8(bytes.clone()).unwrap());
    }
    bundle
}

#[tokio::test]
async fn a_refused_bundle_moves_no_floor() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(1)).await).await.unwrap();
    // Signed by the organisation, far ahead, and refused for its format only.
    let ahead = Edition { format: FORMAT + 1, ..edition(1000) };
    machine.refuses(&acme.publish(ahead).await, "unknown-format").await;
    machine.take(&acme.publish(edition(2)).await).await.unwrap();
}

#[tokio::test]
async fn a_store_that_cannot_be_used() {
    let acme = Organisation::new("acme").await;
    let mut machine = Machine::of(&acme);
    std::fs::write(machine.trusted.path().join("floor.json"), "not a floor").unwrap();
    machine.refuses(&acme.publish(edition(1)).await, "store").await;
    machine.trusted = tempfile::tempdir().unwrap();
    let file = machine.trusted.path().join("file");
    std::fs::write(&file, "").unwrap();
    let bundle = serde_json::to_vec(&acme.publish(edition(1)).await).unwrap();
    let rejection = verify(&bundle, &machine.anchor, Path::new(&file)).await.err().unwrap();
    assert_eq!(rejection.code(), "store", "{rejection}");
}

/// A server that was broken into signs a version near the largest there is.
#[tokio::test]
async fn a_version_far_ahead_shuts_out_every_later_policy() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    let last = i64::MAX.unsigned_abs();
    for fresh in [true, false] {
        if !fresh {
            machine.take(&acme.publish(edition(1)).await).await.unwrap();
        }
        for far in [
            edition(last),
            Edition { policy_version: last, ..edition(2) },
            Edition { timestamp_version: last, ..edition(2) },
            Edition { policy_version: 2, timestamp_version: 2, ..edition(last) },
            edition(LONGEST_STEP + 2),
        ] {
            machine.refuses(&acme.publish(far).await, "version-jump").await;
        }
    }
    machine.take(&acme.publish(edition(2)).await).await.unwrap();
    machine.take(&acme.publish(edition(LONGEST_STEP + 2)).await).await.unwrap();
}

/// Signed rightly, verified, and no policy at all: only the caller can tell, who then keeps nothing.
#[tokio::test]
async fn a_signed_policy_that_is_not_kept_moves_no_floor() {
    let acme = Organisation::new("acme").await;
    let machine = Machine::of(&acme);
    machine.take(&acme.publish(edition(1)).await).await.unwrap();
    let useless = Edition { policy: "this = \"does not compile\"", ..edition(900_000) };
    assert_eq!(machine.pass(&acme.publish(useless).await).await.unwrap().verified.policy_version, 900_000);
    machine.take(&acme.publish(edition(2)).await).await.unwrap();
}

/// What thieves made an online key sign is gone with the key.
#[tokio::test]
async fn floors_that_a_stolen_key_raised_outlast_the_key() {
    let mut acme = Organisation::new("acme").await;
    let (mut anchored_anew, machine) = (Machine::of(&acme), Machine::of(&acme));
    for machine in [&machine, &anchored_anew] {
        machine.take(&acme.publish(edition(LONGEST_STEP)).await).await.unwrap();
        machine.refuses(&acme.publish(edition(3)).await, "rolled-back").await;
    }
    let by_the_thieves = acme.publish(edition(LONGEST_STEP + 1)).await;
    acme.rotate().await;
    anchored_anew.anchor.root.clone_from(&acme.roots[1]);
    for machine in [&machine, &anchored_anew] {
        machine.take(&acme.publish(edition(3)).await).await.unwrap();
        machine.refuses(&acme.publish(edition(2)).await, "rolled-back").await;
        machine.refuses(&by_the_thieves, "forged").await;
    }
}

static ENDLESS: std::sync::LazyLock<String> =
    std::sync::LazyLock::new(|| "# ".repeat(policy::document::MAX_DOCUMENT_BYTES / 2 + 1));

#[tokio::test]
async fn a_signed_policy_without_end_is_not_even_compiled() {
    let acme = Organisation::new("acme").await;
    let endless = Edition { policy: &ENDLESS, ..edition(1) };
    let bundle = acme.publish(endless).await;
    Machine::of(&acme).refuses(&bundle, "oversized").await;
    let again = verify_again(&serde_json::to_vec(&bundle).unwrap(), &acme.anchor()).await.unwrap_err();
    assert_eq!(again.code(), "oversized");
    assert!(policy::Document::parse(&ENDLESS).is_err(), "nor can it be published");
}

// Anything else.

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to the bytes: they are refused, or they say the same.
    #[test]
    fn no_mutation_is_adopted_with_other_contents(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let (anchor, bytes, good) = &*WHOLE;
        let mut mutated = bytes.clone();
        for (at, byte, kind) in &edits {
            let at = at.index(mutated.len());
            match kind {
                0 => mutated[at] = *byte,
                1 => mutated.insert(at, *byte),
                2 => drop(mutated.remove(at)),
                // A likelier mistake than a random byte: another digit or letter of what is there.
                _ => mutated[at] = mutated[at].wrapping_add(1),
            }
        }
        let verified = RUNTIME.block_on(verify_again(&mutated, anchor));
        if let Ok(verified) = verified {
            prop_assert_eq!(&verified, good);
        }
    }
}

/// `PROPTEST_CASES=1000000` for the long run.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> =
    std::sync::LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

static WHOLE: std::sync::LazyLock<(Anchor, Vec<u8>, Verified)> = std::sync::LazyLock::new(|| {
    RUNTIME.block_on(async {
        let acme = Organisation::new("acme").await;
        let bytes = serde_json::to_vec(&acme.publish(edition(1)).await).unwrap();
        let good = verify_again(&bytes, &acme.anchor()).await.unwrap();
        (acme.anchor(), bytes, good)
    })
});
