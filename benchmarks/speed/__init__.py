"""Speed and memory of the codec: docs/benchmarks.md."""
