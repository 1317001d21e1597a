"""What the measurements share: sources, timing, circumstances, tables."""
