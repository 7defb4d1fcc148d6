"""Small planted bugs, in the engine and in programs: proof that the search finds things."""
