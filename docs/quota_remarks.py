"""What happens at AWS's limits, for docs/limits.md: by the names of `stacks.quotas`."""

REMARKS = {
    "functions at the same time": (
        "Jobs share what the account has and [wait](operations.md#the-queue) for the rest. Lambda "
        "refuses what is more all the same; the state machine tries again for ten minutes."
    ),
    "new environments of one function in ten seconds": (
        "Lambda refuses what is faster; the state machine tries again after some seconds. In an "
        "account with more than 1,000, the first chunks of a job start in steps."
    ),
    "memory of a function": (
        "The largest of `encode_sizes` is as large as Lambda allows. Where that is less, as in new "
        "accounts, `excamera deploy` leaves out what is too large."
    ),
    "time of a call": (
        "The setting is Lambda's own limit. A call that takes longer is tried again, then its job "
        "fails; smaller batches make shorter calls."
    ),
    "code of all versions of functions and layers": (
        "Unzipped, so more than what counts; each deployment adds what has changed. `excamera "
        "deploy` removes [old versions](deploy.md#upgrading)."
    ),
    "state transitions a second": (
        "Of many small pictures, whose chunks take a quarter of a second. Step Functions delays "
        "what is more, and nothing fails: the jobs take as many times as long. us-east-1, "
        "us-west-2 and eu-west-1 have 5,000, new accounts less. Longer chunks need fewer."
    ),
    "StartExecution in a burst": (
        "150 a second more. One call of `start` or `admit` starts all jobs for which there is "
        "room, one after another, and other calls leave them to it."
    ),
    "DescribeExecution in a burst": "One for each job that `admit` starts.",
    "DescribeExecution a second": (
        "If the API is asked for jobs as often as it allows, for minutes. It then answers 503 with "
        "the reason; `excamera` waits and asks again. Lower `api_rate`, or have the quota raised "
        "(15 in us-east-1, us-west-2 and eu-west-1)."
    ),
    "ListExecutions in a burst": "If every request to the API is for the list of jobs.",
    "open map runs": "More wait until another has ended.",
    "children that a map starts in a second": (
        "In the mean. The first children of a film are started in ten seconds, not all at once."
    ),
    "writes a second to a prefix": "As below.",
    "reads a second from a prefix": (
        "If S3 kept all jobs in one partition, as in a new bucket. It divides a bucket under load "
        "by prefixes, of which each job has its own; until then it answers `SlowDown`. The SDK "
        "tries a request five times, and the state machine the call four more times."
    ),
    "part of an upload": "Of an upload through the API, which has at most 1,000 parts.",
    "key": (
        "Of a result whose upload has the longest possible key with the shortest of `suffixes`. "
        "Its job fails in the first step; keys of 1,022 bytes are safe."
    ),
    "keys of a DeleteObjects": "Each request has as many as S3 takes.",
    "time of a request": (
        "API Gateway answers 504 after 29 s; the function may go on to its own limit. No request "
        "takes nearly as long: what does, such as removing a job's objects, runs in the background."
    ),
    "days that a message is kept": "The queue of undelivered events keeps them as long as it can.",
    "metrics of an alarm": (
        "The alarm for refused calls has one for each step and for each further size of encode, "
        "and their sum; what would be too many is refused as a setting."
    ),
    "segments a second": "X-Ray samples: a request each second and 5% of the others.",
    "resource policies of logs": (
        "Logs of state machines have names for which AWS needs no policy of the account."
    ),
    "uses of keys a second": (
        "Only with `kms_key`, and if S3 asked KMS for each request. The buckets' own keys spare "
        "most of that. Refused requests are tried again, as S3's. Many regions have 20,000, "
        "us-east-1, us-west-2 and eu-west-1 100,000."
    ),
    "GetSecretValue a second": "Only with `webhook_url`: one for each environment of `webhook`.",
    "data of a serverless cache": "Only with `mu_server`; the stack sets this limit itself.",
    "ECPUs of a serverless cache a second": "The same.",
}
