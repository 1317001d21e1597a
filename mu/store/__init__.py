"""Stores: the protocol, and a directory, memory and S3 that implement it."""
