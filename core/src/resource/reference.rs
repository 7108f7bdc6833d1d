//! References to resources whose ids AWS chooses. Until such a resource is made, its id can be asked for and not be known.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Desired, Key, Observations, Owner};

/// The text that stands for an id which AWS has not chosen yet.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// A reference to a resource by the id that AWS chose for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The id, where it is known.
    pub id: Option<String>,
    /// The resource, where it is one that the platform makes.
    pub key: Option<Key>,
}

impl Reference {
    /// A reference to something that is there already, such as a group that a spec names.
    #[must_use]
    pub fn known(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), key: None }
    }

    /// A reference to a resource of the platform.
    #[must_use]
    pub fn of(key: Key) -> Self {
        Self { id: None, key: Some(key) }
    }

    /// The id as people read it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.id.as_deref().unwrap_or(KNOWN_AFTER_APPLY)
    }

    /// Takes the id of the resource, where it is known by now.
    pub fn resolve(&mut self, id_of: impl Fn(&Key) -> Option<String>) {
        if self.id.is_none() {
            self.id = self.key.as_ref().and_then(id_of);
        }
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// Names the resources behind the ids in what was observed, so that the order of deletion is known.
pub fn link(observations: &mut Observations) {
    let keys: BTreeMap<String, Key> =
        observations.iter().filter_map(|(key, observed)| Some((observed.id.clone()?, key.clone()))).collect();
    for observed in observations.values_mut() {
        let Some(resource) = &mut observed.resource else { continue };
        resource.resolve(&mut |reference| reference.key = reference.id.as_ref().and_then(|id| keys.get(id)).cloned());
    }
}

/// The desired resources, with the ids of what is there already and the platform's own.
#[must_use]
pub fn resolved(mut desired: Vec<Desired>, observations: &Observations) -> Vec<Desired> {
    let id_of = |key: &Key| {
        let observed = observations.get(key)?;
        observed.id.clone().filter(|_| observed.owner == Owner::Ours)
    };
    for item in &mut desired {
        item.resource.resolve(&mut |reference| reference.resolve(id_of));
    }
    desired
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    fn group() -> Key {
        Key { kind: Kind::SecurityGroup, name: "endpoints".into() }
    }

    #[test]
    fn an_id_that_is_not_chosen_yet_prints_as_such_and_is_taken_once_it_is() {
        let mut reference = Reference::of(group());
        assert_eq!(serde_json::to_value(&reference).unwrap(), "(known after apply)");
        reference.resolve(|_| None);
        assert_eq!(reference.id, None);
        reference.resolve(|key| (*key == group()).then(|| "sg-1".into()));
        assert_eq!(serde_json::to_value(&reference).unwrap(), "sg-1");
        reference.resolve(|_| Some("sg-2".into()));
        assert_eq!(reference.text(), "sg-1");
    }
}
