"""The text of docs/performance.md around its figures."""

TEXT = """# Performance

Written by `make bench`; nothing here is written by hand. A real API server with what runs
Deployments, and the AWS simulator with {latency} ms per call, a SageMaker endpoint `Creating` or
`Updating` for {endpoint} s and VPC endpoints `pending` for {vpc_endpoint} s; {cpus} CPUs
({machine}), which the servers and the bench share; {build}. Figures are of one platform unless a
row says otherwise. The column *at most* has the bounds that the project sets itself.

A platform is two buckets, a model on SageMaker with autoscaling, a model in the cluster whose
weights are in a bucket, and a consumer. From that follow three roles, three VPC endpoints (S3,
SageMaker's runtime, STS) and their groups, in a VPC of its own: {resources} resources.

## Creation

{converge}

![Time to Ready by number of platforms](images/performance.svg)

**The chain of waits** is what AWS alone takes: {chain} s. It is computed from what each step of the
plan needs: one call that reads and then, along the longest path, one call for each resource of AWS
and the time that it takes to come up. That path is the group of the model, the model, its
configuration, its endpoint with its {endpoint} s, its scalable target, and the scaling policy:
{chain_calls} calls in a row. The {vpc_endpoint} s of VPC endpoints, the buckets, the roles and the
pods go on beside it. The time to Ready is bounded by 1.2 times the chain and 2 s.

Each platform's time begins when it appears in a watch, and ends when the watch shows it Ready. All
of them are created at once, and the operator shares the processors with the API server, which also
runs the controllers of Deployments, and with the simulator, which answers with one processor at a
time: what it takes of that for one call says how many it can answer in a second. Where the seconds
in which the processors can do all this come near the time to Ready, it is the machine that is
measured.

## At rest

{rest}

**Counted:** the calls of resyncs, over some intervals of resyncs that follow each other sooner than
they do by default ({resyncs} platforms); the calls of the first pass after a restart, which reads
everything, as one resync of each hour does; what an operator with `--drift-events` asks for in an
idle minute. **Computed from that:** an hour without events is five resyncs, one that reads
everything, and six questions for the identity of the credentials, which all platforms share. An
hour with events is one resync that reads lists, a 24th of a pass that reads everything else and a
168th of what is then read weekly, the idle minute 60 times, and these six; lists that platforms
share for half an hour are then read for each platform or twice, whichever is less. The reading
of the queue and its rule once an hour is left out. Requests to the API server of a platform are
those of six resyncs. Those of a process are the idle minute 60 times, its watches, each begun anew
every half an hour, and 20 readings of the definition.

## Drift

{drift}

Somebody with other credentials widens the policies of roles and deletes the lifecycle rules of
buckets, or, where resyncs are to find it, their public access block: lifecycle rules are read once
an hour. A repair ends when AWS has answered the operator's write. An event is in the queue
{delivery} ms after the call that it tells of; in AWS that takes seconds to minutes. Resyncs are
measured at short intervals, with changes at all times of one; their times follow from the interval
and not from the number of platforms.

## Rollout

Every platform gets a new image for its model on SageMaker at once. The chain of waits is a call
that reads, a model, a configuration, and the endpoint's update with its {endpoint} s:
{rollout_chain} s.

{rollout}

## Deletion

{deletion}

The operator runs with `--drift-events` here; calls for its own queues and rules are not counted.

## Weight

{weight}

## Calls

AWS calls of one platform, by operation.

{operations}

## Beside ACK

At {ten} platforms of {smaller} resources, without a network and a model in the cluster, against
ACK's five controllers with their defaults, ten platforms, measured before on the same servers with
much the same resources: one bucket there instead of two, shorter policies, and no tags on scalable
targets. ACK's time follows from its fixed pause of 30 s after an endpoint began, so that the first
ratio comes closer to 1 where endpoints take minutes.

{ack}
"""
