"""The search turned on the engine itself: everything at once, under everything that can go wrong."""
