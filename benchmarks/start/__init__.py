"""What a function's environment needs before its first call: sizes, and the time of its imports."""
