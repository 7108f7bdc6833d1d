"""UpdateEndpoint: what is kept, what is refused, what happens when it fails."""

from typing import Any

import pytest
from failures import refused
from serving import FOREVER, Serving, serverless, variant
from test_sagemaker_endpoints import ARN, CANARY

REFUSED = (400, "ValidationException")
IN_USE = "Cannot update endpoint with the currently in use endpoint configuration"


@pytest.fixture
def served(serving: Serving) -> Serving:
    """An endpoint whose variant was scaled from 2 to 5, with weight 0.5; `d` says 3 and 1."""
    serving.serve()
    serving.config("d", variant(InitialInstanceCount=3))
    change = [{"VariantName": "v", "DesiredInstanceCount": 5, "DesiredWeight": 0.5}]
    serving.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="e", DesiredWeightsAndCapacities=change
    )
    return serving


def running(serving: Serving) -> tuple[int, int, float]:
    [told] = serving.described()["ProductionVariants"]
    assert told["CurrentWeight"] == told["DesiredWeight"]
    return told["CurrentInstanceCount"], told["DesiredInstanceCount"], told["CurrentWeight"]


def exclude(*names: str) -> dict[str, Any]:
    excluded = [{"VariantPropertyType": name} for name in names]
    return {"RetainAllVariantProperties": True, "ExcludeRetainedVariantProperties": excluded}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (3, 3, 1.0)),
        ({"RetainAllVariantProperties": False}, (3, 3, 1.0)),
        ({"RetainAllVariantProperties": True}, (5, 5, 0.5)),
        (exclude("DesiredInstanceCount"), (3, 3, 0.5)),
        (exclude("DesiredWeight"), (5, 5, 1.0)),
        (exclude("DesiredWeight", "DesiredInstanceCount"), (3, 3, 1.0)),
    ],
)
def test_what_is_retained(
    served: Serving, given: dict[str, Any], expected: tuple[int, int, float]
) -> None:
    assert running(served) == (5, 5, 0.5)
    served.update(**given)
    assert served.described()["EndpointConfigName"] == "d"
    assert running(served) == expected


def test_new_variants_and_new_kinds_have_nothing_to_retain(served: Serving) -> None:
    served.config("f", variant("w", InitialInstanceCount=1))
    served.update("f", RetainAllVariantProperties=True)
    assert running(served) == (1, 1, 1.0)
    served.config("g", serverless("w"))
    served.update("g", RetainAllVariantProperties=True)
    assert "CurrentServerlessConfig" in served.described()["ProductionVariants"][0]


def test_while_it_updates(served: Serving) -> None:
    before = served.described()
    served.take(update=FOREVER)
    served.update(DeploymentConfig=CANARY)
    told = served.described()
    assert told["EndpointStatus"] == "Updating"
    assert told["EndpointConfigName"] == "c"
    assert told["ProductionVariants"] == before["ProductionVariants"]
    pending = told["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == "d"
    assert pending["ProductionVariants"][0]["DesiredInstanceCount"] == 3
    assert told["LastDeploymentConfig"] == CANARY
    assert told["LastModifiedTime"] > before["LastModifiedTime"]
    served.take(update=0)
    after = served.described()
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", "d")
    assert "PendingDeploymentSummary" not in after
    assert after["LastModifiedTime"] > told["LastModifiedTime"]


def test_rolled_back(served: Serving) -> None:
    before = served.described()
    served.simulator.post("fail-next-update", endpoint="e", reason="The alarm went off.")
    served.take(update=FOREVER, rollback=FOREVER)
    served.update()
    assert served.described()["EndpointStatus"] == "Updating"
    served.take(update=0)
    told = served.described()
    assert told["EndpointStatus"] == "RollingBack"
    assert "PendingDeploymentSummary" not in told
    served.take(rollback=0)
    told = served.described()
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", "c")
    assert told["FailureReason"] == "The alarm went off."
    assert told["ProductionVariants"] == before["ProductionVariants"]
    assert told["LastModifiedTime"] > before["LastModifiedTime"]
    served.update()
    told = served.described()
    assert told["EndpointConfigName"] == "d"
    assert "FailureReason" not in told


def test_a_rollback_at_once_shows_in_the_times(served: Serving) -> None:
    before = served.described()["LastModifiedTime"]
    served.simulator.post("fail-next-update", endpoint="e", reason="r")
    served.update()
    assert served.described()["LastModifiedTime"] > before


def test_the_reason_outlives_scaling(served: Serving) -> None:
    served.simulator.post("fail-next-update", endpoint="e", reason="r")
    served.update()
    served.simulator.post("scale", endpoint="e", variant="v", count=1)
    assert served.described()["FailureReason"] == "r"


def test_a_rollback_that_fails(served: Serving) -> None:
    served.simulator.post("fail-next-update", endpoint="e", reason="r", rollback="failed")
    served.update()
    told = served.described()
    assert (told["EndpointStatus"], told["FailureReason"]) == ("UpdateRollbackFailed", "r")
    change = [{"VariantName": "v", "DesiredInstanceCount": 1}]
    scale = served.sagemaker.update_endpoint_weights_and_capacities
    answer = refused(scale, EndpointName="e", DesiredWeightsAndCapacities=change)
    assert "its status is UpdateRollbackFailed" in answer[2]
    served.update("c")
    assert served.described()["EndpointStatus"] == "InService"


def test_a_role_that_went_away_rolls_back(served: Serving) -> None:
    served.iam.delete_role(RoleName="execution")
    served.update()
    told = served.described()
    assert told["EndpointConfigName"] == "c"
    assert "The execution role ARN" in told["FailureReason"]


def test_the_configuration_in_use(served: Serving) -> None:
    assert refused(served.update, config="c") == (*REFUSED, f'{IN_USE} "c".')
    served.update()
    served.update("c")
    served.sagemaker.delete_endpoint_config(EndpointConfigName="c")
    served.config("c", variant(InitialInstanceCount=1))
    assert IN_USE in refused(served.update, config="c")[2]
    answer = refused(served.update, config="none")
    assert "Could not find endpoint configuration" in answer[2]


def test_retained_deployment_configurations(served: Serving) -> None:
    served.update(DeploymentConfig=CANARY)
    answer = refused(
        served.update, config="c", DeploymentConfig=CANARY, RetainDeploymentConfig=True
    )
    assert "RetainDeploymentConfig" in answer[2]
    served.update("c", RetainDeploymentConfig=True)
    assert served.described()["LastDeploymentConfig"] == CANARY
    served.update()
    assert "LastDeploymentConfig" not in served.described()


def blue_green(kind: str, policy: Any = None, **routing: Any) -> dict[str, Any]:
    traffic = {"Type": kind, "WaitIntervalInSeconds": 60, **routing}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic, **(policy or {})}}


def rolling(**changes: Any) -> dict[str, Any]:
    policy = {"MaximumBatchSize": percent(50), "WaitIntervalInSeconds": 60, **changes}
    return {"RollingUpdatePolicy": policy}


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def count(value: int) -> dict[str, Any]:
    return {"Type": "INSTANCE_COUNT", "Value": value}


ALARMS = [{"AlarmName": f"a{n}"} for n in range(11)]


@pytest.mark.parametrize(
    "given",
    [
        blue_green("ALL_AT_ONCE"),
        blue_green("CANARY", CanarySize=percent(1)),
        blue_green("CANARY", CanarySize=percent(50)),
        blue_green("CANARY", CanarySize=count(1)),
        blue_green("LINEAR", LinearStepSize=percent(10)),
        blue_green("LINEAR", LinearStepSize=percent(50)),
        blue_green("CANARY", {"TerminationWaitInSeconds": 3600}, CanarySize=percent(10)),
        blue_green("ALL_AT_ONCE", {"MaximumExecutionTimeoutInSeconds": 1800}),
        rolling(),
        rolling(MaximumBatchSize=percent(5), RollbackMaximumBatchSize=percent(100)),
        rolling(MaximumBatchSize=count(1)),
        {"AutoRollbackConfiguration": {"Alarms": ALARMS[:10]}},
        {**rolling(), "AutoRollbackConfiguration": {"Alarms": ALARMS[:1]}},
    ],
)
def test_good_deployment_configurations(served: Serving, given: dict[str, Any]) -> None:
    served.update(DeploymentConfig=given)
    assert served.described()["LastDeploymentConfig"] == given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({**CANARY, **rolling()}, "Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy"),
        (blue_green("CANARY"), "CanarySize must be specified"),
        (blue_green("LINEAR"), "LinearStepSize must be specified"),
        (blue_green("ALL_AT_ONCE", CanarySize=percent(10)), "CanarySize cannot be specified"),
        (
            blue_green("CANARY", CanarySize=percent(10), LinearStepSize=percent(10)),
            "LinearStepSize cannot be specified",
        ),
        (blue_green("CANARY", CanarySize=percent(51)), "between 1 and 50 percent"),
        (blue_green("CANARY", CanarySize=percent(0)), "value greater than or equal to 1"),
        (blue_green("CANARY", CanarySize=count(2)), "of the 3 instances"),
        (blue_green("LINEAR", LinearStepSize=percent(9)), "between 10 and 50 percent"),
        (blue_green("LINEAR", LinearStepSize=percent(51)), "between 10 and 50 percent"),
        (blue_green("ALL_AT_ONCE", WaitIntervalInSeconds=3601), "less than or equal to 3600"),
        (
            blue_green("ALL_AT_ONCE", {"TerminationWaitInSeconds": 3601}),
            "less than or equal to 3600",
        ),
        (
            blue_green("ALL_AT_ONCE", {"MaximumExecutionTimeoutInSeconds": 599}),
            "greater than or equal to 600",
        ),
        (
            blue_green(
                "ALL_AT_ONCE",
                {"MaximumExecutionTimeoutInSeconds": 600, "TerminationWaitInSeconds": 600},
            ),
            "larger than the total waiting time of 660 seconds",
        ),
        (rolling(MaximumBatchSize=percent(4)), "between 5 and 50 percent"),
        (rolling(MaximumBatchSize=percent(51)), "between 5 and 50 percent"),
        (rolling(RollbackMaximumBatchSize=percent(101)), "between 1 and 100 percent"),
        (blue_green("SLOWLY"), "enum value set"),
        ({"AutoRollbackConfiguration": {"Alarms": ALARMS}}, "less than or equal to 10"),
    ],
)
def test_bad_deployment_configurations(
    served: Serving, given: dict[str, Any], message: str
) -> None:
    status, code, got = refused(served.update, DeploymentConfig=given)
    assert (status, code) == REFUSED
    assert message in got
    assert refused(served.endpoint, name="f", config="d", DeploymentConfig=given)[:2] == REFUSED
    assert served.described()["EndpointConfigName"] == "c"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}]},
            "RetainAllVariantProperties is true",
        ),
        (exclude("DataCaptureConfig"), "DataCaptureConfig is not supported"),
        (exclude("DesiredCount"), "enum value set"),
    ],
)
def test_bad_exclusions(served: Serving, given: dict[str, Any], message: str) -> None:
    assert message in refused(served.update, **given)[2]


def test_weights_and_capacities(serving: Serving) -> None:
    serving.serve(variant(), variant("w"))
    serving.take(scale=FOREVER)
    before = serving.described()["LastModifiedTime"]
    scale = serving.sagemaker.update_endpoint_weights_and_capacities
    changes = [
        {"VariantName": "v", "DesiredWeight": 0.25},
        {"VariantName": "w", "DesiredInstanceCount": 7},
    ]
    answer = scale(EndpointName="e", DesiredWeightsAndCapacities=changes)
    assert answer["EndpointArn"] == ARN
    told = serving.described()
    assert told["EndpointStatus"] == "Updating"
    assert told["LastModifiedTime"] > before
    v, w = told["ProductionVariants"]
    assert (v["CurrentWeight"], v["DesiredWeight"]) == (1.0, 0.25)
    assert (w["CurrentInstanceCount"], w["DesiredInstanceCount"]) == (2, 7)
    serving.take(scale=0)
    told = serving.described()
    v, w = told["ProductionVariants"]
    assert told["EndpointStatus"] == "InService"
    assert (v["CurrentWeight"], w["CurrentInstanceCount"]) == (0.25, 7)
    assert told["EndpointConfigName"] == "c"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            [{"VariantName": "x", "DesiredWeight": 1}],
            'The variant name(s) "x" is/are not present within endpoint configuration "c".',
        ),
        ([{"VariantName": "v", "DesiredInstanceCount": 0}], "must be at least 1"),
        ([{"VariantName": "v", "DesiredInstanceCount": -1}], "greater than or equal to 0"),
        ([{"VariantName": "v", "ServerlessUpdateConfig": {}}], "is not serverless"),
        ([{"VariantName": "v", "DesiredWeight": 1}] * 2, "more than once"),
        ([], "length greater than or equal to 1"),
    ],
)
def test_bad_weights_and_capacities(
    served: Serving, changes: list[dict[str, Any]], message: str
) -> None:
    scale = served.sagemaker.update_endpoint_weights_and_capacities
    status, code, got = refused(scale, EndpointName="e", DesiredWeightsAndCapacities=changes)
    assert (status, code) == REFUSED
    assert message in got


def test_serverless_capacities(serving: Serving) -> None:
    serving.serve(serverless(ProvisionedConcurrency=1))
    scale = serving.sagemaker.update_endpoint_weights_and_capacities

    def change(**given: Any) -> dict[str, Any]:
        changes = [{"VariantName": "v", **given}]
        return {"EndpointName": "e", "DesiredWeightsAndCapacities": changes}

    scale(**change(ServerlessUpdateConfig={"MaxConcurrency": 20, "ProvisionedConcurrency": 15}))
    [told] = serving.described()["ProductionVariants"]
    expected = {"MemorySizeInMB": 2048, "MaxConcurrency": 20, "ProvisionedConcurrency": 15}
    assert told["CurrentServerlessConfig"] == expected
    assert "no instances" in refused(scale, **change(DesiredInstanceCount=1))[2]
    answer = refused(scale, **change(ServerlessUpdateConfig={"ProvisionedConcurrency": 21}))
    assert "MaxConcurrency" in answer[2]


def test_scaling_from_outside(served: Serving) -> None:
    served.take(scale=FOREVER)
    served.simulator.post("scale", endpoint="e", variant="v", count=8)
    told = served.described()
    [only] = told["ProductionVariants"]
    assert told["EndpointStatus"] == "Updating"
    assert (only["CurrentInstanceCount"], only["DesiredInstanceCount"]) == (5, 8)
    served.take(scale=0)
    assert running(served) == (8, 8, 0.5)
