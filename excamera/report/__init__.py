"""What happened in an encode, for people to look at: its facts, measured and drawn."""
