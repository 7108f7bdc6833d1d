"""The figures, for people."""

from __future__ import annotations

from counting import Figures

Rows = list[tuple[str, str]]

# What the operator is meant to hold, beside what it did.
CALLS_PER_RESOURCE, CALLS_PER_RESYNC, CALLS_PER_ENDPOINT, MEMORY_MB = 3, 30, 6, 60
EC2_CALLS, EC2_CALLS_OF_MANY = 4, 8


def table(figures: Figures) -> str:
    """All of them."""
    rows = [*_plan(figures["plan"]), *_single(figures["single"])]
    rows += [*_network(figures["network"], figures["networks"]), *_many(figures)]
    width = max(len(label) for label, _ in rows) + 2
    return "\n".join(f"{label:<{width}}{value}".rstrip() for label, value in rows)


def _plan(plan: Figures) -> Rows:
    network = {True: "same output", False: "ANOTHER OUTPUT", None: "not tried"}
    return [
        ("plan of examples/storage.yaml", ""),
        ("  time", f"{plan['median_ms']} ms ({plan['min_ms']} to {plan['max_ms']})"),
        ("  without network or credentials", network[plan["same_without_network"]]),
    ]


def _single(single: Figures) -> Rows:
    created, resync, after = single["creation"], single["resync"], single["resync_after"]
    whole = single["everything"]
    rollout, late, polls = single["rollout"], single["late_role"], single["polls"]
    each = f"{created['counted_calls_per_resource']} per resource (at most {CALLS_PER_RESOURCE})"
    instances = f"{rollout['instances_before']} before, {rollout['instances_after']} after"
    return [
        (f"one platform of {created['resources']} resources, two of them endpoints", ""),
        ("  to Ready", _time(created)),
        ("  AWS calls", f"{_calls(created)}: {_services(created)}"),
        ("  the same question three times at most", f"{created['counted_calls']}, {each}"),
        ("a resync of it", ""),
        ("  AWS calls", f"{_calls(resync)} (at most {CALLS_PER_RESYNC}): {_services(resync)}"),
        ("  of an endpoint with, without scaling", _endpoints(resync)),
        ("  of a pass that reads everything, too", f"{_calls(whole)}: {_services(whole)}"),
        ("a new image, after scaling to 5 instances", ""),
        ("  to Ready", _time(rollout)),
        ("  AWS calls", f"{_calls(rollout)}: {_services(rollout)}"),
        ("  written", ", ".join(rollout["written"])),
        ("  instances", instances),
        ("a resync after that", ""),
        ("  AWS calls", f"{_calls(after)} (at most {CALLS_PER_RESYNC}): {_services(after)}"),
        ("  of an endpoint with, without scaling", _endpoints(after)),
        ("a platform of one endpoint, whose new role SageMaker knows late", ""),
        ("  to Ready", _time(late)),
        ("  AWS calls", f"{_calls(late)}: {_services(late)}"),
        ("an endpoint that takes long", ""),
        ("  asked", f"{polls['asked']} times in {polls['seconds']} s"),
        ("  seconds between two times", " ".join(f"{gap:g}" for gap in polls["gaps_s"])),
    ]


def _network(one: Figures, many: Figures) -> Rows:
    created, resync = one["creation"], one["resync"]
    return [
        (f"a platform of {created['endpoints']} VPC endpoints, and a bucket behind one", ""),
        ("  to Ready", _time(created)),
        ("  AWS calls", f"{_calls(created)}: {_services(created)}"),
        ("a resync of it", ""),
        ("  AWS calls", f"{_calls(resync)}: {_services(resync)}"),
        ("  of EC2", _ec2(resync, EC2_CALLS)),
        (f"a pass over {many['platforms']} platforms of one VPC and account", ""),
        ("  AWS calls", f"{_calls(many)}: {_services(many)}"),
        ("  of EC2", _ec2(many, EC2_CALLS_OF_MANY)),
    ]


def _ec2(part: Figures, most: int) -> str:
    return f"{part['services'].get('ec2', 0)} (at most {most})"


def _many(figures: Figures) -> Rows:
    created, steady, count = figures["creation"], figures["steady"], figures["platforms"]
    what = f"{count} platforms of 2 buckets and an endpoint"
    rows = [
        (f"{what}, {figures['latency_ms']} ms per AWS call", ""),
        (
            "  to all Ready",
            f"{created['all_ready_s']} s (kubectl create: {created['all_created_s']} s)",
        ),
        ("  AWS calls per platform", _per_platform(created)),
        ("  status writes per platform", str(created["status_writes_per_platform"])),
        (
            "  resident memory",
            f"{_memory(created)} (before: {created['idle_resident_mb']} MB)",
        ),
        ("  processor time", f"{created['processor_s']} s"),
        ("a pass over all of them that changes nothing", ""),
        ("  time", f"{steady['all_looked_at_s']} s (kubectl annotate: {steady['all_asked_s']} s)"),
        ("  AWS calls per platform", _per_platform(steady)),
        (
            "  status writes, changed objects",
            f"{steady['status_writes']}, {steady['objects_changed']}",
        ),
        ("  resident memory", f"{_memory(steady)} (at most {MEMORY_MB} MB)"),
        ("  processor time", f"{steady['processor_s']} s"),
        ("AWS calls", f"{'one':>10}{'resync':>10}{'rollout':>10}{'many':>10}{'steady':>10}"),
    ]
    single = figures["single"]
    parts = [single["creation"], single["resync"], single["rollout"], created, steady]
    for name in sorted({name for part in parts for name in part["operations"]}):
        numbers = (part["operations"].get(name, 0) for part in parts)
        rows.append((f"  {name}", "".join(f"{number:>10}" for number in numbers)))
    return rows


def _time(part: Figures) -> str:
    bounds = f"AWS takes {part['wait_s']} s of it, at most {part['bound_s']} s"
    return f"{part['ready_s']} s ({bounds})"


def _calls(part: Figures) -> str:
    return f"{part['reads']} reads, {part['writes']} writes"


def _services(part: Figures) -> str:
    return ", ".join(f"{service} {number}" for service, number in part["services"].items())


def _endpoints(part: Figures) -> str:
    numbers = f"{part['scaled_endpoint_calls']}, {part['unscaled_endpoint_calls']}"
    return f"{numbers} (at most {CALLS_PER_ENDPOINT})"


def _per_platform(part: Figures) -> str:
    return f"{part['reads_per_platform']} reads, {part['writes_per_platform']} writes"


def _memory(part: Figures) -> str:
    return f"{part['resident_mb']} MB, of which the program {part['program_mb']} MB"
