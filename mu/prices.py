"""What AWS charges: list prices of us-east-1 in US dollars, as of 2026.

Other regions differ by a few percent.
"""

GB_SECOND_USD = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
"""Lambda's price of a second with 1,024 MB, by architecture."""

INVOCATION_USD = 0.20 / 1e6
TRANSITION_USD = 25 / 1e6  # Step Functions, Standard
EXPRESS_USD = 1.00 / 1e6  # Step Functions, an Express execution
EXPRESS_GB_SECOND_USD = 0.06 / 3600  # and its time, the first thousand GB-hours of a month
WRITE_USD = 0.005 / 1000  # S3: PUT, COPY, LIST and the requests of multipart uploads
READ_USD = 0.0004 / 1000  # S3: GET, HEAD

ECPU_USD = 0.0023 / 1e6
"""ElastiCache Serverless for Valkey: a simple command is one ECPU for each kB that it moves, and at
least one."""

CACHE_GB_HOUR_USD = 0.084
"""Of what it holds,"""
CACHE_LEAST_GB = 0.1
"""and for at least so much, also while it holds nothing."""

ENDPOINT_HOUR_USD = 0.01
"""An interface endpoint of a VPC, in each zone."""

HOURS_A_MONTH = 730
