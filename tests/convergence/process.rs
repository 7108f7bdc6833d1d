//! What the operator remembers of an object from pass to pass, as its controller has it. A crash loses it.

use std::collections::BTreeMap;

use aiplatform::api::{AIPlatform, RECONCILE_AT};
use aiplatform::plan::Refusal;
use aiplatform::propagation::RoleWrites;
use aiplatform::recollection::{Occasion, Past, Recollection, Seen};
use aiplatform::reconcile::Pass;
use aiplatform::repeats::Repeats;
use aiplatform::resource::{Key, Observations};
use aiplatform::schedule::Next;
use jiff::Timestamp;
use kube::ResourceExt;

#[derive(Default)]
pub struct Process {
    repeats: Repeats,
    recollection: Recollection,
    last: Option<Next>,
    asked: Option<(Option<i64>, Option<String>)>,
    denied: BTreeMap<Key, Refusal>,
    role_writes: RoleWrites,
    /// A new wish that no pass has looked at yet.
    anew: bool,
}

impl Process {
    /// What a pass is told of those before.
    pub fn past(&mut self, object: &AIPlatform, now: Timestamp) -> Past {
        let asked = Some((object.metadata.generation, object.annotations().get(RECONCILE_AT).cloned()));
        if self.asked != asked {
            self.repeats.clear();
            (self.asked, self.anew) = (asked, true);
        }
        let occasion = if self.anew { Occasion::Asked } else { Occasion::after(self.last) };
        let recalled = self.recollection.recall(occasion, now);
        let denied = std::mem::take(&mut self.denied);
        let (repeats, role_writes) = (self.repeats.clone(), self.role_writes.clone());
        Past { repeats, recalled, thorough: occasion == Occasion::Asked, denied, role_writes }
    }

    /// Takes note of what a pass saw and did.
    pub fn record(&mut self, pass: &Pass, recalled: &Observations, now: Timestamp) {
        let Pass { plan, outcomes, observations, next, .. } = pass;
        self.recollection.record(&Seen { plan, outcomes, observations, recalled }, *next, now);
        self.repeats.record(plan, outcomes);
        self.role_writes.record(plan, outcomes, now);
        self.denied.clone_from(&pass.denied);
        self.last = Some(*next);
        self.anew &= plan.steps.is_empty();
    }
}
