"""The function that has environments of others made."""
