"""Messages between workers: latency and bandwidth of every channel, and what requests cost."""
