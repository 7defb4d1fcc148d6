"""Campaigns of faults against real worker processes on real servers, and the proof that nothing is
lost: `python -m tests.chaos --help`.

A producer schedules, workers work (`worker_main`, `tasks`), faults happen (`faults`, on a `stage`),
and everybody keeps a book of what they have seen (`book`). When all is over, the `ledger` compares
the books with one another and with the store.
"""
