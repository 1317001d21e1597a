"""Measures the executor of mu beside others that run functions on processes of one machine."""
