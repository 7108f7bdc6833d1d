//! Missing credentials are for somebody to give; credentials that could not be fetched, and an AWS that cannot be
//! reached, pass.

use std::sync::Arc;
use std::time::Duration;

use aiplatform::failure::{Class, Error};
use aiplatform::leadership::Authority;
use aiplatform::provider::aws::Aws;
use aiplatform::scope::Scope;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use tokio_util::sync::CancellationToken;

/// A source of credentials that has none, or cannot get at them.
#[derive(Debug)]
struct Source(fn() -> CredentialsError);

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

async fn asking(provider: impl ProvideCredentials + 'static) -> Error {
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url("http://127.0.0.1:1")
        .credentials_provider(provider)
        .retry_config(RetryConfig::disabled())
        .load()
        .await;
    let scope = Scope {
        region: "eu-west-1".into(),
        account_id: "123456789012".into(),
        owner: String::new(),
        uid: String::new(),
        assume_role: None,
    };
    Aws::with_config(config, true, Duration::ZERO, Authority::unelected(CancellationToken::new()), Arc::default())
        .account(&scope)
        .await
        .expect_err("nobody answers")
}

#[tokio::test]
async fn missing_credentials_are_for_somebody_to_give() {
    let none = || Source(|| CredentialsError::not_loaded("none here"));
    for error in [asking(none()).await, asking(CredentialsProviderChain::first_try("none", none())).await] {
        assert_eq!((error.class, error.code.as_str()), (Class::Denied, "NoCredentials"), "{error}");
        assert!(error.to_string().contains("AWS_PROFILE"), "{error}");
    }
    let broken = asking(Source(|| CredentialsError::invalid_configuration("a broken profile"))).await;
    assert_eq!((broken.class, broken.code.as_str()), (Class::Denied, "NoCredentials"), "{broken}");
}

#[tokio::test]
async fn credentials_that_could_not_be_fetched_and_an_aws_out_of_reach_pass() {
    let fetched = asking(Source(|| CredentialsError::provider_error("the metadata service did not answer"))).await;
    assert_eq!(fetched.class, Class::Transient, "{fetched}");
    assert!(fetched.to_string().contains("did not answer"), "{fetched}");
    let credentials = aws_credential_types::Credentials::new("a", "b", None, None, "tests");
    let away = asking(credentials).await;
    assert!(away.class == Class::Transient && away.is_unanswered(), "{away}");
}
