"""Linux programs as tasks: what one is given, how it runs, what it leaves."""
