"""`python -m benchmarks`: prints the table."""

from benchmarks.run import main

main()
