"""The Lambda functions: a folder each, with a thin handler over `excamera`."""
