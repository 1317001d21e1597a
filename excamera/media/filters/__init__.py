"""FFmpeg's filters over the pictures of a film, which workers run on their parts of it."""
