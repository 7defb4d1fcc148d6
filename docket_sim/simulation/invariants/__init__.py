"""Invariants: what must hold in every run. All are checked, unless they are switched off.

    not-early       nothing runs before it is due
    one-at-a-time   one key never runs twice at once, within its lease
    fenced          a superseded settlement changes nothing
    nothing-lost    no accepted execution is lost
    attempts        attempts never exceed what the policy allows
    retry-delay     the delay before a retry is that of the policy
    teardown        what an attempt has entered is left once, in reverse order
    liveness        what is due is given to a worker that asks and has room
    clean-end       nothing is left leased or blocked when all has ended
    no-busy-loop    an idle worker asks the store a bounded number of times a second
    indexes         each index of the store agrees with the others after each call

That everything due ends at last, whatever has gone wrong, and that others get on while one worker
is stuck, is what `run_until_idle` waits for: a run in which it does not ends in `Deadlock` or
`EndlessRun`.
"""
