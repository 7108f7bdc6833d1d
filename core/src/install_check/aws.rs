//! AWS: whose the credentials are, and which services answer.

use std::collections::BTreeSet;

use super::{Check, Finding};
use crate::failure::Error;
use crate::guardrails::Guardrails;

/// The identity behind credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The ARN of a user, or of the session of a role.
    pub arn: String,
}

/// The holder of policies behind an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A role or a user, by its ARN.
    Entity(String),
    /// A role, by its name alone: the ARN of a session leaves out the path of its role.
    Role(String),
    /// Somebody who has no policies, such as the root of an account.
    Other,
}

impl Identity {
    /// The holder of its policies.
    #[must_use]
    pub fn holder(&self) -> Holder {
        let resource = self.arn.splitn(6, ':').nth(5).unwrap_or_default();
        if let Some(session) = resource.strip_prefix("assumed-role/") {
            return Holder::Role(session.split('/').next().unwrap_or_default().to_string());
        }
        if resource.starts_with("user/") { Holder::Entity(self.arn.clone()) } else { Holder::Other }
    }
}

/// The line about the credentials.
#[must_use]
pub fn credentials(identity: &Result<Identity, Error>, guardrails: &Guardrails) -> Finding {
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => return without_credentials(error),
    };
    let Identity { account, arn } = identity;
    let allowed = guardrails.accounts().filter(|accounts| !accounts.contains(account));
    if let Some(accounts) = allowed.filter(|_| guardrails.assumable_roles().is_empty()) {
        let accounts: Vec<String> = accounts.into_iter().collect();
        return Finding::missing(
            Check::Credentials,
            format!("{arn} is in account {account}, and the guardrails allow {}", accounts.join(", ")),
            "use credentials of such an account, or change the guardrails",
        );
    }
    Finding::ok(Check::Credentials, format!("{arn} in account {account}"))
}

fn without_credentials(error: &Error) -> Finding {
    if error.is_unanswered() {
        let message = format!("nobody says whose the credentials are ({error})");
        return Finding::unknown(Check::Credentials, message, "see to the endpoint of sts first");
    }
    Finding::missing(
        Check::Credentials,
        error.to_string(),
        "docs/install.md says how the operator's pods get their role",
    )
}

/// The regions of which the endpoints are checked: those that are given, those that the guardrails name, or that of the
/// environment.
#[must_use]
pub fn regions(given: &[String], guardrails: &Guardrails, home: &str) -> BTreeSet<String> {
    if !given.is_empty() {
        return given.iter().cloned().collect();
    }
    let named = guardrails.regions().unwrap_or_default();
    if named.is_empty() { BTreeSet::from([home.to_string()]) } else { named }
}

/// A service in a region, and what came of a request to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The service, as its endpoint is called.
    pub service: &'static str,
    /// The region.
    pub region: String,
    /// The address that the request was for, as far as it got one.
    pub url: Option<String>,
    /// The end of the request.
    pub result: Result<(), Error>,
}

impl Probe {
    /// The line about it. A refusal is an answer, but for the question whose the credentials are, which nobody can be
    /// denied.
    #[must_use]
    pub fn judge(&self) -> Finding {
        let Self { service, region, url, result } = self;
        let name = format!("{service} in {region}");
        let place = url.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
        let error = match result {
            Ok(()) => return Finding::ok(Check::Endpoint, format!("{name} answers{place}")),
            Err(error) => error,
        };
        if error.is_unanswered() {
            return Finding::missing(
                Check::Endpoint,
                format!("{name} does not answer{place} ({}: {})", error.code, error.message),
                "let the operator reach it (region, route or VPC endpoint, proxy, NetworkPolicy), or correct AWS_ENDPOINT_URL",
            );
        }
        if error.request_id.is_none() && url.is_none() {
            return Finding::unknown(
                Check::Endpoint,
                format!("{name} was not asked ({})", error.code),
                "see to the credentials first",
            );
        }
        if *service == STS {
            return Finding::missing(
                Check::Endpoint,
                format!("{name} does not take the credentials{place} ({}: {})", error.code, error.message),
                "enable the region for the account, or correct the credentials or the clock",
            );
        }
        Finding::ok(Check::Endpoint, format!("{name} answers{place} (with {})", error.code))
    }
}

/// The service that says whose credentials are.
pub const STS: &str = "sts";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Class, UNREACHABLE};
    use crate::install_check::Outcome;

    const ACCOUNT: &str = "123456789012";

    fn identity(arn: &str) -> Identity {
        Identity { account: ACCOUNT.into(), arn: arn.into() }
    }

    fn error(class: Class, code: &str, request_id: Option<&str>) -> Error {
        Error {
            class,
            action: "sts:GetCallerIdentity".into(),
            subject: "the account".into(),
            code: code.into(),
            message: "why".into(),
            request_id: request_id.map(Into::into),
        }
    }

    #[test]
    fn policies_are_held_by_users_and_roles() {
        for (arn, holder) in [
            ("arn:aws:iam::1:user/path/a", Holder::Entity("arn:aws:iam::1:user/path/a".into())),
            ("arn:aws:sts::1:assumed-role/operator/session", Holder::Role("operator".into())),
            ("arn:aws:iam::1:root", Holder::Other),
            ("", Holder::Other),
        ] {
            assert_eq!(identity(arn).holder(), holder, "{arn}");
        }
    }

    #[test]
    fn credentials_belong_to_an_account_that_the_guardrails_allow() {
        let guardrails = |text: &str| Guardrails::parse("guardrails.yaml", text).unwrap();
        let ours = Ok(identity("arn:aws:iam::123456789012:user/a"));
        for (text, outcome) in [
            ("rules: [{accounts: [\"123456789012\"]}]", Outcome::Ok),
            ("rules: [{accounts: [\"210987654321\"]}]", Outcome::Missing),
            (
                "rules: [{accounts: [\"210987654321\"], assumeRoles: [\"arn:aws:iam::210987654321:role/a\"]}]",
                Outcome::Ok,
            ),
            ("rules: [{regions: [eu-west-1]}]", Outcome::Ok),
        ] {
            assert_eq!(credentials(&ours, &guardrails(text)).outcome, outcome, "{text}");
        }
        let none = Err(error(Class::Denied, "NoCredentials", None));
        assert_eq!(credentials(&none, &Guardrails::Unbounded).outcome, Outcome::Missing);
        let silent = Err(error(Class::Transient, UNREACHABLE, None));
        assert_eq!(credentials(&silent, &Guardrails::Unbounded).outcome, Outcome::Unknown);
    }

    #[test]
    fn the_regions_are_those_of_the_guardrails_unless_some_are_given() {
        let guardrails = Guardrails::parse("a", "rules: [{regions: [eu-west-1]}, {regions: [us-east-1]}]").unwrap();
        let regions = |given: &[String], guardrails: &Guardrails| -> Vec<String> {
            regions(given, guardrails, "eu-north-1").into_iter().collect()
        };
        assert_eq!(regions(&[], &guardrails), ["eu-west-1", "us-east-1"]);
        assert_eq!(regions(&["eu-south-1".into()], &guardrails), ["eu-south-1"]);
        assert_eq!(regions(&[], &Guardrails::Unbounded), ["eu-north-1"]);
        let open = Guardrails::parse("a", "rules: [{regions: [eu-west-1]}, {}]").unwrap();
        assert_eq!(regions(&[], &open), ["eu-north-1"]);
    }

    #[test]
    fn whoever_refuses_answers() {
        let probe = |service, url: Option<&str>, result| Probe {
            service,
            region: "eu-west-1".into(),
            url: url.map(Into::into),
            result,
        };
        let denied = || Err(error(Class::Denied, "AccessDenied", Some("1")));
        let silent = || Err(error(Class::Transient, UNREACHABLE, None));
        let unasked = || Err(error(Class::Denied, "NoCredentials", None));
        for (probe, outcome, part) in [
            (probe("s3", Some("https://a"), Ok(())), Outcome::Ok, "s3 in eu-west-1 answers at https://a"),
            (probe("s3", Some("https://a"), denied()), Outcome::Ok, "answers at https://a (with AccessDenied)"),
            (probe("s3", Some("https://a"), silent()), Outcome::Missing, "does not answer at https://a"),
            (probe("s3", None, unasked()), Outcome::Unknown, "was not asked (NoCredentials)"),
            (probe(STS, Some("https://a"), denied()), Outcome::Missing, "does not take the credentials"),
            (probe(STS, None, unasked()), Outcome::Unknown, "was not asked"),
        ] {
            let finding = probe.judge();
            assert_eq!(finding.outcome, outcome, "{finding}");
            assert!(finding.message.contains(part), "{finding}");
        }
    }
}
