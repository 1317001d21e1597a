"""The Step Functions process: localstack-core's interpreter behind a few HTTP calls.

Runs under `build/emulator/states`, apart from MiniStack, whose pinned botocore differs.
"""
