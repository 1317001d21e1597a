"""Shared by the measurements: sources, timing, circumstances, tables."""
