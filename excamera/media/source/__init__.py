"""Reading videos: finding the frames of a source, and reading exactly the planned ones."""
