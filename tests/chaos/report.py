"""The verdicts of a run: one line for each thing that was proved, and all that was not."""

import time
from collections.abc import Iterable


class Report:
    """Prints a line as soon as something is known, and remembers what was wrong."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.count = 0
        self._begun = time.monotonic()
        self._told = 0

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._begun

    def faults(self, where: str, found: Iterable[str]) -> None:
        """Something was looked at; nothing is said of it unless there are faults."""
        for fault in found:
            self.wrong.append(f"{where}: {fault}")
            print(f"         {where}: {fault}", flush=True)

    def check(self, where: str, is_so: bool, otherwise: str) -> None:
        """One thing that has to be so."""
        self.faults(where, [] if is_so else [otherwise])

    def line(self, what: str, figures: str) -> None:
        """What was looked at, with its figures, and whether anything of it was wrong."""
        new = len(self.wrong) - self._told
        self._told = len(self.wrong)
        self.count += 1
        print(f"{self.seconds:6.0f} s  {what}: {f'{new} WRONG' if new else 'ok'} ({figures})", flush=True)
