"""The console: a page about jobs, and what serves it on one machine."""
