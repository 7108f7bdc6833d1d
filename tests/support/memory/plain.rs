//! Resources that are nothing but their fields: kinds without states of their own, of whatever sort.

use aiplatform::failure::Error;
use aiplatform::failures::Failures;
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::{Key, Kind, Observed, Owner, Resource};
use aiplatform::scope::Scope;

use super::{FakeCloud, Memory, owner};

impl FakeCloud {
    /// Who holds such a resource.
    pub(super) fn plain_holder(&self, key: &Key, ours: &str) -> Option<Owner> {
        self.plain.get(key).map(|resource| holder(resource, ours))
    }

    /// Everything of that sort, with who holds it.
    pub(super) fn plain_holders(&self, ours: &str) -> impl Iterator<Item = (Key, Owner)> {
        self.plain.iter().map(|(key, resource)| (key.clone(), holder(resource, ours)))
    }
}

impl Memory {
    pub(super) async fn observe_plain(&self, scope: &Scope, key: &Key) -> Result<Observed, Error> {
        let found =
            self.call(&action("Describe", key.kind), &key.name, |cloud| Ok(cloud.plain.get(key).cloned())).await?;
        Ok(found.map_or_else(Observed::absent, |resource| {
            let owner = holder(&resource, &scope.owner);
            Observed::present(resource, owner)
        }))
    }

    pub(super) async fn apply_plain(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let key = &step.key;
        match (&step.action, &step.desired) {
            (verb @ (Action::Create | Action::Update(_)), Some(desired)) => {
                self.write(scope, &action(verb.name(), key.kind), key, |cloud| {
                    cloud.plain.insert(key.clone(), desired.clone());
                    Ok(())
                })
                .await?;
                Ok(Applied::Ready)
            }
            (Action::Delete { .. }, _) => {
                self.write(scope, &action("Delete", key.kind), key, |cloud| {
                    cloud.plain.remove(key);
                    Ok(())
                })
                .await?;
                Ok(Applied::Gone)
            }
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

fn action(verb: &str, kind: Kind) -> String {
    format!("{verb}{kind}")
}

fn holder(resource: &Resource, ours: &str) -> Owner {
    resource.tags().map_or(Owner::Ours, |tags| owner(tags, ours))
}
