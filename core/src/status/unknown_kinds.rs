//! Resources that a later version of the operator made and this one has no kind for. They are carried through every
//! write of the status and hold the finalizer, or nobody would ever take them away.

use super::{Phase, Summary, VERSION};
use crate::api::status::{AIPlatformStatus, ResourceStatus};
use crate::resource::Kind;
use crate::schedule::Next;

/// The resources of a status whose kinds this version does not know.
pub fn of_unknown_kinds(status: Option<&AIPlatformStatus>) -> impl Iterator<Item = &ResourceStatus> {
    let resources = status.map(|status| status.resources.as_slice()).unwrap_or_default();
    resources.iter().filter(|resource| Kind::named(&resource.kind).is_none())
}

/// The version that stands in the status: that of the writer, unless a later one knew of more.
pub(super) fn written_by(before: &AIPlatformStatus) -> Option<String> {
    let is_ours = of_unknown_kinds(Some(before)).next().is_none();
    if is_ours { Some(VERSION.into()) } else { before.written_by.clone() }
}

/// A message about such resources, which keep an object from being ready.
pub(super) struct UnknownKinds(String);

pub(super) fn unknown_kinds(before: &AIPlatformStatus, deleting: bool) -> Option<UnknownKinds> {
    /// The most that are named.
    const NAMED: usize = 3;
    let unknown: Vec<String> =
        of_unknown_kinds(Some(before)).map(|resource| format!("{} {}", resource.kind, resource.name)).collect();
    if unknown.is_empty() {
        return None;
    }
    let more = unknown.len().saturating_sub(NAMED);
    let named = unknown.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    let named = if more == 0 { named } else { format!("{named} and {more} more") };
    let writer = match &before.written_by {
        Some(version) => format!("version {version} made them: run that version or a later one"),
        None => "a later version made them: run that version".into(),
    };
    let until = if deleting {
        "; the object stays until they are deleted (deletionPolicy Retain lets it go and leaves them)"
    } else {
        ""
    };
    Some(UnknownKinds(format!(
        "{named}: version {VERSION} of the operator does not know this kind of resource; {writer}{until}"
    )))
}

impl UnknownKinds {
    /// The summary of an object with such resources, unless something else is worse. All other work goes on.
    pub(super) fn add_to(self, summary: Summary) -> Summary {
        if summary.stalled {
            return Summary { message: format!("{}; {}", summary.message, self.0), ..summary };
        }
        let is_at_rest = matches!(summary.next, Next::Resync | Next::Never);
        // The deletion of all else has come to its end.
        let is_last = summary.phase == Phase::Deleting && summary.next == Next::Now;
        if is_at_rest || is_last {
            return Summary::stalled("UnknownKind", self.0);
        }
        let message = format!("{}; {}", self.0, summary.message);
        Summary { next: summary.next, ..Summary::stalled("UnknownKind", message) }
    }
}
