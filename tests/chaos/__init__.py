"""Chaos: what holds when processes are killed, the broker is away, and machines disagree on the time.

`make chaos` runs all of it against real worker processes, PostgreSQL, Redis and an SMTP server; `make chaos-smoke` a
few of each. Every scenario prints a verdict with its figures. The portal itself has no hooks for this: a worker that is
to die somewhere is started by `tests.chaos.worker`, which wraps the functions that `tests.chaos.points` names.
"""
