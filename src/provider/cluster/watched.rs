//! The versions of objects as the watches last saw them, and what was read of those versions: what nobody wrote to since it
//! was read is not read again, what the watch has shown as a whole need not be read, and what is not there need not be read
//! before it is made.
//!
//! A watch may be late by a moment, and wakes the platform when it is not any more. While one is not established or does
//! not work, nothing is known by it, and each pass reads.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;

use super::outage::Outage;
use super::served::Served;
use crate::resource::{Key, Kind, Observed, ObservedState, Owner};
use crate::resource_version::is_later;

/// The objects of the kinds that are watched, and the APIs whose definitions are.
#[derive(Debug, Default)]
pub struct Watched {
    objects: Mutex<Objects>,
    /// The APIs that the cluster may lack.
    pub apis: Served,
}

#[derive(Debug, Default)]
struct Objects {
    versions: HashMap<Key, String>,
    read: HashMap<Key, Read>,
    /// Objects as their watch shows them, in JSON, until a pass sees them at rest.
    shown: HashMap<Key, Box<[u8]>>,
    /// Versions that the operator wrote and the watch has not shown yet.
    written: HashMap<Key, String>,
    /// The watches that have shown all that there is: a kind, in one namespace or in all.
    complete: HashSet<(Kind, Option<String>)>,
    /// The watches that failed.
    outages: HashMap<(Kind, Option<String>), Outage>,
    /// Objects that may be there although no watch shows them: they do not bear the label by which they are watched, or
    /// were made a moment ago.
    hidden: HashSet<Key>,
}

/// A reading of an object.
#[derive(Debug)]
struct Read {
    version: String,
    /// The owner tag of the platform for which it was read: to another one it is somebody else's.
    owner: String,
    observed: Observed,
}

impl Watched {
    /// The watch of a kind shows an object as it is now.
    pub fn changed(&self, kind: Kind, metadata: &ObjectMeta) {
        if let (Some(key), Some(version)) = (key(kind, metadata), metadata.resource_version.clone()) {
            let mut objects = self.objects();
            objects.hidden.remove(&key);
            if objects.written.get(&key).is_some_and(|written| !is_after(written, &version)) {
                objects.written.remove(&key);
            }
            objects.versions.insert(key, version);
        }
    }

    /// The watch of a kind shows all of an object as it is now.
    pub fn showed(&self, kind: Kind, object: &DynamicObject) {
        self.changed(kind, &object.metadata);
        if let (Some(key), Ok(text)) = (key(kind, &object.metadata), serde_json::to_vec(object)) {
            self.objects().shown.insert(key, text.into());
        }
    }

    /// The watch of a kind has shown all that there is in the namespace, or in all.
    pub fn completed(&self, kind: Kind, namespace: Option<&str>) {
        self.objects().complete.insert((kind, namespace.map(Into::into)));
    }

    /// The watch of a kind shows that an object is gone.
    pub fn deleted(&self, kind: Kind, metadata: &ObjectMeta) {
        if let Some(key) = key(kind, metadata) {
            let mut objects = self.objects();
            objects.versions.remove(&key);
            objects.read.remove(&key);
            objects.shown.remove(&key);
            objects.written.remove(&key);
        }
    }

    /// The watch of a kind has failed, and goes on from where it was: until then nothing is known by it.
    pub fn failed(&self, kind: Kind, namespace: Option<&str>, at: Instant) {
        self.objects().outages.insert((kind, namespace.map(Into::into)), Outage::began(at));
    }

    /// The watch of a kind brings something.
    pub fn works(&self, kind: Kind, namespace: Option<&str>) {
        self.objects().outages.remove(&(kind, namespace.map(Into::into)));
    }

    /// The watch of a kind begins: what it showed of the namespace, or of all, may have changed.
    pub fn lost(&self, kind: Kind, namespace: Option<&str>) {
        let is_concerned = |key: &Key| {
            let of = key.name.split('/').next();
            key.kind == kind && (namespace.is_none() || namespace == of)
        };
        let mut objects = self.objects();
        objects.versions.retain(|key, _| !is_concerned(key));
        objects.read.retain(|key, _| !is_concerned(key));
        objects.shown.retain(|key, _| !is_concerned(key));
        objects.written.retain(|key, _| !is_concerned(key));
        objects.complete.remove(&(kind, namespace.map(Into::into)));
    }

    /// True where a complete watch does not show the object, and nothing else speaks for it. Somebody's object without the
    /// label by which a kind is watched may have the name all the same, which a creation finds out.
    #[must_use]
    pub fn is_absent(&self, key: &Key) -> bool {
        let objects = self.objects();
        let is_complete = watches_of(key).iter().any(|watch| objects.complete.contains(watch));
        is_complete && objects.works(key) && !objects.versions.contains_key(key) && !objects.hidden.contains(key)
    }

    /// Notes whether a read has found an object, which a watch may not show.
    pub fn found(&self, key: &Key, is_there: bool) {
        let mut objects = self.objects();
        if is_there && !objects.versions.contains_key(key) {
            objects.hidden.insert(key.clone());
        } else {
            objects.hidden.remove(key);
        }
    }

    /// The reading of an object for the platform with this owner tag, where the watch shows that nobody has written to it
    /// since.
    #[must_use]
    pub fn known(&self, key: &Key, owner: &str) -> Option<Observed> {
        let objects = self.objects();
        let read = objects.read.get(key).filter(|read| read.owner == owner)?;
        (*objects.versions.get(key)? == read.version && objects.works(key)).then(|| read.observed.clone())
    }

    /// An object as its watch shows it, where it shows all of it and every write of ours.
    #[must_use]
    pub fn shown(&self, key: &Key) -> Option<DynamicObject> {
        let objects = self.objects();
        let text = objects.shown.get(key).filter(|_| !objects.written.contains_key(key) && objects.works(key))?;
        serde_json::from_slice(text).ok()
    }

    /// Remembers what was read of this version of an object for the platform with this owner tag. Only what is ours and at rest, and of which nothing is
    /// beneath it, is as it was read until somebody writes to it.
    pub fn remember(
        &self,
        key: &Key,
        (owner, version): (&str, Option<String>),
        observed: &Observed,
        has_beneath: bool,
    ) {
        let is_at_rest = matches!(observed.state, ObservedState::Ready) && observed.unknown.is_empty() && !has_beneath;
        let is_ours = matches!(observed.owner, Owner::Ours);
        let mut objects = self.objects();
        match version {
            Some(version) if is_at_rest && is_ours => {
                if objects.versions.get(key) == Some(&version) {
                    objects.shown.remove(key);
                }
                let read = Read { version, owner: owner.into(), observed: observed.clone() };
                objects.read.insert(key.clone(), read);
            }
            _ if objects.read.get(key).is_some_and(|read| read.owner != owner) => {}
            _ => {
                objects.read.remove(key);
            }
        }
    }

    /// Forgets what was read of an object that is written to. Until its watch shows it or a read finds nothing, it may be
    /// there.
    pub fn forget(&self, key: &Key) {
        let mut objects = self.objects();
        objects.read.remove(key);
        objects.shown.remove(key);
        objects.hidden.insert(key.clone());
    }

    /// Takes note of the version that the operator has written: what the watch shows from before is out of date.
    pub fn wrote(&self, key: &Key, version: Option<String>) {
        let Some(written) = version else { return };
        let mut objects = self.objects();
        if objects.versions.get(key).is_none_or(|latest| is_after(&written, latest)) {
            objects.shown.remove(key);
            objects.written.insert(key.clone(), written);
        }
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    /// True unless the watch that shows the object has failed a moment ago.
    fn works(&self, key: &Key) -> bool {
        let outages = watches_of(key).map(|watch| self.outages.get(&watch).copied().unwrap_or_default());
        !outages.iter().any(|outage| outage.lasts(Instant::now()))
    }
}

/// The watches that may show an object: that of all namespaces, and that of its own.
fn watches_of(key: &Key) -> [(Kind, Option<String>); 2] {
    [(key.kind, None), (key.kind, key.name.split('/').next().map(Into::into))]
}

fn is_after(version: &str, than: &str) -> bool {
    is_later(Some(version), Some(than))
}

fn key(kind: Kind, metadata: &ObjectMeta) -> Option<Key> {
    let (namespace, name) = (metadata.namespace.as_deref()?, metadata.name.as_deref()?);
    Some(Key { kind, name: format!("{namespace}/{name}") })
}

#[cfg(test)]
mod tests {
    use super::super::outage::SILENCE;
    use super::*;

    /// The owner tag of the platform for which objects are read.
    const OWNER: &str = "aiplatform/test/n/a";

    fn metadata(namespace: &str, version: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some(namespace.into()),
            name: Some("a".into()),
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        }
    }

    fn settled() -> Observed {
        Observed { state: ObservedState::Ready, owner: Owner::Ours, ..Observed::absent() }
    }

    #[test]
    fn what_was_read_holds_until_somebody_writes_or_the_watch_is_lost() {
        let watched = Watched::default();
        let key = Key { kind: Kind::ConfigMap, name: "n/a".into() };
        watched.remember(&key, (OWNER, Some("1".into())), &settled(), false);
        assert!(watched.known(&key, OWNER).is_none(), "no watch has shown it yet");
        watched.changed(Kind::ConfigMap, &metadata("n", "1"));
        assert!(watched.known(&key, OWNER).is_some());
        watched.changed(Kind::ConfigMap, &metadata("n", "2"));
        assert!(watched.known(&key, OWNER).is_none(), "somebody wrote to it");
        watched.remember(&key, (OWNER, Some("2".into())), &settled(), false);
        assert!(watched.known(&key, OWNER).is_some());
        watched.lost(Kind::ConfigMap, Some("other"));
        watched.lost(Kind::Service, None);
        assert!(watched.known(&key, OWNER).is_some(), "another watch");
        for namespace in [Some("n"), None] {
            watched.changed(Kind::ConfigMap, &metadata("n", "2"));
            watched.remember(&key, (OWNER, Some("2".into())), &settled(), false);
            watched.lost(Kind::ConfigMap, namespace);
            assert!(watched.known(&key, OWNER).is_none(), "{namespace:?}");
        }
        watched.changed(Kind::ConfigMap, &metadata("n", "3"));
        watched.remember(&key, (OWNER, Some("3".into())), &settled(), false);
        watched.deleted(Kind::ConfigMap, &metadata("n", "3"));
        assert!(watched.known(&key, OWNER).is_none(), "it is gone");
    }

    #[test]
    fn what_was_read_for_one_platform_is_nothing_to_another() {
        let watched = Watched::default();
        let (key, other) = (Key { kind: Kind::Deployment, name: "n/a".into() }, "aiplatform/test/n/b");
        watched.changed(Kind::Deployment, &metadata("n", "1"));
        watched.remember(&key, (OWNER, Some("1".into())), &settled(), false);
        assert!(watched.known(&key, OWNER).is_some() && watched.known(&key, other).is_none());
        let theirs = Observed { owner: Owner::Theirs(OWNER.into()), ..settled() };
        watched.remember(&key, (other, Some("1".into())), &theirs, false);
        assert!(watched.known(&key, OWNER).is_some(), "another platform has looked at it");
    }

    #[test]
    fn only_what_is_ours_and_at_rest_is_remembered() {
        let watched = Watched::default();
        let known = |observed: &Observed, has_beneath: bool| {
            let key = Key { kind: Kind::Deployment, name: "n/a".into() };
            watched.changed(Kind::Deployment, &metadata("n", "1"));
            watched.remember(&key, (OWNER, Some("1".into())), observed, has_beneath);
            watched.known(&key, OWNER).is_some()
        };
        assert!(known(&settled(), false));
        assert!(!known(&Observed { owner: Owner::Nobody, ..settled() }, false));
        assert!(!known(&Observed { state: ObservedState::Progressing("why".into()), ..settled() }, false));
        assert!(!known(&settled(), true), "its pods say how it is");
    }

    #[test]
    fn what_a_complete_watch_does_not_show_is_not_there_unless_something_else_speaks_for_it() {
        let watched = Watched::default();
        let key = Key { kind: Kind::ConfigMap, name: "n/a".into() };
        assert!(!watched.is_absent(&key), "nothing was listed yet");
        watched.completed(Kind::ConfigMap, Some("other"));
        watched.completed(Kind::Service, None);
        assert!(!watched.is_absent(&key), "another watch");
        for namespace in [Some("n"), None] {
            watched.completed(Kind::ConfigMap, namespace);
            assert!(watched.is_absent(&key), "{namespace:?}");
            watched.found(&key, true);
            assert!(!watched.is_absent(&key), "it does not bear the label");
            watched.found(&key, false);
            watched.forget(&key);
            assert!(!watched.is_absent(&key), "it was made a moment ago");
            watched.changed(Kind::ConfigMap, &metadata("n", "1"));
            assert!(!watched.is_absent(&key), "it is there");
            watched.deleted(Kind::ConfigMap, &metadata("n", "1"));
            assert!(watched.is_absent(&key), "it is gone");
            watched.lost(Kind::ConfigMap, namespace);
            assert!(!watched.is_absent(&key), "the watch begins anew");
        }
    }

    fn deployment(version: &str) -> DynamicObject {
        DynamicObject { types: None, metadata: metadata("n", version), data: serde_json::json!({"spec": {}}) }
    }

    #[test]
    fn what_the_watch_shows_as_a_whole_stands_for_a_read_unless_it_lacks_a_write_of_ours() {
        let watched = Watched::default();
        let key = Key { kind: Kind::Deployment, name: "n/a".into() };
        let shown = || watched.shown(&key).and_then(|object| object.metadata.resource_version);
        watched.forget(&key);
        watched.wrote(&key, Some("10".into()));
        watched.showed(Kind::Deployment, &deployment("9"));
        assert_eq!(shown(), None, "it is from before the write");
        watched.showed(Kind::Deployment, &deployment("10"));
        assert_eq!(shown().as_deref(), Some("10"));
        watched.forget(&key);
        assert_eq!(shown(), None, "it is written to");
        watched.showed(Kind::Deployment, &deployment("12"));
        watched.wrote(&key, Some("11".into()));
        assert_eq!(shown().as_deref(), Some("12"), "the watch was faster than the answer");
        watched.remember(&key, (OWNER, Some("12".into())), &settled(), true);
        assert!(shown().is_some(), "it is not at rest");
        watched.remember(&key, (OWNER, Some("12".into())), &settled(), false);
        assert!(shown().is_none() && watched.known(&key, OWNER).is_some());
        watched.showed(Kind::Deployment, &deployment("13"));
        assert!(shown().is_some() && watched.known(&key, OWNER).is_none());
        watched.lost(Kind::Deployment, None);
        assert_eq!(shown(), None, "it may have changed");
    }

    #[test]
    fn while_a_watch_fails_nothing_is_known_by_it_and_afterwards_all_that_was() {
        let watched = Watched::default();
        let key = Key { kind: Kind::Deployment, name: "n/a".into() };
        let other = Key { kind: Kind::Deployment, name: "n/b".into() };
        watched.completed(Kind::Deployment, None);
        watched.showed(Kind::Deployment, &deployment("1"));
        let known = || [watched.shown(&key).is_some(), watched.known(&key, OWNER).is_some(), watched.is_absent(&other)];
        assert_eq!(known(), [true, false, true]);
        for namespace in [None, Some("n")] {
            watched.failed(Kind::Deployment, namespace, Instant::now());
            assert_eq!(known(), [false; 3], "{namespace:?}");
            watched.works(Kind::Deployment, namespace);
            assert_eq!(known(), [true, false, true]);
        }
        watched.remember(&key, (OWNER, Some("1".into())), &settled(), false);
        assert_eq!(known(), [false, true, true]);
        watched.failed(Kind::Deployment, None, Instant::now());
        assert_eq!(known(), [false; 3]);
        let before = Instant::now().checked_sub(SILENCE).unwrap();
        watched.failed(Kind::Deployment, None, before);
        assert_eq!(known(), [false, true, true], "nothing has failed since");
    }
}
