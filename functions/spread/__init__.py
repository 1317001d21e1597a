"""The function that runs a map of the flow by calling all others."""
