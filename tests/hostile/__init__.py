"""The search turned on the engine itself: everything at once, under all that can go wrong."""
