"""`python -m tests.chaos`, from the project's root."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the tests find `chaos` and `servers`

from chaos.command import main

if __name__ == "__main__":
    sys.exit(main())
