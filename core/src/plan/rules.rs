//! Rules of planning that a feature adds for its own kinds. They are data, so that the plan itself knows no kind.

use std::collections::BTreeMap;

use super::{Action, Intent, Plan, Refusal, Step};
use crate::api::status::ModelStatus;
use crate::failure::Error;
use crate::features::RULES;
use crate::outcome::Outcomes;
use crate::resource::{Desired, Key, Observations, Observed, Resource};

/// The rules of one feature.
pub struct Rules {
    /// Adjusts what is desired to what is there.
    pub adjust: fn(Vec<Desired>, &Observations, &Intent) -> Adjusted,
    /// Makes a function that refines the step for a desired resource, once for each plan.
    pub refine: for<'a> fn(&'a [Desired], &'a Observations, &'a Intent) -> Refine<'a>,
    /// The reason for which something stays that is no longer desired.
    pub retain: fn(&Key, &[Desired], &Observations) -> Option<String>,
    /// True when the first goes after the second, although the fields of the second do not name it.
    pub outlives: fn(&Key, &Key) -> bool,
    /// Resources that, as they were observed, still rely on something that is to be deleted: it goes once a read shows
    /// that they no longer do.
    pub held_by: fn(&Key, &Observed, &Observations) -> Vec<Key>,
    /// The preparation of something that is no longer desired for its end.
    pub before_end: fn(&End) -> Option<BeforeEnd>,
    /// The replacements of something that is deleted, which have to be there before.
    pub replacements: fn(&Observed, &[Desired]) -> Vec<Key>,
    /// The reason for which the deletion of something in a transition has to wait, besides the transition itself.
    pub busy: fn(&Observed) -> Option<&'static str>,
    /// Writes that were denied until somebody acts, for which other things were taken off: the next plan knows of them
    /// and puts those back.
    pub denied: fn(&Plan, &Outcomes) -> BTreeMap<Key, Refusal>,
    /// The status of a model that the feature serves, after a pass.
    pub model: fn(&ModelStatus, &Plan, &Outcomes) -> Option<ModelStatus>,
    /// Remarks about a plan as a whole, such as what it comes to: they follow its summary in text.
    pub remarks: fn(&Plan) -> Vec<String>,
}

/// The end of something that is no longer desired.
pub struct End<'a> {
    /// The resource.
    pub key: &'a Key,
    /// The resource as it was observed.
    pub observed: &'a Observed,
    /// The way in which it ends.
    pub action: &'a Action,
    /// Everything that was observed.
    pub observations: &'a Observations,
    /// The intent of the object.
    pub intent: &'a Intent,
}

/// The preparation of something for its end.
pub enum BeforeEnd {
    /// This field is written first, as it is in the resource; and a remark that says why.
    Update(Box<Resource>, &'static str, String),
    /// It could not be read whether something has to be done.
    Unreadable(Error),
}

/// The desired resources, adjusted to what is there.
#[derive(Default)]
pub struct Adjusted {
    /// The desired resources.
    pub desired: Vec<Desired>,
    /// Resources that are held back from what is declared, with the reason.
    pub held_back: BTreeMap<Key, Refusal>,
}

impl From<Vec<Desired>> for Adjusted {
    fn from(desired: Vec<Desired>) -> Self {
        Self { desired, held_back: BTreeMap::new() }
    }
}

/// A function that refines steps.
pub type Refine<'a> = Box<dyn Fn(Step) -> Refined + 'a>;

/// A step as it is to be taken, after others that it makes necessary.
pub struct Refined {
    /// Steps for other resources, to be taken before.
    pub before: Vec<Step>,
    /// The step.
    pub step: Step,
}

impl Rules {
    /// No rules: what a feature does not name.
    pub const NONE: Self = Self {
        adjust: |desired, _, _| Adjusted::from(desired),
        refine: |_, _, _| Box::new(|step| Refined { before: Vec::new(), step }),
        retain: |_, _, _| None,
        outlives: |_, _| false,
        held_by: |_, _, _| Vec::new(),
        before_end: |_| None,
        replacements: |_, _| Vec::new(),
        busy: |_| None,
        denied: |_, _| BTreeMap::new(),
        model: |_, _, _| None,
        remarks: |_| Vec::new(),
    };
}

/// The desired resources, adjusted by every feature.
pub(super) fn adjusted(desired: &[Desired], observations: &Observations, intent: &Intent) -> Adjusted {
    RULES.iter().fold(Adjusted::from(desired.to_vec()), |Adjusted { desired, mut held_back }, rules| {
        let adjusted = (rules.adjust)(desired, observations, intent);
        held_back.extend(adjusted.held_back);
        Adjusted { desired: adjusted.desired, held_back }
    })
}

/// The refinements of every feature, one after the other.
pub(super) fn refine<'a>(desired: &'a [Desired], observations: &'a Observations, intent: &'a Intent) -> Refine<'a> {
    let refinements: Vec<Refine> = RULES.iter().map(|rules| (rules.refine)(desired, observations, intent)).collect();
    Box::new(move |step| {
        refinements.iter().fold(Refined { before: Vec::new(), step }, |Refined { mut before, step }, refine| {
            let refined = refine(step);
            before.extend(refined.before);
            Refined { before, step: refined.step }
        })
    })
}

pub(super) fn retain(key: &Key, desired: &[Desired], observations: &Observations) -> Option<String> {
    RULES.iter().find_map(|rules| (rules.retain)(key, desired, observations))
}

pub(super) fn outlives(key: &Key, other: &Key) -> bool {
    RULES.iter().any(|rules| (rules.outlives)(key, other))
}

pub(super) fn held_by(key: &Key, observed: &Observed, observations: &Observations) -> Vec<Key> {
    RULES.iter().flat_map(|rules| (rules.held_by)(key, observed, observations)).collect()
}

pub(super) fn before_end(end: &End) -> Option<BeforeEnd> {
    RULES.iter().find_map(|rules| (rules.before_end)(end))
}

pub(super) fn replacements(observed: &Observed, desired: &[Desired]) -> Vec<Key> {
    RULES.iter().flat_map(|rules| (rules.replacements)(observed, desired)).collect()
}

pub(super) fn busy(observed: &Observed) -> Option<&'static str> {
    RULES.iter().find_map(|rules| (rules.busy)(observed))
}

/// Writes that were denied until somebody acts, of every feature.
#[must_use]
pub fn denied(plan: &Plan, outcomes: &Outcomes) -> BTreeMap<Key, Refusal> {
    RULES.iter().flat_map(|rules| (rules.denied)(plan, outcomes)).collect()
}

/// The status of a model after a pass, by the feature that serves it.
pub(crate) fn model(model: &ModelStatus, plan: &Plan, outcomes: &Outcomes) -> Option<ModelStatus> {
    RULES.iter().find_map(|rules| (rules.model)(model, plan, outcomes))
}

/// The remarks of every feature about a plan as a whole.
pub(crate) fn remarks(plan: &Plan) -> Vec<String> {
    RULES.iter().flat_map(|rules| (rules.remarks)(plan)).collect()
}
