"""Workers that are processes of this machine, or of an environment of a cloud function."""
