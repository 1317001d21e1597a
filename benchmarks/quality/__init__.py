"""Size against quality: docs/rate-distortion.md and docs/offsets.md."""
