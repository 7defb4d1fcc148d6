"""`python -m benchmarks.redis`: prints the tables."""

from benchmarks.redis.run import main

main()
