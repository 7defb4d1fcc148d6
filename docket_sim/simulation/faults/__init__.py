"""What can go wrong in a simulation: on the way to the store and back, and with its workers."""
