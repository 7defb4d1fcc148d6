"""What docket-sim costs, side by side with its peers: `python -m benchmarks`."""
