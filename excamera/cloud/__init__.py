"""Using a deployed stack from one's own machine: what the command line is made of.

Everything about jobs goes through the stack's REST API, so that a user needs the right to call
it and no other. Only `account` knows the AWS SDK.
"""
