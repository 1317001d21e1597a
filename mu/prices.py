"""What AWS charges: list prices of us-east-1 in US dollars, as of 2026.

Other regions differ by a few percent.
"""

GB_SECOND_USD = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
"""Lambda's price of a second with 1,024 MB, by architecture."""

INVOCATION_USD = 0.20 / 1e6
TRANSITION_USD = 25 / 1e6  # Step Functions, Standard
WRITE_USD = 0.005 / 1000  # S3: PUT, COPY, LIST and the requests of multipart uploads
READ_USD = 0.0004 / 1000  # S3: GET, HEAD
