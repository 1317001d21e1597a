"""The Lambda functions: one folder each, a thin handler over `excamera`."""
