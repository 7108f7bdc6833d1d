//! Application Auto Scaling: what it does to endpoints.

use aiplatform::failure::Class;
use aiplatform::kind::Listed;
use aiplatform::resource::endpoint::Status;
use aiplatform::resource::scaling::{Bounds, ScalableResource, field};
use aiplatform::resource::{Endpoint, Key, Resource, ScalableTarget, ScheduledAction};

use super::{FakeCloud, Stored};

impl FakeCloud {
    /// What of an endpoint is scaled.
    pub fn target(&self, scaled: &ScalableResource) -> Option<&ScalableTarget> {
        self.get(&scaled.key().name)
    }

    /// The target of an endpoint that is in service, and whose capacity comes within bounds.
    pub(super) fn register(&mut self, scaled: &ScalableResource, bounds: Bounds) -> Result<(), Class> {
        let endpoint = self.serving(scaled.endpoint()).ok_or(Class::Conflict)?;
        if endpoint.status != Status::InService {
            return Err(Class::Conflict);
        }
        let capacity = endpoint.running.as_ref().expect("what is in service runs").desired;
        let within = capacity.clamp(bounds.min_capacity, bounds.max_capacity);
        if within == capacity { Ok(()) } else { self.scale(scaled.endpoint(), within) }
    }

    /// Other bounds of a target.
    pub(super) fn change_bounds(&mut self, desired: &Resource, fields: &[&str]) -> Result<(), Class> {
        let Some(target) = ScalableTarget::of(desired) else { return Ok(()) };
        let differ = field::BOUNDS.iter().any(|bound| fields.contains(bound));
        if differ { self.register(&target.scaled, target.bounds) } else { Ok(()) }
    }

    /// The time of a scheduled action comes.
    pub fn fire(&mut self, scaled: &ScalableResource, action: &str) -> Result<(), Class> {
        let action: &ScheduledAction = self.get(&format!("{}/{action}", scaled.endpoint())).ok_or(Class::NotFound)?;
        let target = self.target(scaled).ok_or(Class::NotFound)?;
        let bounds = Bounds {
            min_capacity: action.min_capacity.unwrap_or(target.bounds.min_capacity),
            max_capacity: action.max_capacity.unwrap_or(target.bounds.max_capacity),
        };
        self.register(scaled, bounds)?;
        self.change::<ScalableTarget>(&scaled.key().name, |target| target.bounds = bounds);
        Ok(())
    }

    /// Targets vanish with their endpoint.
    pub(super) fn forget_targets(&mut self, endpoint: &str) {
        let endpoint = Endpoint::key_of(endpoint);
        let scales = |stored: &Stored| {
            stored.resource.kind() == ScalableTarget::KIND && stored.resource.needs().contains(&endpoint)
        };
        let gone: Vec<Key> =
            self.resources.iter().filter(|(_, stored)| scales(stored)).map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.remove(key);
        }
    }
}
