//! Geographies of Amazon Bedrock: what the ids of cross-region profiles begin with, and which regions each can have.
//!
//! Sources: "Supported Regions and models for inference profiles" and "Supported Regions for cross-Region guardrail
//! inference", Amazon Bedrock user guide.

/// The geographies, each with what the names of its regions begin with. Profiles grow, so that a geography has the
/// regions around it too: what is refused is what it cannot have.
const GEOGRAPHIES: [(&str, &[&str]); 9] = [
    ("us", &["us-", "ca-", "mx-", "sa-"]),
    ("us-gov", &["us-gov-"]),
    ("eu", &["eu-", "il-", "me-", "af-"]),
    ("uk", &["eu-west-2"]),
    ("apac", &["ap-", "me-", "il-", "af-"]),
    ("jp", &["ap-northeast-1", "ap-northeast-3"]),
    ("au", &["ap-southeast-"]),
    ("ca", &["ca-"]),
    ("global", &[""]),
];

/// The regions to which guardrails of a geography send what they have to judge.
const GUARDRAIL_REGIONS: [(&str, &[&str]); 7] = [
    ("us", &["us-east-1", "us-east-2", "us-west-1", "us-west-2"]),
    ("us-gov", &["us-gov-east-1", "us-gov-west-1"]),
    ("eu", &["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3", "il-central-1"]),
    ("uk", &["eu-west-2"]),
    (
        "apac",
        &[
            "ap-east-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-south-2",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-southeast-3",
            "ap-southeast-4",
            "ap-southeast-5",
            "ap-southeast-7",
            "me-central-1",
        ],
    ),
    ("au", &["ap-southeast-2"]),
    ("ca", &["ca-central-1", "ca-west-1"]),
];

/// The geography that an id begins with, and what follows it.
pub(super) fn split(id: &str) -> Option<(&'static str, &str)> {
    let (first, rest) = id.split_once('.')?;
    GEOGRAPHIES.iter().find(|(name, _)| *name == first).map(|(name, _)| (*name, rest))
}

/// True when a geography can have this region. `GovCloud` is no part of any other.
pub(super) fn has(geography: &str, region: &str) -> bool {
    let regions = GEOGRAPHIES.iter().find(|(name, _)| *name == geography).map(|(_, regions)| *regions);
    let is_government = region.starts_with("us-gov-");
    (geography == "us-gov") == is_government
        && regions.unwrap_or_default().iter().any(|beginning| region.starts_with(beginning))
}

/// The regions of a guardrail profile that is used from `source`; none where its geography has no guardrails.
pub(crate) fn guardrail_regions(profile: &str, source: &str) -> Vec<String> {
    let geography = profile.split('.').next().unwrap_or_default();
    let Some((_, regions)) = GUARDRAIL_REGIONS.iter().find(|(name, _)| *name == geography) else { return Vec::new() };
    let others = regions.iter().filter(|region| **region != source).map(ToString::to_string);
    std::iter::once(source.to_string()).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geography_is_the_first_part_of_an_id() {
        for (id, expected) in [
            ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", Some("eu")),
            ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", Some("us-gov")),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", Some("global")),
            ("zai.glm-4.7", None),
            ("eurasia.model-1", None),
            ("deepseek.v3.2", None),
        ] {
            assert_eq!(split(id).map(|(geography, _)| geography), expected, "{id}");
        }
    }

    #[test]
    fn a_geography_has_its_own_regions_and_no_others() {
        for (geography, region, expected) in [
            ("eu", "eu-central-1", true),
            ("eu", "il-central-1", true),
            ("eu", "us-east-1", false),
            ("us", "ca-central-1", true),
            ("us", "us-gov-west-1", false),
            ("us-gov", "us-gov-west-1", true),
            ("us-gov", "us-east-1", false),
            ("jp", "ap-northeast-2", false),
            ("au", "ap-southeast-4", true),
            ("ca", "us-east-1", false),
            ("global", "sa-east-1", true),
            ("global", "us-gov-east-1", false),
        ] {
            assert_eq!(has(geography, region), expected, "{geography} {region}");
        }
    }

    #[test]
    fn a_guardrail_profile_has_the_region_it_is_used_from_first() {
        assert_eq!(guardrail_regions("ca.guardrail.v1:0", "ca-central-1"), ["ca-central-1", "ca-west-1"]);
        assert_eq!(guardrail_regions("uk.guardrail.v1:0", "eu-west-2"), ["eu-west-2"]);
        assert!(guardrail_regions("jp.guardrail.v1:0", "ap-northeast-1").is_empty());
        for (geography, regions) in GUARDRAIL_REGIONS {
            assert!(regions.iter().all(|region| has(geography, region)), "{geography}");
        }
    }
}
