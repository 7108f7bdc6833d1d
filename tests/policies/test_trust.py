"""Who may take a role: those whom the spec names, and nobody else."""

import json
import re

import pytest
from evaluator import ANYTHING, Call, Caller, policy

STRANGER = "210987654321"
# The evaluator knows the condition keys of this issuer, and ignores those of a cluster's own.
KNOWN_ISSUER = "accounts.google.com"
ASSUME = "sts:AssumeRole"
TAG_SESSION = "sts:TagSession"
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
# What EKS says of the pod when it takes a role: "Pod Identity session tags", Amazon EKS user guide.
NAMESPACE_TAG = "aws:RequestTag/kubernetes-namespace"
SERVICE_ACCOUNT_TAG = "aws:RequestTag/kubernetes-service-account"


def may(judge, subject, principal: str, action: str, trust=None, **context: str) -> bool:
    """Whether a principal whom everything is allowed may take the role."""
    account = subject.holder.platform.account
    caller = Caller(principal, account, trust=trust or subject.role["trustPolicy"])
    call = Call(action, subject.role["arn"], principal, context)
    # Services and federated users have no identity policies.
    identity = [ANYTHING] if ":role/" in principal or ":user/" in principal else []
    return judge.allowed(caller, identity, [call])[0]


def anybody(action: str, **principal: str):
    """A trust policy that lets all of a kind in."""
    return policy(Principal=principal, Action=action)


def test_named_principals_may_take_the_role(subject, judge):
    named = subject.holder.entry.get("principalArns", [])
    for principal in named:
        assert may(judge, subject, principal, ASSUME)
        assert not may(judge, subject, principal, TAG_SESSION)
        # The judge can say yes to that, so its no above means something.
        assert may(judge, subject, principal, TAG_SESSION, anybody("sts:*", AWS="*"))


def test_other_principals_may_not(subject, judge):
    named = subject.holder.entry.get("principalArns", [])
    platform = subject.holder.platform
    strangers = [
        platform.arn("iam", kind, region="") for kind in ("role/intruder", "user/intruder")
    ]
    for principal in named:
        parts = principal.split(":")
        strangers += [f"{principal}x", principal[:-1], ":".join([*parts[:4], STRANGER, parts[5]])]
    for stranger in strangers:
        assert not may(judge, subject, stranger, ASSUME)
        assert may(judge, subject, stranger, ASSUME, anybody(ASSUME, AWS="*"))


@pytest.mark.parametrize("service", ["ec2.amazonaws.com", "lambda.amazonaws.com"])
def test_other_services_may_not(subject, judge, service):
    source = {"aws:SourceAccount": subject.holder.platform.account}
    assert not may(judge, subject, service, ASSUME, **source)
    assert may(judge, subject, service, ASSUME, anybody(ASSUME, Service=service), **source)


def test_pod_identity_vouches_for_its_own_cluster_and_service_account_only(subject, judge):
    service = "pods.eks.amazonaws.com"
    platform = subject.holder.platform
    pods = (platform.identity or {}).get("podIdentity")
    ours = pods and subject.holder.service_account
    cluster = pods["clusterArn"] if pods else platform.arn("eks", "cluster/prod")
    namespace, name = subject.holder.service_account or ("default", "anybody")
    account = {NAMESPACE_TAG: namespace, SERVICE_ACCOUNT_TAG: name}
    own = {"aws:SourceAccount": platform.account, "aws:SourceArn": cluster, **account}
    parts = cluster.split(":")
    wrong = [
        {},
        *({key: own[key] for key in own if key != left_out} for left_out in own),
        {**own, NAMESPACE_TAG: f"{namespace}x"},
        {**own, NAMESPACE_TAG: "kube-system"},
        {**own, SERVICE_ACCOUNT_TAG: f"{name}x"},
        {**own, SERVICE_ACCOUNT_TAG: "*"},
        {**own, "aws:SourceArn": f"{cluster}x"},
        {**own, "aws:SourceArn": ":".join([*parts[:3], "ap-east-1", *parts[4:]])},
        {**own, "aws:SourceArn": ":".join([*parts[:4], STRANGER, parts[5]])},
        {**own, "aws:SourceAccount": STRANGER},
    ]
    for action in (ASSUME, TAG_SESSION):
        assert may(judge, subject, service, action, **own) == bool(ours)
        for context in wrong:
            assert not may(judge, subject, service, action, **context), context
            everybody = anybody("sts:*", Service=service)
            assert may(judge, subject, service, action, everybody, **context)


def test_the_clusters_provider_vouches_for_one_service_account_only(subject, judge):
    platform = subject.holder.platform
    irsa = (platform.identity or {}).get("irsa")
    if not irsa or not subject.holder.service_account:
        assert WEB_IDENTITY not in json.dumps(subject.role["trustPolicy"])
        return
    provider = irsa["oidcProviderArn"]
    issuer = provider.split("oidc-provider/")[1]
    namespace, name = subject.holder.service_account
    account = f"system:serviceaccount:{namespace}:{name}"
    audience = "sts.amazonaws.com"

    # The evaluator is told of another issuer, so the document itself is held against the contract.
    assert subject.role["trustPolicy"]["Version"] == "2012-10-17"
    (statement,) = subject.role["trustPolicy"]["Statement"]
    # IAM compares operators and keys without regard to case.
    conditions = {
        operator.lower(): {key.lower(): values for key, values in keys.items()}
        for operator, keys in statement["Condition"].items()
    }
    assert {field: statement[field] for field in statement if field != "Sid"} == {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": WEB_IDENTITY,
        "Condition": statement["Condition"],
    }
    keys = {f"{issuer}:sub".lower(): account, f"{issuer}:aud".lower(): audience}
    assert conditions == {"stringequals": keys}

    def told(text: str) -> str:
        return re.sub(re.escape(issuer), KNOWN_ISSUER, text, flags=re.IGNORECASE)

    def lets_in(*, sub: str | None = account, aud: str = audience) -> bool:
        context = {f"{KNOWN_ISSUER}:aud": aud} | ({f"{KNOWN_ISSUER}:sub": sub} if sub else {})
        trust = json.loads(told(json.dumps(subject.role["trustPolicy"])))
        answer = may(judge, subject, told(provider), WEB_IDENTITY, trust, **context)
        everybody = anybody(WEB_IDENTITY, Federated=told(provider))
        assert may(judge, subject, told(provider), WEB_IDENTITY, everybody, **context)
        return answer

    assert lets_in()
    assert not lets_in(sub=None)
    assert not lets_in(sub=f"{account}x")
    assert not lets_in(sub=f"system:serviceaccount:other:{name}")
    assert not lets_in(sub=f"system:serviceaccount:{namespace}:default")
    assert not lets_in(sub=f"system:serviceaccount:{namespace}:*")
    assert not lets_in(aud="sigstore")


def test_sagemaker_may_for_its_own_account_only(subject, judge):
    service = "sagemaker.amazonaws.com"
    account = subject.holder.platform.account
    runs_a_model = subject.holder in subject.holder.platform.executions
    assert may(judge, subject, service, ASSUME, **{"aws:SourceAccount": account}) == runs_a_model
    for action in (ASSUME, TAG_SESSION):
        everybody = anybody(action, Service=service)
        for context in ({}, {"aws:SourceAccount": STRANGER}):
            assert not may(judge, subject, service, action, **context)
            assert may(judge, subject, service, action, everybody, **context)
    assert not may(judge, subject, service, TAG_SESSION, **{"aws:SourceAccount": account})


def test_a_wider_trust_policy_is_noticed(subject, judge):
    """The judge can say yes to strangers."""
    stranger = subject.holder.platform.arn("iam", "role/intruder", region="")
    wide = {**subject.role["trustPolicy"]}
    wide["Statement"] = [*wide["Statement"], *anybody(ASSUME, AWS="*")["Statement"]]
    assert not may(judge, subject, stranger, ASSUME)
    assert may(judge, subject, stranger, ASSUME, wide)
