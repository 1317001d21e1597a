"""What a long film costs before and beside its picture: the sound, the index, the plan."""
