"""Workers: they claim what is due, perform it, and settle it."""

from docket_sim.worker.worker import Worker

__all__ = ["Worker"]
