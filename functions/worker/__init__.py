"""Runs calls of mu's executors."""
