"""Workers on a real Redis, side by side with their peers: `python -m benchmarks.redis`."""
