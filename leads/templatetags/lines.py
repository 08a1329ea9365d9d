"""The parts of a line of the rep's list that repeat 25 times on a page.

They are tags because each takes a tenth of the time that the same takes as a piece of template, and the list is opened
more often than any other page.
"""

from collections.abc import Mapping

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from leads.worklist import Row

register = template.Library()


def _icon(name: str) -> str:
    return f'<span class="material-symbols-outlined" aria-hidden="true">{name}</span>'


TICKING = '<time class="tone {}" datetime="{}" title="{}" data-ticks>{}</time>'
STILL = '<time class="tone {}" datetime="{}" title="{}">{}</time>'
PHONE = f'<a href="tel:{{}}">{_icon("call")}<span>{{}}</span></a>'
EMAIL = f'<a href="mailto:{{}}">{_icon("mail")}<span>{{}}</span></a>'
CALL = (
    f'<button class="btn" form="act" formaction="{{0}}call" data-act="call">{_icon("phone_missed")}{{2}}'
    '<kbd aria-hidden="true">c</kbd></button>'
    f'<a class="btn" href="{{0}}log_attempt" data-act="log_attempt">{_icon("edit_note")}{{3}}'
    '<kbd aria-hidden="true">l</kbd></a>'
)
ACCEPT = (
    f'<button class="btn" form="act" formaction="{{0}}accept" data-act="accept">{_icon("thumb_up")}{{4}}'
    '<kbd aria-hidden="true">a</kbd></button>'
)
OPEN = f'<a class="btn" href="{{1}}">{_icon("open_in_new")}{{5}}<kbd aria-hidden="true">o</kbd></a>'
MORE = (
    f'<a class="btn" href="{{1}}" data-others title="{{6}}">{_icon("more_horiz")}<span class="unseen">{{6}}</span></a>'
)
WORDS = ("call", "log", "accept", "open", "more")


@register.simple_tag
def time_left(row: Row, words: Mapping[str, str]) -> SafeString:
    """How long there is, or why there is no time: on hold, ended, nothing owed."""
    if row.owed:
        due = row.owed.due
        return format_html(TICKING if due.ticks and not row.held else STILL, due.tone, due.iso, due.exact, due.words)
    said = words["held"] if row.held else row.stage if row.ended else "–"
    return format_html('<span class="tone">{}</span>', said)


@register.simple_tag
def reach(row: Row) -> SafeString:
    """Links to call and to write."""
    lead = row.handoff.lead
    phone = format_html(PHONE, lead.phone, lead.phone) if lead.phone else ""
    return mark_safe(phone + (format_html(EMAIL, lead.email, lead.email) if lead.email else ""))  # noqa: S308


@register.simple_tag
def acts(row: Row, words: Mapping[str, str]) -> SafeString:
    """What is done with the lead by one click, and the way to everything else."""
    said = (row.address, row.page, *(words[name] for name in WORDS))
    if row.ended:
        return format_html('<a class="btn" href="{1}">{5}</a>', *said)
    return format_html(CALL + (OPEN if row.is_accepted else ACCEPT) + MORE, *said)
