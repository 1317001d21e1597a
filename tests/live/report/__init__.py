"""Measures what only an account can show, on a deployed stack, and prints a report.

    python -m tests.live.report --stack ExCamera > report.md

It uses the stack as its owner does, with the environment's usual credentials and region: uploads a
clip, runs functions on the executors' workers, and makes a state machine, a role, a queue and a
rule of its own, which it removes again. It says beforehand what it will do and cost, and asks.
"""
