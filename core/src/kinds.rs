//! The table of kinds: one line for each. Enumerations of what can be of any kind, and the ways to what is of one kind,
//! follow from it, so that no list of kinds stands anywhere else.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::features::endpoints::ConfigMap;
use crate::features::inference::{
    Deployment, HorizontalPodAutoscaler, NetworkPolicy, PodDisruptionBudget, PodMonitor, ScaledObject, Service,
};
use crate::features::network::{SecurityGroup, VpcEndpoint};
use crate::features::sagemaker::log_group::LogGroup;
use crate::kind::{Creation, Info, Listed, Managed};
use crate::policy::Policy;
use crate::resource::reference::Reference;
use crate::resource::{self, Key};
use crate::tags::Tags;

macro_rules! kinds {
    ($($kind:ident => $type:ty),* $(,)?) => {
        /// The kinds of resources, in the order in which people expect to read them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = concat!("See [`", stringify!($type), "`].")] $kind),*
        }

        /// A resource with the fields we manage, in one canonical form: what is desired and what is observed are the
        /// same type.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Resource {
            $(#[doc = concat!("See [`", stringify!($type), "`].")] $kind($type)),*
        }

        /// Facts observed about a resource besides the fields we manage.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Facts {
            $(#[doc = concat!("See [`", stringify!($type), "`].")] $kind(<$type as Managed>::Facts)),*
        }

        /// The parameters of a write besides the fields.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Write {
            $(#[doc = concat!("See [`", stringify!($type), "`].")] $kind(<$type as Managed>::Write)),*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The description of the kind.
            #[must_use]
            pub const fn info(self) -> &'static Info {
                match self { $(Self::$kind => const { &<$type as Managed>::INFO }),* }
            }
        }

        impl Resource {
            /// The kind of the resource.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind),* }
            }

            /// The name in AWS or the cluster.
            #[must_use]
            pub fn name(&self) -> String {
                match self { $(Self::$kind(it) => Managed::name(it)),* }
            }

            /// Resources that must be ready before it can be made, and may only go after it.
            #[must_use]
            pub fn needs(&self) -> Vec<Key> {
                match self { $(Self::$kind(it) => Managed::needs(it)),* }
            }

            /// Those of them that only one field needs, once the resource is there: by the field.
            #[must_use]
            pub fn field_needs(&self) -> Vec<(&'static str, Key)> {
                match self { $(Self::$kind(it) => Managed::field_needs(it)),* }
            }

            /// The VPC that it is in, of a kind that is looked for in more than the platform's own.
            #[must_use]
            pub fn vpc_id(&self) -> Option<&str> {
                match self { $(Self::$kind(it) => Managed::vpc_id(it)),* }
            }

            /// References to resources whose ids AWS chooses.
            #[must_use]
            pub fn references(&self) -> Vec<&Reference> {
                match self { $(Self::$kind(it) => Managed::references(it)),* }
            }

            /// Visits every such reference, to fill in what is known by now.
            pub fn resolve(&mut self, resolve: &mut dyn FnMut(&mut Reference)) {
                match self { $(Self::$kind(it) => Managed::resolve(it, resolve)),* }
            }

            /// The fields in the form that is compared.
            #[must_use]
            pub fn comparable(&self) -> Value {
                match self { $(Self::$kind(it) => Managed::comparable(it)),* }
            }

            /// The fields as they were observed and those that are desired, in the form in which the two are compared.
            #[must_use]
            pub fn compared(&self, desired: &Self) -> (Value, Value) {
                match (self, desired) {
                    $((Self::$kind(it), Self::$kind(desired)) => Managed::compared(it, desired),)*
                    _ => (self.comparable(), desired.comparable()),
                }
            }

            /// True where the call that makes it is refused if one of its name is there, and changes nothing then.
            #[must_use]
            pub fn is_refused_where_taken(&self) -> bool {
                let may_overwrite = match self { $(Self::$kind(it) => Managed::may_overwrite(it)),* };
                self.kind().info().creation == Creation::RefusedWhereTaken && !may_overwrite
            }

            /// The ARN, where it can be known before AWS says so.
            #[must_use]
            pub fn arn(&self) -> Option<String> {
                match self { $(Self::$kind(it) => Managed::arn(it)),* }
            }

            /// The tags, where the kind carries any.
            #[must_use]
            pub fn tags(&self) -> Option<&Tags> {
                match self { $(Self::$kind(it) => Managed::tags(it)),* }
            }

            /// Takes a part that is read hourly from an earlier observation, and returns whether it could.
            pub fn take_part(&mut self, part: &str, earlier: &Self) -> bool {
                match (self, earlier) {
                    $((Self::$kind(it), Self::$kind(earlier)) => Managed::take_part(it, part, earlier),)*
                    _ => false,
                }
            }

            /// ARNs by which the operator's own policies name it.
            #[must_use]
            pub fn policy_arns(&self) -> Vec<String> {
                match self { $(Self::$kind(it) => Managed::policy_arns(it)),* }
            }

            /// Policies that allow something, by name, where the kind carries any.
            #[must_use]
            pub fn policies(&self) -> Option<&BTreeMap<String, Policy>> {
                match self { $(Self::$kind(it) => Managed::policies(it)),* }
            }

            /// The same policies, to be narrowed.
            pub fn policies_mut(&mut self) -> Option<&mut BTreeMap<String, Policy>> {
                match self { $(Self::$kind(it) => Managed::policies_mut(it)),* }
            }
        }

        $(
            impl From<$type> for Resource {
                fn from(it: $type) -> Self {
                    Self::$kind(it)
                }
            }

            impl Listed for $type {
                const KIND: Kind = Kind::$kind;

                fn of(resource: &Resource) -> Option<&Self> {
                    if let Resource::$kind(it) = resource { Some(it) } else { None }
                }

                fn facts(facts: &Facts) -> Option<&Self::Facts> {
                    if let Facts::$kind(it) = facts { Some(it) } else { None }
                }

                fn write(write: &Write) -> Option<&Self::Write> {
                    if let Write::$kind(it) = write { Some(it) } else { None }
                }

                fn boxed_facts(facts: Self::Facts) -> Box<Facts> {
                    Box::new(Facts::$kind(facts))
                }

                fn boxed_write(write: Self::Write) -> Box<Write> {
                    Box::new(Write::$kind(write))
                }
            }
        )*
    };
}

kinds! {
    SecurityGroup => SecurityGroup,
    VpcEndpoint => VpcEndpoint,
    Bucket => resource::Bucket,
    Role => resource::Role,
    SageMakerModel => resource::Model,
    SageMakerEndpointConfig => resource::EndpointConfig,
    SageMakerEndpoint => resource::Endpoint,
    ScalableTarget => resource::ScalableTarget,
    ScalingPolicy => resource::ScalingPolicy,
    ScheduledAction => resource::ScheduledAction,
    LogGroup => LogGroup,
    PodIdentityAssociation => resource::PodIdentityAssociation,
    ServiceAccount => resource::ServiceAccount,
    Deployment => Deployment,
    Service => Service,
    PodDisruptionBudget => PodDisruptionBudget,
    HorizontalPodAutoscaler => HorizontalPodAutoscaler,
    ScaledObject => ScaledObject,
    NetworkPolicy => NetworkPolicy,
    PodMonitor => PodMonitor,
    ConfigMap => ConfigMap,
}

impl Kind {
    /// The kind as it stands in plans, status and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// True when a resource of this kind can need one of that kind.
    #[must_use]
    pub fn may_need(self, other: Self) -> bool {
        self.info().refers_to.contains(&other)
    }
}

impl Resource {
    /// The key of the resource.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { kind: self.kind(), name: self.name() }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::kind::{Backend, ClusterApi};
    use crate::lookup::optional_kinds;

    #[test]
    fn names_are_those_of_one_kind_each() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| Kind::named(kind.name()) == Some(*kind)));
        assert_eq!(Kind::named("Novelty"), None);
    }

    #[test]
    fn a_kind_needs_others_in_one_direction_alone() {
        let reaches = |from: Kind| {
            let (mut found, mut open) = (BTreeSet::new(), vec![from]);
            while let Some(kind) = open.pop() {
                open.extend(kind.info().refers_to.iter().copied().filter(|to| found.insert(*to)));
            }
            found
        };
        for kind in Kind::ALL {
            let others = kind.info().refers_to.iter().filter(|other| *other != kind);
            assert!(
                others.into_iter().all(|other| !reaches(*other).contains(kind)),
                "{kind} needs itself through others"
            );
        }
    }

    #[test]
    fn the_rights_in_the_cluster_are_those_that_the_kinds_need() {
        for file in ["rbac.yaml", "rbac-namespaced.yaml"] {
            let path = format!("{}/../manifests/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            let rules: Vec<Value> = text
                .split("\n---\n")
                .map(|document| serde_saphyr::from_str::<Value>(document).unwrap())
                .flat_map(|document| document["rules"].as_array().cloned().unwrap_or_default())
                .collect();
            for kind in Kind::ALL {
                let Backend::Cluster(api) = kind.info().backend else { continue };
                let rule = json!({"apiGroups": [api.group], "resources": [api.plural], "verbs": ClusterApi::VERBS});
                assert!(rules.contains(&rule), "{file} lacks {rule}");
            }
            let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]});
            assert!(rules.contains(&pods), "{file} lacks {pods}");
            let definitions: Vec<String> = optional_kinds().map(|(_, api)| api.definition()).collect();
            let definitions = json!({"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"],
                "resourceNames": definitions, "verbs": ["list", "watch"]});
            assert_eq!(
                rules.contains(&definitions),
                file == "rbac.yaml",
                "a namespaced role cannot give {definitions}"
            );
        }
    }
}
