"""The use of a deployed stack from another machine, for the command line.

Everything about jobs goes through the stack's REST API, so a user needs no right but that to call
it. Only `account` knows the AWS SDK.
"""
