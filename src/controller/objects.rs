//! The objects as the watches last saw them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;

use super::ObjectKey;
use crate::api::{AIPlatform, Network};
use crate::features::network::sharing;
use crate::lookup;
use crate::resource::Kind;
use crate::resource_version::is_later;

/// An object, or what does not fit this version of the definition.
pub(super) type Object = DeserializeGuard<AIPlatform>;

/// The objects of all watches.
#[derive(Default)]
pub(super) struct Objects {
    known: HashMap<ObjectKey, Known>,
    /// The objects that each watch that is starting over has seen so far.
    starting: HashMap<usize, HashSet<ObjectKey>>,
    /// Objects that share a network with one that has changed in what concerns them.
    concerned: HashSet<ObjectKey>,
}

struct Known {
    watch: usize,
    object: Arc<Object>,
}

/// The meaning of a watch event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WatchChange {
    /// This object is new or another.
    Changed(ObjectKey),
    /// These are gone, with their UIDs.
    Removed(Vec<(ObjectKey, String)>),
    /// Nothing.
    None,
}

impl Objects {
    /// The object as it was last seen.
    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.known.get(key).map(|known| &known.object)
    }

    /// The objects that could be decoded.
    pub(super) fn platforms(&self) -> impl Iterator<Item = (&ObjectKey, &AIPlatform)> {
        self.known.iter().filter_map(|(key, known)| Some((key, known.object.0.as_ref().ok()?)))
    }

    /// The network of a platform: that of the platform it borrows it from, where that is known here.
    pub(super) fn network_of<'a>(&'a self, object: &'a AIPlatform) -> Option<&'a Network> {
        let own = object.spec.network.as_ref()?;
        let lender = own.from.as_ref().and_then(|from| {
            let key = ObjectKey { namespace: from.namespace.clone(), name: from.name.clone() };
            self.get(&key)?.0.as_ref().ok()
        });
        lender.and_then(|lender| lender.spec.network.as_ref()).or(Some(own))
    }

    /// The objects to which it matters whether the cluster serves the API of a kind.
    pub(super) fn depending_on(&self, kind: Kind) -> Vec<ObjectKey> {
        let depends = |known: &Known| known.object.0.as_ref().is_ok_and(|object| lookup::depends_on(object, kind));
        self.known.iter().filter(|(_, known)| depends(known)).map(|(key, _)| key.clone()).collect()
    }

    /// The objects that have resources of a kind, as their statuses say.
    pub(super) fn having(&self, kind: Kind) -> Vec<ObjectKey> {
        let has = |known: &Known| {
            let status = known.object.0.as_ref().ok().and_then(|object| object.status.as_ref());
            status.is_some_and(|status| status.resources.iter().any(|resource| resource.kind == kind.name()))
        };
        self.known.iter().filter(|(_, known)| has(known)).map(|(key, _)| key.clone()).collect()
    }

    /// Takes an event of one of the watches.
    pub(super) fn take(&mut self, watch: usize, event: Event<Object>) -> WatchChange {
        match event {
            Event::Init => {
                self.starting.insert(watch, HashSet::new());
                WatchChange::None
            }
            Event::InitApply(object) | Event::Apply(object) => {
                let key = ObjectKey::of(object.meta());
                if let Some(seen) = self.starting.get_mut(&watch) {
                    seen.insert(key.clone());
                }
                if self.store(watch, &key, object) { WatchChange::Changed(key) } else { WatchChange::None }
            }
            Event::InitDone => {
                let Some(seen) = self.starting.remove(&watch) else { return WatchChange::None };
                let is_gone = |key: &ObjectKey, known: &Known| known.watch == watch && !seen.contains(key);
                let gone: Vec<ObjectKey> =
                    self.known.iter().filter(|(key, known)| is_gone(key, known)).map(|(key, _)| key.clone()).collect();
                WatchChange::Removed(gone.into_iter().filter_map(|key| self.remove(key)).collect())
            }
            Event::Delete(object) => {
                let key = ObjectKey::of(object.meta());
                WatchChange::Removed(self.remove(key).into_iter().collect())
            }
        }
    }

    /// Takes an object as our own write left it, which the watch reports later. Another one of its name stays.
    pub(super) fn written(&mut self, key: &ObjectKey, object: AIPlatform) {
        let is_known = |known: &&Known| known.object.meta().uid == object.metadata.uid;
        if let Some(known) = self.known.get(key).filter(is_known) {
            let watch = known.watch;
            self.store(watch, key, DeserializeGuard(Ok(object)));
        }
    }

    /// The objects that share a network with one that has changed in what concerns them, once.
    pub(super) fn take_concerned(&mut self) -> HashSet<ObjectKey> {
        std::mem::take(&mut self.concerned)
    }

    /// Takes note of who shares a network with an object, before and after it changed.
    fn concern(&mut self, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) {
        let part = |object: Option<&Object>| object.and_then(|it| it.0.as_ref().ok()).and_then(sharing::outline);
        if part(before) == part(after) {
            return;
        }
        let lenders = |object: &Object| -> Vec<ObjectKey> {
            let lenders = object.0.as_ref().ok().map(sharing::lenders).unwrap_or_default();
            lenders.iter().map(ObjectKey::from).collect()
        };
        let owners = [before, after].into_iter().flatten().flat_map(lenders);
        let borrowers = self.known.iter().filter(|(_, known)| lenders(&known.object).contains(key));
        let concerned = owners.chain(borrowers.map(|(other, _)| other.clone()));
        self.concerned.extend(concerned.filter(|other| other != key));
    }

    /// Keeps the object, unless a later state of it is known.
    fn store(&mut self, watch: usize, key: &ObjectKey, object: Object) -> bool {
        if let Some(known) = self.known.get(key) {
            let (before, now) = (known.object.meta(), object.meta());
            let version = now.resource_version.as_deref();
            if before.uid == now.uid && !is_later(version, before.resource_version.as_deref()) {
                // A version that is reported again is passed on to the caller, which knows whether it matters.
                return before.resource_version == now.resource_version;
            }
        }
        let object = Arc::new(object);
        let before = self.known.insert(key.clone(), Known { watch, object: Arc::clone(&object) });
        self.concern(key, before.as_ref().map(|known| &*known.object), Some(&object));
        true
    }

    fn remove(&mut self, key: ObjectKey) -> Option<(ObjectKey, String)> {
        let known = self.known.remove(&key)?;
        self.concern(&key, Some(&known.object), None);
        Some((key, known.object.meta().uid.clone().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with_buckets;

    fn object(name: &str, uid: &str, version: &str) -> Object {
        let mut object = with_buckets(serde_json::json!([]));
        object.metadata.name = Some(name.into());
        object.metadata.uid = Some(uid.into());
        object.metadata.resource_version = Some(version.into());
        DeserializeGuard(Ok(object))
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "support".into(), name: name.into() }
    }

    fn version(objects: &Objects, name: &str) -> Option<String> {
        objects.get(&key(name)).and_then(|object| object.meta().resource_version.clone())
    }

    #[test]
    fn what_the_watch_reports_late_does_not_hide_our_own_write() {
        let mut objects = Objects::default();
        objects.take(0, Event::Apply(object("a", "u", "9")));
        let DeserializeGuard(Ok(written)) = object("a", "u", "11") else { panic!() };
        objects.written(&key("a"), written);
        assert_eq!(objects.take(0, Event::Apply(object("a", "u", "10"))), WatchChange::None);
        assert_eq!(version(&objects, "a").as_deref(), Some("11"));
        assert_eq!(objects.take(0, Event::Apply(object("a", "u", "11"))), WatchChange::Changed(key("a")));
        assert_eq!(objects.take(0, Event::Apply(object("a", "another", "5"))), WatchChange::Changed(key("a")));
        assert_eq!(version(&objects, "a").as_deref(), Some("5"), "made anew");
        let DeserializeGuard(Ok(late)) = object("a", "u", "12") else { panic!() };
        objects.written(&key("a"), late);
        assert_eq!(version(&objects, "a").as_deref(), Some("5"), "a late write to the one before");
    }

    #[test]
    fn a_borrowed_network_is_that_of_its_lender_where_it_is_known() {
        let with_network = |name: &str, network: serde_json::Value| {
            let DeserializeGuard(Ok(mut object)) = object(name, name, "1") else { panic!() };
            object.spec.network = Some(serde_json::from_value(network).unwrap());
            object
        };
        let lender = with_network("lender", serde_json::json!({"vpcId": "vpc-1", "subnetIds": ["subnet-1"]}));
        let borrower =
            with_network("borrower", serde_json::json!({"from": {"namespace": "support", "name": "lender"}}));
        let mut objects = Objects::default();
        let vpc = |objects: &Objects, object: &AIPlatform| objects.network_of(object)?.vpc_id.clone();
        assert_eq!(vpc(&objects, &lender).as_deref(), Some("vpc-1"));
        assert_eq!(objects.network_of(&borrower), borrower.spec.network.as_ref(), "another shard has the lender");
        objects.take(0, Event::Apply(DeserializeGuard(Ok(lender))));
        assert_eq!(vpc(&objects, &borrower).as_deref(), Some("vpc-1"));
    }

    #[test]
    fn a_watch_that_starts_over_reports_what_is_gone_and_only_of_its_own() {
        let mut objects = Objects::default();
        for name in ["a", "b"] {
            objects.take(0, Event::Apply(object(name, name, "1")));
        }
        objects.take(1, Event::Apply(object("c", "c", "1")));
        assert_eq!(objects.take(0, Event::Init), WatchChange::None);
        objects.take(0, Event::InitApply(object("b", "b", "2")));
        assert_eq!(objects.take(0, Event::InitDone), WatchChange::Removed(vec![(key("a"), "a".into())]));
        assert!(objects.get(&key("b")).is_some() && objects.get(&key("c")).is_some());
        assert_eq!(
            objects.take(1, Event::Delete(object("c", "c", "3"))),
            WatchChange::Removed(vec![(key("c"), "c".into())])
        );
    }
}
