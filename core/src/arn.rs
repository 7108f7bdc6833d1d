//! Amazon Resource Names and the partition that each begins with.

/// The AWS partition of a region, as it stands in ARNs.
///
/// Source: `partitions.json` of the AWS SDKs.
#[must_use]
pub fn partition(region: &str) -> &'static str {
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("eusc-", "aws-eusc"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
    ];
    BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// True when a path has an empty part, or one of dots alone. AWS takes paths as they are written; whoever limits them
/// to what is below another path means more than that.
#[must_use]
pub fn has_odd_part(path: &str) -> bool {
    path.split('/').any(|part| part.trim_matches('.').is_empty())
}

/// The domain of a region's services.
///
/// Source: `partitions.json` of the AWS SDKs.
#[must_use]
pub fn dns_suffix(region: &str) -> &'static str {
    match partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        _ => "amazonaws.com",
    }
}

/// The usual name of the service behind a VPC endpoint. What a region really calls it, EC2 says.
#[must_use]
pub fn endpoint_service(region: &str, service: &str) -> String {
    format!("com.amazonaws.{region}.{service}")
}

/// True for the name of that service. Some regions put more before the usual name.
#[must_use]
pub fn is_endpoint_service(region: &str, service: &str, name: &str) -> bool {
    let before = name.strip_suffix(endpoint_service(region, service).as_str());
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The ARN of a resource of EC2.
#[must_use]
pub fn ec2(region: &str, account_id: &str, resource: &str, id: &str) -> String {
    format!("arn:{}:ec2:{region}:{account_id}:{resource}/{id}", partition(region))
}

/// The ARN of the resource of this id, by the pattern of the ARNs of its kind.
#[must_use]
pub fn with_id(pattern: &str, region: &str, account_id: &str, id: &str) -> Option<String> {
    within(pattern, region, account_id).strip_suffix('*').map(|before| format!("{before}{id}"))
}

/// A pattern of ARNs of any region and account, for one region and account.
#[must_use]
pub fn within(pattern: &str, region: &str, account_id: &str) -> String {
    match pattern.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", _, service, _, _, resource] => {
            format!("arn:{}:{service}:{region}:{account_id}:{resource}", partition(region))
        }
        _ => pattern.into(),
    }
}

/// The ARN of a bucket, which names neither region nor account.
#[must_use]
pub fn bucket(region: &str, name: &str) -> String {
    format!("arn:{}:s3:::{name}", partition(region))
}

/// The ARN of a role. IAM is not regional: the region only says which partition.
#[must_use]
pub fn role(region: &str, account_id: &str, path: &str, name: &str) -> String {
    format!("arn:{}:iam::{account_id}:role{path}{name}", partition(region))
}

/// The ARN of a foundation model in `model_region`, which may be empty for a global profile's.
#[must_use]
pub fn foundation_model(region: &str, model_region: &str, model_id: &str) -> String {
    format!("arn:{}:bedrock:{model_region}::foundation-model/{model_id}", partition(region))
}

/// The ARN of a cross-region inference profile.
#[must_use]
pub fn inference_profile(region: &str, account_id: &str, id: &str) -> String {
    format!("arn:{}:bedrock:{region}:{account_id}:inference-profile/{id}", partition(region))
}

/// The ARN of a guardrail, without a version.
#[must_use]
pub fn guardrail(region: &str, account_id: &str, id: &str) -> String {
    format!("arn:{}:bedrock:{region}:{account_id}:guardrail/{id}", partition(region))
}

/// The ARN of a guardrail profile, which sends what a guardrail has to judge to other regions.
#[must_use]
pub fn guardrail_profile(region: &str, account_id: &str, id: &str) -> String {
    format!("arn:{}:bedrock:{region}:{account_id}:guardrail-profile/{id}", partition(region))
}

/// The ARN of a SageMaker resource of a kind such as `endpoint`.
#[must_use]
pub fn sagemaker(region: &str, account_id: &str, kind: &str, name: &str) -> String {
    format!("arn:{}:sagemaker:{region}:{account_id}:{kind}/{name}", partition(region))
}

/// The ARN of a repository of Amazon ECR, in the region that its host name says.
#[must_use]
pub fn repository(region: &str, account_id: &str, name: &str) -> String {
    format!("arn:{}:ecr:{region}:{account_id}:repository/{name}", partition(region))
}

/// The ARN of a log group, without what stands for its streams.
#[must_use]
pub fn log_group(region: &str, account_id: &str, name: &str) -> String {
    format!("arn:{}:logs:{region}:{account_id}:log-group:{name}", partition(region))
}

/// The ARN of an alarm of Amazon `CloudWatch`.
#[must_use]
pub fn alarm(region: &str, account_id: &str, name: &str) -> String {
    format!("arn:{}:cloudwatch:{region}:{account_id}:alarm:{name}", partition(region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_follows_from_the_region() {
        for (region, expected) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition(region), expected, "{region}");
        }
    }
}
