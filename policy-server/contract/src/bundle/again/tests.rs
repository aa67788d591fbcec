//! Whatever bundle there is: what passes in memory passes by the library's client, and says the same.

use super::super::{FORMAT, TargetFacts, verify_by_library};
use super::*;
use crate::signing::{Publication, RoleSpec, RootSpec, SigningKey, first_root, next_root, sign_repository};
use policy::Standing;
use proptest::prelude::*;
use std::sync::LazyLock;
use time::Duration;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// Bundles of one organisation over its life, and of another; of files of all of them every test is made.
static BUNDLES: LazyLock<(Anchor, Vec<Bundle>)> = LazyLock::new(|| RUNTIME.block_on(bundles()));

struct Signer {
    root: SigningKey,
    online: SigningKey,
    roots: Vec<Vec<u8>>,
}

impl Signer {
    async fn new() -> Self {
        let (root, online) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let first = first_root(&spec(&root, &online)).await.unwrap();
        Self { root, online, roots: vec![first] }
    }

    async fn rotate(&mut self) {
        self.online = SigningKey::generate().unwrap();
        let spec = spec(&self.root, &self.online);
        let next = next_root(self.roots.last().unwrap(), &spec.root.keys, &spec).await.unwrap();
        self.roots.push(next);
    }

    async fn publish(&self, version: u64, lasts: Duration) -> Bundle {
        let facts = TargetFacts { organisation: "acme".to_owned(), format: FORMAT, policy_version: version };
        let expires = OffsetDateTime::now_utc() + lasts;
        let publication = Publication {
            roots: &self.roots,
            keys: std::slice::from_ref(&self.online),
            policy_toml: &format!("# {version}\n"),
            standing: &Standing::default(),
            facts: &facts,
            version,
            timestamp_version: version,
            expires,
            timestamp_expires: expires,
        };
        sign_repository(&publication).await.unwrap()
    }
}

fn spec(root: &SigningKey, online: &SigningKey) -> RootSpec {
    let [targets, snapshot, timestamp] = [(); 3].map(|()| RoleSpec::of(online));
    let expires = OffsetDateTime::now_utc() + Duration::days(365);
    RootSpec { expires, root: RoleSpec::of(root), targets, snapshot, timestamp }
}

async fn bundles() -> (Anchor, Vec<Bundle>) {
    let (mut acme, other) = (Signer::new().await, Signer::new().await);
    let anchor = Anchor { organisation: "acme".to_owned(), root: acme.roots[0].clone() };
    let mut all = vec![acme.publish(1, Duration::days(9)).await, acme.publish(2, Duration::days(9)).await];
    all.push(acme.publish(2, Duration::days(-1)).await);
    all.push(other.publish(2, Duration::days(9)).await);
    acme.rotate().await;
    all.push(acme.publish(3, Duration::days(9)).await);
    (anchor, all)
}

fn by_library(bundle: &Bundle, anchor: &Anchor) -> Option<Verified> {
    RUNTIME.block_on(verify_by_library(bundle.clone(), anchor)).ok()
}

fn here(bundle: &Bundle, anchor: &Anchor) -> Option<Verified> {
    read(bundle, anchor, OffsetDateTime::now_utc())
}

#[test]
fn good_bundles_pass_without_the_librarys_client() {
    let (anchor, bundles) = &*BUNDLES;
    let passed = bundles.iter().map(|bundle| here(bundle, anchor).map(|verified| verified.policy_version));
    assert_eq!(passed.collect::<Vec<_>>(), [Some(1), Some(2), None, None, Some(3)]);
}

#[test]
fn nothing_passes_after_its_signatures_ran_out() {
    let (anchor, bundles) = &*BUNDLES;
    let expires = here(&bundles[1], anchor).unwrap().expires;
    assert!(read(&bundles[1], anchor, expires - Duration::SECOND).is_some());
    assert!(read(&bundles[1], anchor, expires).is_none());
}

#[test]
fn metadata_too_large_to_be_read_passes_nowhere() {
    let (anchor, bundles) = &*BUNDLES;
    let mut bundle = bundles[1].clone();
    let padded = format!("{}{}", bundle.files["metadata/timestamp.json"], " ".repeat(1024 * 1024));
    bundle.files.insert("metadata/timestamp.json".to_owned(), padded);
    assert_eq!((here(&bundle, anchor), by_library(&bundle, anchor)), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each file of one of the bundles, or none: the two agree.
    #[test]
    fn parts_of_several_bundles_pass_here_where_they_pass_there(
        base in 0..5_usize,
        exchanged in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize), 0..4),
    ) {
        let (anchor, bundles) = &*BUNDLES;
        let mut bundle = bundles[base].clone();
        let names: Vec<String> = bundles[4].files.keys().cloned().collect();
        for (name, from) in &exchanged {
            let name = name.get(&names);
            match bundles.get(*from).and_then(|other| other.files.get(name)) {
                Some(text) => bundle.files.insert(name.clone(), text.clone()),
                None => bundle.files.remove(name),
            };
        }
        prop_assert_eq!(here(&bundle, anchor), by_library(&bundle, anchor));
    }

    /// A byte here and there: what passes says what it said.
    #[test]
    fn a_file_that_was_altered_passes_here_only_where_it_passes_there(
        base in 0..5_usize,
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        put in prop::sample::select(vec![" ", "0", "1", "\"", "}", "{", ",\"x\":1", "a"]),
        taken in 0..2_usize,
    ) {
        let (anchor, bundles) = &*BUNDLES;
        let mut bundle = bundles[base].clone();
        let names: Vec<String> = bundle.files.keys().cloned().collect();
        let text = bundle.files.get_mut(file.get(&names)).unwrap();
        let at = at.index(text.len());
        text.replace_range(at..(at + taken).min(text.len()), put);
        if let Some(verified) = here(&bundle, anchor) {
            prop_assert_eq!(Some(verified), by_library(&bundle, anchor));
        }
    }
}
