"""Parameters checked against botocore's model, in EC2's wording, and DryRun."""

from simulator.call import Call
from simulator.ec2.service import invalid_value, missing_parameter, service
from simulator.errors import AwsError
from simulator.validation import MISSING, problems_of


@service.before("*")
def check_parameters(call: Call) -> None:
    """Refuse the first parameter that breaks the model; EC2 never tells of more than one."""
    for problem in problems_of(call):
        if problem.constraint == MISSING:
            raise missing_parameter(problem.path)
        if problem.bound is None:
            raise invalid_value(f"Value ({problem.value}) for parameter {problem.path} is invalid.")
        than = problem.constraint.partition(" have ")[2].partition(" ")[2]
        raise invalid_value(
            f"Value ( {problem.value} ) for parameter {problem.path} is invalid. "
            f"Expecting a value {than}."
        )


@service.before("*")
def stop_dry_runs(call: Call) -> None:
    """Answer a call that is only to find out whether its permissions suffice."""
    if call.parameters.get("DryRun"):
        message = "Request would have succeeded, but DryRun flag is set."
        raise AwsError("DryRunOperation", message, 412)
