"""`python -m docket_sim.cli` is `docket-sim`."""

from docket_sim.cli import main

if __name__ == "__main__":
    main()
