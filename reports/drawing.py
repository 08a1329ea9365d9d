"""Draws the parts of a scorecard's page. What they say is the same for every reader of a language."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from leads.periods import UNITS, Period
from reports import breakdowns, pace_lines, paper, rendering, sealed_editions, sheet
from reports.refresh import LIVE_MONTHS, measured, recent_months
from reports.rendering import Edition
from slaportal.models import User
from slaportal.templatetags import display

# The page from top to bottom.
SEAL, RESTATABLE = "seal", "seal-restate"
STEPPER, TOOLS = "stepper", "tools"
HEAD, MEANWHILE, BODY = "head", "meanwhile", "body"
# Before the name of a dimension, and the tab of all maps of heat.
BY, WEEKS = "by-", "week"


def part(edition: Edition, name: str) -> bytes:
    """A part of the page, as UTF-8."""
    return _drawn(edition, *_made(edition, name))


def ahead(*, now: datetime) -> None:
    """Draw the pages of each agreement's running and last month where they changed, so that nobody waits for it."""
    for agreement in measured():
        for month in recent_months(agreement, now)[:LIVE_MONTHS]:
            edition = sealed_editions.standing(agreement, month, now=now)
            rendering.parts(edition, [HEAD, BODY, BY + next(iter(breakdowns.NAMES))], draw=part, now=now)


def page(edition: Edition, by: str, *, live: Edition, user: User, now: datetime) -> dict[str, bytes]:
    """All parts of the page, broken down by a dimension: one query, unless something has to be drawn.

    What the page says of its seal is kept until the seal or the live figures change, and what happened meanwhile until
    something else did. Whoever may restate has a part of their own.
    """
    may_restate = user.has_perm("reports.restate_scorecard")
    seal = (RESTATABLE if may_restate else SEAL) if edition.is_sealed else ""

    period, zone = edition.period, edition.agreement.zone
    today = min(max(now.astimezone(zone).date(), period.first_day), period.last_day)
    is_running = period.end(zone) > now
    shown_until = f"{today} {is_running}"

    def draw(shown: Edition, name: str) -> bytes:
        if name in (STEPPER, TOOLS):
            units = [Period.containing(unit, today) for unit in UNITS]
            around = {"agreement": shown.agreement, "period": period, "is_running": is_running, "units": units,
                      "can_draw_pdf": paper.can_draw()}  # fmt: skip
            return _drawn(shown, f"reports/_{name}.html", around)
        if name != seal:
            return part(shown, name)
        notice = sealed_editions.notice(shown.agreement, shown.period, user=user, now=now)
        return _drawn(shown, "reports/_sealed.html", {"sealed": notice})

    marks = {MEANWHILE: edition.agreement.pace_mark, seal: live.name, STEPPER: shown_until, TOOLS: shown_until}
    names = [STEPPER, TOOLS, HEAD, MEANWHILE, BODY, BY + by, *([seal] if seal else [])]
    found = rendering.parts(replace(edition, marks=marks), names, draw=draw, now=now)
    return {
        "stepper": found[STEPPER],
        "tools": found[TOOLS],
        "seal": found.get(seal, b""),
        "head": found[HEAD],
        "meanwhile": found[MEANWHILE],
        "body": found[BODY],
        "break_down": found[BY + by],
    }


def tabs() -> list[tuple[str, str]]:
    """The break-downs that a page offers: what its address says, and what its tab does."""
    return [*((name, str(label)) for name, (label, *_rest) in breakdowns.NAMES.items()), (WEEKS, _("Source × week"))]


def _drawn(edition: Edition, template: str, context: dict[str, Any]) -> bytes:
    """A template as every reader of the language gets it: times are those of the agreement's zone."""
    zone = edition.agreement.zone
    with timezone.override(zone), display.a_page_of_its_own():
        display.also_in(zone)
        return render_to_string(template, context).encode()


def _made(edition: Edition, name: str) -> tuple[str, dict[str, Any]]:
    """The template of a part with what it shows."""
    if name == MEANWHILE:
        return "reports/_meanwhile.html", {"meanwhile": pace_lines.meanwhile(edition.agreement.pk, edition.period)}
    data, evidence = edition.read(), edition.evidence
    shared = {"agreement": edition.agreement, "period": edition.period}
    if name == BY + WEEKS:
        return "reports/_by_week.html", {**shared, "by": WEEKS, "tabs": tabs(), "maps": sheet.heat_maps(data, evidence)}
    if name.startswith(BY):
        by = name.removeprefix(BY)
        heading = breakdowns.NAMES[by][1]
        tables = sheet.break_down(data, evidence, by)
        return "reports/_by.html", {**shared, "by": by, "tabs": tabs(), "heading": heading, "tables": tables}
    shown = sheet.build(data, evidence, earlier=edition.read_earlier(), is_running=edition.is_running)
    if name == BODY:
        return "reports/_body.html", {**shared, "sheet": shown}
    versions = edition.agreement.versions.filter(number__in=data["versions"]).order_by("number")
    return "reports/_head.html", {**shared, "sheet": shown, "versions": versions}
