"""A module whose own import fails."""

import no_such_library_at_all  # noqa: F401 - it is there to be missed
