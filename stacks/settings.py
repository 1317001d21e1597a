"""The stack's settings, from the context in `cdk.json` or `cdk deploy -c name=value`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from constructs import Node

from excamera.errors import OptionError
from excamera.job.options import EncodeOptions
from excamera.job.packing import MOST_CHILDREN, MOST_SHARES, SPREAD_CALLS
from excamera.job.steps import DEFAULT_MEMORY_MB, ENCODE_SIZES_MB, ENCODING, STEPS, Per
from mu.fanout import MOST_AT_ONCE
from stacks import public_key
from stacks.quotas import quota

OWN_TAGS = ("app", "stack")
"""Cost-allocation tags that every resource has without being asked for."""

MOST_TAGS = quota("tags of a resource").most
"""Tags that AWS allows a resource."""

_NETWORKS_TAGS = 3
"""Tags that the CDK gives the subnets of `mu_server`: a name and what they are for."""

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
            2557, 2922, 3288, 3653)  # fmt: skip
"""The numbers of days for which CloudWatch can keep logs."""

CANARIES = (
    *(f"Canary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
    "Linear10PercentEvery1Minute",
    *(f"Linear10PercentEvery{minutes}Minutes" for minutes in (2, 3, 10)),
)
"""CodeDeploy's own ways to shift the calls of functions, without ``CodeDeployDefault.Lambda``."""

_MEMORY_MB = range(128, 10_241)

WATCHED_FOR_REFUSALS = tuple(step.name for step in STEPS if step.per is not Per.PROBE)
"""The steps whose refused calls an alarm is about. Where the few calls of probe are refused, so are
those of encode that follow."""

MOST_SIZES = quota("metrics of an alarm").most - len(WATCHED_FOR_REFUSALS) - 1
"""Further sizes of encode: one alarm is about the sum of these functions."""

SMALLEST_SCRATCH_MB = 512
"""The smallest `/tmp` of a function, which costs nothing."""
_SCRATCH_MB = range(SMALLEST_SCRATCH_MB, 10_241)
_PYTHON = re.compile(r"3\.1\d")
_BUCKET = re.compile(r"(?!xn--|sthree-|amzn-s3-demo-)(?!\d+(\.\d+){3}$)(?!.*\.\.)"
                     r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)(?<!\.mrap)"
                     r"(?<!--x-s3)(?<!--table-s3)")  # fmt: skip
_KEY = re.compile(r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+")
_PREFIX = re.compile(r"[ -)+->@-~\xa0-\xff]*")
"""What IAM's policies can say literally: of Latin-1 all but control characters, * and ?."""
_MOST_PREFIX_BYTES = 512
"""Half of what S3 allows a key: the other half is for the names of jobs and files."""
_HTTPS = re.compile(r"https://[^\s/@]+(/\S*)?")
_HOST = re.compile(
    r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])"
)
_CERTIFICATE = r"arn:aws[\w-]*:acm:{}:\d{{12}}:certificate/[\w-]+"
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_TAG = re.compile(r"[\w .:/=+@-]{1,128}")


class SettingError(ValueError):
    """A context value is out of range or malformed; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """docs/deploy.md describes every field; the names are those of the context.

    Attributes:
        architecture: "arm64" or "x86_64", of every function.
        python: version of Lambda's Python runtime, such as "3.14".
        memory_mb: memory of each function, by its name; the context has only what differs from
            `excamera.job.steps`.
        encode_sizes: further sizes of memory, in MB, in which the function encode is there, for
            jobs that choose one.
        scratch_mb: size of `/tmp` of the index function.
        timeout_s: time limit of the functions that work on video.
        workers_at_once: functions that all jobs together may run at the same time; 0 for as many
            as the account allows.
        front_reserved: calls at the same time that are reserved for each function that serves
            jobs (`Function.front` in `excamera.job.steps`); 0 for none.
        job_workers: functions that may encode one job at the same time.
        batch_workers: functions that may encode one batch, at most 40.
        spread_calls: calls of batches, or of spans, under way at once, up to which one function
            begins all of them, and not a child execution each; 0 for never.
        snap_start: functions of which new environments begin with a snapshot of one; each costs
            something at all times.
        warm_ahead: whether a job has environments of functions made before it needs them.
        provisioned: environments of the function encode that are always ready, and cost something
            at all times; 0 for none.
        job_timeout_s: time limit of one job.
        suffixes: file name endings that start a job, with their dot, in either case.
        prefix: only keys that begin with it start a job.
        options: default encode options, as `excamera.job.options.EncodeOptions` takes them.
        input_bucket: name of an existing bucket to use, or "" for one of the stack's own.
        work_bucket: the same for intermediates.
        output_bucket: the same for results.
        intermediates_days: days after which intermediates expire.
        log_days: days for which logs are kept.
        removal: "retain" or "destroy", what happens to the buckets when the stack is destroyed.
        source_buckets: other buckets from which the API may take sources.
        max_source_gb: the largest upload that the API accepts, in GB.
        api_auth: "iam" or "key", how callers of the API authenticate.
        api_rate: requests that the API takes a second.
        api_burst: requests that it takes at once.
        api_requests_a_day: requests that it takes a day from the holder of the key.
        cors_origins: web pages' origins from which browsers may call the API.
        webhook_url: receives notices of the ends of jobs; "" for none.
        alarm_email: address for alarms and the budget's letters; "" for none.
        canary: how CodeDeploy moves calls to new versions, one of `CANARIES`; "" for at once.
        tags: cost-allocation tags besides `OWN_TAGS`.
        max_usd_per_job: a job that is expected to cost more does not start; 0 for no limit.
        max_usd_per_month: a job does not start if its month is expected to cost more; 0 for no
            limit.
        budget_usd: monthly cost at which `alarm_email` gets a letter; 0 for no budget.
        mu_memory_mb: memory sizes of mu's workers.
        mu_names: functions of each architecture and size; Lambda starts 1,000 environments in ten
            seconds for each.
        mu_scratch_mb: size of `/tmp` of mu's workers.
        mu_read_buckets: buckets that calls of executors may read, besides input and output.
        mu_write_buckets: buckets that they may read and write, besides output.
        mu_server: "valkey" for a server that carries the messages of gangs, and costs something at
            all times; "" for none.
        tracing: whether X-Ray records traces.
        kms_key: encrypts the stack's buckets, logs, topics and queue: "create" for a key of the
            stack's own, the ARN of an existing one, or "" for AWS's.
        bucket_kms_keys: ARNs of more keys, with which existing buckets are encrypted.
        api_logs: "existing-role" or "own-role" for a log of the API's requests, which needs a role
            that is set for the whole account and region; "" for none.
        source_days: days after which uploads expire; 0 for never.
        cloudfront_public_keys: keys that CloudFront trusts to sign URLs of results, in PEM or as
            the files that have them; the first is used, and without any there is no CloudFront.
        cloudfront_domain: name of the host from which CloudFront serves results; "" for its own.
        cloudfront_certificate_arn: of the certificate for that name.
        api_domain: name of the API's host; "" for API Gateway's own.
        api_certificate_arn: of the certificate for that name.
    """

    architecture: Literal["arm64", "x86_64"]
    python: str
    memory_mb: dict[str, int]
    scratch_mb: int
    timeout_s: int
    job_workers: int
    batch_workers: int
    job_timeout_s: int
    suffixes: list[str]
    prefix: str
    options: dict[str, Any] = field(default_factory=dict)
    encode_sizes: list[int] = field(default_factory=lambda: list(ENCODE_SIZES_MB))
    workers_at_once: int = 0
    front_reserved: int = 0
    spread_calls: int = SPREAD_CALLS
    snap_start: list[str] = field(default_factory=list)
    provisioned: int = 0
    warm_ahead: bool = True
    input_bucket: str = ""
    work_bucket: str = ""
    output_bucket: str = ""
    intermediates_days: int = 7
    log_days: int = 30
    removal: Literal["retain", "destroy"] = "retain"
    source_buckets: list[str] = field(default_factory=list)
    max_source_gb: int = 500
    api_auth: Literal["iam", "key"] = "iam"
    api_rate: int = 20
    api_burst: int = 40
    api_requests_a_day: int = 10_000
    cors_origins: list[str] = field(default_factory=list)
    webhook_url: str = ""
    alarm_email: str = ""
    canary: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    max_usd_per_job: float = 0
    max_usd_per_month: float = 0
    budget_usd: float = 0
    mu_memory_mb: list[int] = field(default_factory=lambda: [1769, 3008])
    mu_names: int = 2
    mu_scratch_mb: int = 512
    mu_read_buckets: list[str] = field(default_factory=list)
    mu_write_buckets: list[str] = field(default_factory=list)
    mu_server: Literal["", "valkey"] = ""
    tracing: bool = True
    kms_key: str = ""
    bucket_kms_keys: list[str] = field(default_factory=list)
    api_logs: Literal["", "existing-role", "own-role"] = ""
    source_days: int = 0
    cloudfront_public_keys: list[str] = field(default_factory=list)
    cloudfront_domain: str = ""
    cloudfront_certificate_arn: str = ""
    api_domain: str = ""
    api_certificate_arn: str = ""

    def __post_init__(self) -> None:
        """Reject settings that cannot be deployed or do not mean what they seem to.

        What depends on the whole template is in `stacks.limits`; on the region, in
        `stacks.regions`.
        """
        for one in fields(self):
            _of_type(one.name, getattr(self, one.name), str(one.type))
        _one_of("architecture", self.architecture, ("arm64", "x86_64"))
        _one_of("removal", self.removal, ("retain", "destroy"))
        _one_of("api_auth", self.api_auth, ("iam", "key"))
        if not _PYTHON.fullmatch(self.python):
            raise SettingError(f"python must be a version such as 3.14, not {self.python!r}")
        for name, memory in self.memory_mb.items():
            if name not in DEFAULT_MEMORY_MB:
                known = ", ".join(DEFAULT_MEMORY_MB)
                raise SettingError(f"memory_mb: there is no function {name}; there are {known}")
            _within(f"memory_mb of {name}", memory, _MEMORY_MB)
        for memory in self.encode_sizes:
            _within("encode_sizes", memory, _MEMORY_MB)
        if len(self.encode_sizes) > MOST_SIZES:
            raise SettingError(f"encode_sizes: an alarm watches the throttled calls of all steps "
                               f"and of at most {MOST_SIZES} more sizes")  # fmt: skip
        _within("scratch_mb", self.scratch_mb, _SCRATCH_MB)
        _within("timeout_s", self.timeout_s, range(10, 901))
        _within("workers_at_once", self.workers_at_once, range(100_001))
        _within("front_reserved", self.front_reserved, range(101))
        _within("job_workers", self.job_workers, range(1, MOST_CHILDREN + 1))
        _within("batch_workers", self.batch_workers, range(1, MOST_SHARES + 1))
        _within("spread_calls", self.spread_calls, range(MOST_AT_ONCE + 1))
        _within("provisioned", self.provisioned, range(10_001))
        self._check_snapshots()
        _within("max_source_gb", self.max_source_gb, range(1, 5001))
        _within("api_rate", self.api_rate, range(1, 10_001))
        _within("api_burst", self.api_burst, range(1, 5001))
        _within("api_requests_a_day", self.api_requests_a_day, range(1, 100_000_001))
        _within("job_timeout_s", self.job_timeout_s, range(60, 31_536_001))
        _within("source_days", self.source_days, range(3651))
        _one_of("api_logs", self.api_logs, ("", "existing-role", "own-role"))
        _within("intermediates_days", self.intermediates_days, range(1, 3651))
        if self.log_days not in LOG_DAYS:
            days = ", ".join(map(str, LOG_DAYS))
            raise SettingError(f"log_days must be one of {days}, not {self.log_days!r}")
        try:
            EncodeOptions.from_json(self.options)
        except OptionError as error:
            raise SettingError(f"options: {error}") from error
        if not self.suffixes or not all(s.startswith(".") and len(s) > 1 for s in self.suffixes):
            raise SettingError('suffixes must be a list such as [".mp4", ".mov"]')
        if not _PREFIX.fullmatch(self.prefix) or "${" in self.prefix:
            raise SettingError(
                "prefix must be of Latin letters, digits and signs other than *, ? and ${, as it "
                f"stands in policies of IAM: {self.prefix!r}"
            )
        if len(self.prefix.encode()) > _MOST_PREFIX_BYTES:
            raise SettingError(f"prefix must have at most {_MOST_PREFIX_BYTES} bytes, as the keys "
                               "of S3, which begin with it, have at most 1,024")  # fmt: skip
        for origin in self.cors_origins:
            if not re.fullmatch(r"https?://[^/*\s]+", origin):
                raise SettingError(
                    f"cors_origins must be origins such as https://example.com, not {origin!r}"
                )
        self._check_buckets()
        self._check_executors()
        self._check_operations()
        self._check_keys()
        self._check_domains()

    def sizes_of(self, name: str) -> list[int]:
        """The sizes of memory of a function, in MB; the usual one is the first."""
        usual = self.memory_mb[name]
        further = self.encode_sizes if name == ENCODING else []
        return [usual, *(one for one in further if one != usual)]

    def _check_snapshots(self) -> None:
        for name in self.snap_start:
            if name not in DEFAULT_MEMORY_MB:
                known = ", ".join(DEFAULT_MEMORY_MB)
                raise SettingError(f"snap_start: there is no function {name}; there are {known}")
        if self.snap_start and int(self.python.split(".")[1]) < 12:
            raise SettingError("snap_start needs python 3.12 or newer")
        if "index" in self.snap_start and self.scratch_mb > SMALLEST_SCRATCH_MB:
            raise SettingError("snap_start: Lambda takes no snapshots of functions with more than "
                               f"{SMALLEST_SCRATCH_MB} MB of /tmp: lower scratch_mb, or leave out "
                               "index")  # fmt: skip
        if "encode" in self.snap_start and self.provisioned:
            raise SettingError("snap_start: Lambda takes no snapshots of functions with "
                               "provisioned environments: leave out encode, or set provisioned "
                               "to 0")  # fmt: skip

    def _check_buckets(self) -> None:
        named = [b for b in (self.input_bucket, self.work_bucket, self.output_bucket) if b]
        if len(set(named)) < len(named):
            raise SettingError("input, work and output must be different buckets: a result in "
                               "the input bucket would start a job of its own")  # fmt: skip
        for name in ("input_bucket", "work_bucket", "output_bucket", "source_buckets",
                     "mu_read_buckets", "mu_write_buckets"):  # fmt: skip
            value = getattr(self, name)
            for bucket in [value] if isinstance(value, str) else value:
                if not _BUCKET.fullmatch(bucket) and value:
                    raise SettingError(f"{name}: {bucket!r} is no name of a bucket")
        if self.source_days and self.input_bucket:
            raise SettingError("source_days: the stack changes no existing bucket: give "
                               f"{self.input_bucket} a lifecycle rule")  # fmt: skip

    def _check_keys(self) -> None:
        if self.kms_key not in ("", "create") and not _KEY.fullmatch(self.kms_key):
            raise SettingError(f'kms_key must be the ARN of a key, "create" or "", not '
                               f"{self.kms_key!r}")  # fmt: skip
        for key in self.bucket_kms_keys:
            if not _KEY.fullmatch(key):
                raise SettingError(f"bucket_kms_keys must be ARNs of keys, not {key!r}")

    def _check_domains(self) -> None:
        for key in self.cloudfront_public_keys:
            try:
                public_key.read(key)
            except ValueError as error:
                raise SettingError(f"cloudfront_public_keys: {error}") from error
        if self.cloudfront_domain and not self.cloudfront_public_keys:
            raise SettingError("cloudfront_domain needs cloudfront_public_keys, without which "
                               "there is no CloudFront")  # fmt: skip
        for of, usual in (("cloudfront", "us-east-1"), ("api", r"[\w-]+")):
            domain, arn = getattr(self, f"{of}_domain"), getattr(self, f"{of}_certificate_arn")
            if bool(domain) != bool(arn):
                raise SettingError(f"{of}_domain and {of}_certificate_arn need each other")
            if domain and not _HOST.fullmatch(domain):
                raise SettingError(f"{of}_domain must be a name such as films.example.com, not "
                                   f"{domain!r}")  # fmt: skip
            if arn and not re.fullmatch(_CERTIFICATE.format(usual), arn):
                where = " of us-east-1, where CloudFront looks for it" if of != "api" else ""
                raise SettingError(f"{of}_certificate_arn must be the ARN of a certificate of "
                                   f"ACM{where}, not {arn!r}")  # fmt: skip
        if self.api_domain and self.api_domain == self.cloudfront_domain:
            raise SettingError("api_domain and cloudfront_domain must be different names")

    def _check_executors(self) -> None:
        if not self.mu_memory_mb or len(set(self.mu_memory_mb)) < len(self.mu_memory_mb):
            raise SettingError("mu_memory_mb must be a list of different sizes, such as [1769]")
        for memory in self.mu_memory_mb:
            _within("mu_memory_mb", memory, range(256, 10_241))
        _within("mu_names", self.mu_names, range(1, 11))
        _within("mu_scratch_mb", self.mu_scratch_mb, _SCRATCH_MB)
        if self.mu_server not in ("", "valkey"):
            raise SettingError(f'mu_server must be "valkey" or "", not {self.mu_server!r}')
        named = [*self.mu_read_buckets, *self.mu_write_buckets]
        if len(set(named)) < len(named):
            raise SettingError("mu_read_buckets and mu_write_buckets name a bucket twice: buckets "
                               "that may be written may also be read")  # fmt: skip

    def _check_operations(self) -> None:
        if self.webhook_url and not _HTTPS.fullmatch(self.webhook_url):
            raise SettingError(f"webhook_url must be an https:// URL, not {self.webhook_url!r}")
        if self.alarm_email and not _EMAIL.fullmatch(self.alarm_email):
            raise SettingError(f"alarm_email must be an address, not {self.alarm_email!r}")
        if self.canary and self.canary not in CANARIES:
            known = ", ".join(CANARIES)
            raise SettingError(f'canary must be "" or one of {known}, not {self.canary!r}')
        most = MOST_TAGS - len(OWN_TAGS) - _NETWORKS_TAGS
        if len(self.tags) > most:
            raise SettingError(
                f"tags: AWS allows a resource {MOST_TAGS}, of which {most} can be yours, not "
                f"{len(self.tags)}"
            )
        kept = [name.lower() for name in (*OWN_TAGS, *self.tags)]
        for name, value in self.tags.items():
            if kept.count(name.lower()) > 1 and name not in OWN_TAGS:
                raise SettingError(f"tags: {name} differs from another only in case, which IAM "
                                   "does not take")  # fmt: skip
            if not (isinstance(value, str) and _TAG.fullmatch(name) and _TAG.fullmatch(value)):
                raise SettingError(f"tags: {name!r}: {value!r} is not a valid tag")
            if name in OWN_TAGS or name.lower().startswith("aws:"):
                raise SettingError(f"tags: {name} is reserved")
        for name in ("max_usd_per_job", "max_usd_per_month", "budget_usd"):
            usd = getattr(self, name)
            if not 0 <= usd <= 1e9:
                raise SettingError(f"{name} must be dollars, not {usd!r}")
        if self.budget_usd and not self.alarm_email:
            raise SettingError("budget_usd needs an alarm_email to send its letters to")

    @classmethod
    def from_context(cls, node: Node) -> Settings:
        """The settings of an app; values from the command line are text and parsed as JSON.

        Raises:
            SettingError: a value is missing, malformed or out of range.
        """
        values: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            value = node.try_get_context(name)
            if value is None:
                continue
            values[name] = _parsed(name, value)
        values["memory_mb"] = _with_defaults(values.get("memory_mb", {}))
        try:
            return cls(**values)
        except TypeError as error:
            raise SettingError(f"the context of cdk.json is incomplete: {error}") from error


_TEXTS = ("architecture", "python", "prefix", "input_bucket", "work_bucket", "output_bucket",
          "removal", "api_auth", "webhook_url", "alarm_email", "mu_server", "kms_key",
          "api_logs", "canary", "cloudfront_domain", "cloudfront_certificate_arn", "api_domain",
          "api_certificate_arn")  # fmt: skip


def _parsed(name: str, value: Any) -> Any:
    if name in _TEXTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise SettingError(f"{name} must be JSON, not {value!r}") from None


def _with_defaults(memory_mb: Any) -> dict[str, int]:
    if not isinstance(memory_mb, dict):
        raise SettingError(f'memory_mb must be an object such as {{"encode": 3008}}, '
                           f"not {memory_mb!r}")  # fmt: skip
    return {**DEFAULT_MEMORY_MB, **memory_mb}


def _of_type(name: str, value: Any, kind: str) -> None:
    """Refuse a value of another type than its field's; lists must name nothing twice."""
    match kind.partition("[")[0]:
        case "list":
            of, what = (int, "numbers") if kind == "list[int]" else (str, "texts")
            if not isinstance(value, list) or not all(type(one) is of for one in value):
                raise SettingError(f"{name} must be a list of {what}, not {value!r}")
            twice = [one for one in value if value.count(one) > 1]
            if twice and name != "mu_memory_mb":
                raise SettingError(f"{name} names {twice[0]} twice")
        case "dict":
            if not isinstance(value, dict):
                raise SettingError(f"{name} must be an object, not {value!r}")
        case "bool":
            if not isinstance(value, bool):
                raise SettingError(f"{name} must be true or false, not {value!r}")
        case "int" | "float":
            if type(value) not in (int, float):
                raise SettingError(f"{name} must be a number, not {value!r}")
        case _:
            if not isinstance(value, str):
                raise SettingError(f"{name} must be text, not {value!r}")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        named = ", ".join(one or '""' for one in known)
        raise SettingError(f"{name} must be one of {named}, not {value!r}")


def _within(name: str, value: int, allowed: range) -> None:
    if type(value) is not int or value not in allowed:
        raise SettingError(f"{name} must be {allowed.start} to {allowed.stop - 1}, not {value!r}")
