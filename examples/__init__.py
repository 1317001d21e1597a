"""Programs to copy from: each is one module, with a test in `tests/examples` and a page."""
