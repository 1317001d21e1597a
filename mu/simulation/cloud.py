"""The cloud as constants: what its services allow, and how long they take.

Each constant says where it comes from, in brackets. Limits are AWS's own and published. Times are
not: of most, AWS publishes no figure. Those are marked as assumptions, with what they rest on. A
test compares the limits with `stacks.quotas`, which the documentation takes its limits from. The
pages, as of November 2026:

- "Lambda quotas": https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
- "Lambda scaling behavior": https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
- "How Lambda handles errors and retries with asynchronous invocation":
  https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
- "Step Functions service quotas":
  https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
- "Using Map state in Distributed mode":
  https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
- "Why is Step Function's Distributed Map slow?":
  https://repost.aws/questions/QUn5oKgcnjRTemt39V9hdtyw/why-is-step-function-s-distributed-map-slow
- "Best practices design patterns: optimizing Amazon S3 performance":
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
- "Timeouts and Retries for Latency-Sensitive Applications":
  https://docs.aws.amazon.com/whitepapers/latest/s3-optimizing-performance-best-practices/timeouts-and-retries-for-latency-sensitive-applications.html
- "Amazon S3 Event Notifications":
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import inf

from mu.flow import Retry
from mu.retries import BUSY, DIED

_DIED = replace(DIED, errors=("Lambda.Unknown",))
_QUEUE_BUSY = Retry(BUSY.errors, attempts=10_000, interval_s=1, backoff=2.0, max_delay_s=300)


class Fanout(Enum):
    """How the bodies of a distributed map are begun."""

    STANDARD = "Standard children"
    """A distributed map, with a Standard execution for each item."""

    EXPRESS = "Express children"
    """The same with Express executions: begun faster, not priced by transitions, at most five
    minutes long."""

    INLINE = "inline maps"
    """Inline maps, nested as often as needed for 40 at once in each: no children, no gathering."""

    CALLBACK = "asynchronous calls"
    """One function calls all workers asynchronously; who ends last answers a Step Functions task
    that waits for a callback. Lambda's own queue tries refused calls again."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """What services allow and add. Times are seconds, rates are in a second.

    Attributes of Lambda:
        concurrency: functions that the account runs at once. [Lambda developer guide, "Lambda
            quotas": 1,000, raised to tens of thousands on request; new accounts have less, often
            10]
        ramp: environments that a function name gets in a second, and `ramp_burst` at once. ["Lambda
            scaling behavior": 1,000 environments every 10 seconds for each function, refilled
            continuously, never more than 1,000 at any instant]
        calls_of_concurrency: calls a second for each of `concurrency`. ["Lambda quotas": ten times
            the concurrency, for synchronous and asynchronous calls]
        timeout_s: longest call. ["Lambda quotas": 900 seconds]
        create_s: median time until a new environment begins its initialisation, not billed.
            [Assumption: no figure is published. Third parties measure 0.15 to 0.5 s for microVM
            and code of tens of MB]
        create_spread: sigma of its logarithm. [Assumption: a 99th percentile of three medians]
        bandwidth: bytes a second between a function and S3. [Assumption: third parties measure
            400 to 700 Mbit/s, whatever the memory: 625 Mbit/s]
        speed_spread: sigma of the logarithm of how long equal calls compute. [Assumption:
            processors of one kind of function differ by some percent]
        stragglers: share of calls that take much longer: at least `straggler_least` times, with a
            Pareto tail of `straggler_tail`, and at most `straggler_most` times. [Assumption. Wen
            et al., "Revisiting the Performance of Serverless Computing: An Analysis of Variance",
            arXiv 2305.04309, finds runs of small functions to differ by 44% in the mean, up to
            339%; long computations vary less]
        failures: share of calls whose worker dies. [Assumption; Lambda's SLA is 99.95% of requests]

    Attributes of Step Functions:
        transitions: state transitions a second of the account, and `transitions_burst` at once.
            ["Step Functions service quotas", quotas related to state throttling: 5,000 in
            us-east-1, us-west-2 and eu-west-1, 800 elsewhere, soft; new accounts have less]
        state_s: from the end of a state until the next is entered. [Assumption, with `invoke_s`:
            100 ms between two calls, as `excamera estimate` has it]
        invoke_s: from entering a task's state until Lambda has its call. [Assumption, as above]
        map_s: until a distributed map begins its first child. [Assumption]
        read_items_s: to read the list of items from S3. [Assumption: a GET and some parsing]
        standard_children: Standard children that a map begins in a second. [As `stacks.quotas`]
        express_children: Express children likewise. [Assumption: no rate for maps is published.
            "Step Functions service quotas" allows 6,000 StartExecution a second for Express; users
            see about 1,000]
        child_s: until a child enters its first state. [Assumption]
        gather_s: from the end of the last child, if there was one, until the map's state ends.
            [AWS re:Post, "Why is Step Function's Distributed Map slow?": a map over 100 Express
            children of one Pass state took more than 7 s, more than 6 of them after all children
            had ended. One user's measurement; AWS publishes none]
        most_children: children at once. ["Step Functions service quotas": 10,000]
        most_iterations: of an inline map at once. ["Using Map state in Distributed mode": 40. Of
            maps in a map AWS says nothing; assumption: each of them has as many]
        most_events: history of a Standard execution. ["Step Functions service quotas": 25,000]
        most_bytes: of an event. [the same page: 262,144]
        express_s: longest Express execution. [the same page: five minutes]
        busy: how the state machine tries a call again that Lambda refuses (`stacks` has the same).
        died: how it tries again when a worker has died.

    Attributes of asynchronous calls:
        queue_s: until Lambda's queue hands a call to a worker. [Assumption: no figure published]
        spread_calls: calls a second that a function begins which waits for their answers. [Measured
            for a function of one CPU: a request of botocore in a thread and a TLS connection of its
            own takes 1.6 ms of it]
        spread_s: until such a call reaches Lambda. [Assumption: a new connection, with TLS, and
            the request]
        dispatch: asynchronous calls that one function makes in a second. [Assumption: 50 threads
            with 25 ms for each request]
        asks: calls a second by which one function has environments made. [Measured for a function
            of one CPU: a request of botocore takes 0.7 ms of it, without TLS]
        queue_busy: how the queue tries again. ["How Lambda handles errors and retries with
            asynchronous invocation": from 1 second, exponentially, to 5 minutes, for 6 hours]
        callback_s: from SendTaskSuccess until the state ends. [Assumption: as `state_s`]

    Attributes of S3 and of events:
        request_s: median of a request for little data. ["Timeouts and Retries for Latency-Sensitive
            Applications", S3 whitepaper: for less than 512 KB the median is often some tens of ms]
        request_spread: sigma of its logarithm. [Assumption: the same paper has the slowest 1%
            tried again; here they take three medians]
        read_rate: GET and HEAD a second for a prefix. ["Best practices design patterns: optimizing
            Amazon S3 performance": 5,500; all of a job is counted as one prefix]
        write_rate: PUT likewise. [the same page: 3,500]
        event_s: from an upload until its event's function is called. [S3 user guide, "Amazon S3
            Event Notifications": "typically delivered in seconds"; assumption: one]
    """

    concurrency: int = 1000
    ramp: float = 100.0
    ramp_burst: float = 1000.0
    calls_of_concurrency: float = 10.0
    timeout_s: float = 900.0
    create_s: float = 0.25
    create_spread: float = 0.47
    bandwidth: float = 625e6 / 8
    speed_spread: float = 0.04
    stragglers: float = 0.01
    straggler_least: float = 1.3
    straggler_tail: float = 3.0
    straggler_most: float = 5.0
    failures: float = 0.0001

    transitions: float = 800.0
    transitions_burst: float = 800.0
    state_s: float = 0.05
    invoke_s: float = 0.05
    map_s: float = 0.3
    read_items_s: float = 0.2
    standard_children: float = 100.0
    express_children: float = 1000.0
    child_s: float = 0.05
    gather_s: float = 6.0
    most_children: int = 10_000
    most_iterations: int = 40
    most_events: int = 25_000
    most_bytes: int = 262_144
    express_s: float = 300.0
    busy: Retry = BUSY
    died: Retry = _DIED

    spread_calls: float = 600.0
    spread_s: float = 0.02

    queue_s: float = 0.1
    dispatch: float = 2000.0
    asks: float = 1000.0
    queue_busy: Retry = _QUEUE_BUSY
    callback_s: float = 0.05

    request_s: float = 0.025
    request_spread: float = 0.47
    read_rate: float = 5500.0
    write_rate: float = 3500.0
    event_s: float = 1.0

    def steady(self) -> Cloud:
        """This cloud without chance: every call takes the median, none fails or straggles."""
        return replace(
            self, create_spread=0.0, speed_spread=0.0, stragglers=0.0, failures=0.0,
            request_spread=0.0,
        )  # fmt: skip

    def instant(self) -> Cloud:
        """A steady cloud whose services take no time and have no rates: only `Work` takes time."""
        return replace(
            self.steady(), ramp=inf, ramp_burst=inf, calls_of_concurrency=inf, create_s=0.0,
            bandwidth=inf, transitions=inf, state_s=0.0, invoke_s=0.0, map_s=0.0, read_items_s=0.0,
            standard_children=inf, express_children=inf, child_s=0.0, gather_s=0.0, queue_s=0.0,
            spread_calls=inf, spread_s=0.0,
            dispatch=inf, asks=inf, callback_s=0.0, request_s=0.0, read_rate=inf, write_rate=inf,
            event_s=0.0,
        )  # fmt: skip

    @property
    def has_chance(self) -> bool:
        """Whether anything is drawn."""
        return any((self.create_spread, self.speed_spread, self.stragglers, self.failures,
                    self.request_spread))  # fmt: skip


CLOUD = Cloud()
"""An account with the default quotas, in a region like most."""
