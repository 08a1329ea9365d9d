"""The sentence at the top of a scorecard: what each side kept, and the best and the worst promise with their figures.

Made from stored figures alone, so that page, paper, picture and mail say the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reports.promises import Line, Side

# Stands in a sentence where its figure comes, whatever the order of words in a language.
_GAP = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Said:
    """A sentence, perhaps with one figure in it that opens to its handoffs; `tone` is the class of the figure."""

    before: str
    figure: str = ""
    after: str = ""
    url: str = ""
    tone: str = ""

    def __str__(self) -> str:
        return f"{self.before}{self.figure}{self.after}"


def sentences(sides: Sequence[Side], *, handoffs: int, label: str, is_running: bool) -> list[Said]:
    """What the page says first, in order; `label` names the period."""
    if not sides:
        return [Said(_("Nothing was promised in %(period)s.") % {"period": label})]
    said = []
    if not handoffs:
        said.append(Said(_("No lead was handed over in %(period)s.") % {"period": label}))
    elif is_running:
        said.append(Said(_("So far in %(period)s:") % {"period": label}))
    said += [Said(text) for side in sides if (text := _kept(side, handoffs=handoffs, is_running=is_running))]
    return said + _extremes([line for side in sides for line in side.lines])


def plain(said: Iterable[Said]) -> str:
    """The sentences as text."""
    return " ".join(str(one) for one in said)


def margin(line: Line) -> float | None:
    """How far a promise lies above (below: negative) its target: of a share in points ÷ 100, of volume as a share of
    what was due. None without a verdict, and where so few verdicts say nothing (rule N3).
    """
    row = line.row
    if row["kept"] is None or row["attainment"] is None or line.is_too_few:
        return None
    return row["attainment"] - (1 if line.is_volume else row["target"])


def _kept(side: Side, *, handoffs: int, is_running: bool) -> str:
    """“Sales kept 2 of 3 promises (1 not decided yet).” Blank where no handoff and no verdict leave nothing to say."""
    words = {"party": side.label, "kept": side.kept, "judged": side.judged, "pending": side.pending}
    if not side.judged:
        if not handoffs:
            return ""
        if is_running:
            return _("%(party)s has no verdict yet.") % words
        return _("%(party)s has no data: none of its promises came to a verdict.") % words
    if not side.pending:
        kept = ngettext("%(party)s kept %(kept)s of %(judged)s promise.",
                        "%(party)s kept %(kept)s of %(judged)s promises.", side.judged)  # fmt: skip
    elif is_running:
        kept = ngettext("%(party)s kept %(kept)s of %(judged)s promise (%(pending)s not decided yet).",
                        "%(party)s kept %(kept)s of %(judged)s promises (%(pending)s not decided yet).",
                        side.judged)  # fmt: skip
    else:
        kept = ngettext("%(party)s kept %(kept)s of %(judged)s promise (no data for %(pending)s).",
                        "%(party)s kept %(kept)s of %(judged)s promises (no data for %(pending)s).",
                        side.judged)  # fmt: skip
    return kept % words


def _extremes(lines: Sequence[Line]) -> list[Said]:
    """The worst and the best promise, in words that fit: nobody is called the worst who kept a promise."""
    known = [(line, far) for line in lines if (far := margin(line)) is not None]
    if not known:
        is_any_judged = any(line.row["kept"] is not None for line in lines)
        return [Said(_("Too few verdicts to call any promise the best or the worst."))] if is_any_judged else []
    best, highest = max(known, key=lambda one: one[1])
    worst, lowest = min(known, key=lambda one: one[1])
    if highest == lowest:
        return [_best(best)] if best.row["kept"] else [_worst(worst)]
    if worst.row["kept"]:
        return [_best(best), _with(_("By the least: %(promise)s reached %(figure)s."), worst)]
    if best.row["kept"]:
        return [_worst(worst), _best(best)]
    return [_worst(worst), _with(_("Nearest to its target: %(promise)s reached %(figure)s."), best)]


def _best(line: Line) -> Said:
    return _with(_("Best kept: %(promise)s reached %(figure)s."), line)


def _worst(line: Line) -> Said:
    return _with(_("Furthest below its target: %(promise)s reached %(figure)s."), line)


def _with(sentence: str, line: Line) -> Said:
    before, _gap, after = (sentence % {"promise": line.mention, "figure": _GAP}).partition(_GAP)
    figure = _("%(reached)s against %(target)s") % {"reached": line.reached, "target": line.target}
    return Said(before, figure, after, line.reached_url, "ok" if line.row["kept"] else "bad")
