"""A line of the rep's list, which repeats 25 times on a page.

It is a tag because it takes a tenth of the time that the same takes as a piece of template, and the list is opened more
often than any other page.
"""

from collections.abc import Mapping
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from leads.worklist import Row

register = template.Library()


def _icon(name: str) -> str:
    return f'<span class="material-symbols-outlined" aria-hidden="true">{name}</span>'


LINE = """<li class="card lead{gone}" id="lead-{key}" tabindex="-1" aria-label="{name}" data-address="{address}" data-seen="{seen}"{more}>
  {left}
  <div class="who"><a href="{page}">{name}</a><small>{role}</small></div>
  <div class="from">{source}<small>{matters}</small></div>
  <div class="next">{doing}<small>{tried}</small></div>
  <div class="reach">{reach}</div>
  <div class="acts">{acts}</div>
"""  # noqa: E501 (as it is sent)
TICKING = '<time class="tone {}" datetime="{}" title="{}" data-ticks>{}</time>'
STILL = '<time class="tone {}" datetime="{}" title="{}">{}</time>'
PHONE = f'<a href="tel:{{}}">{_icon("call")}<span>{{}}</span></a>'
EMAIL = f'<a href="mailto:{{}}">{_icon("mail")}<span>{{}}</span></a>'
CALL = (
    f'<button class="btn" form="act" formaction="{{0}}call" data-act="call">{_icon("phone_missed")}{{2}}'
    '<kbd aria-hidden="true">c</kbd></button>'
    f'<a class="btn" href="{{0}}log_attempt{{7}}" data-act="log_attempt">{_icon("edit_note")}{{3}}'
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
GONE = '<a class="btn" href="{1}">{5}</a>'
WORDS = ("call", "log", "accept", "open", "more", "back")


@register.simple_tag
def time_left(row: Row, words: Mapping[str, str]) -> SafeString:
    """How long there is, or why there is no time: on hold, ended, nothing owed."""
    if row.owed:
        due = row.owed.due
        form = TICKING if due.ticks and not row.held else STILL
        return mark_safe(form.format(due.tone, due.iso, escape(due.exact), escape(due.words)))  # noqa: S308
    said = words["held"] if row.held else row.stage if row.ended else "–"
    return mark_safe(f'<span class="tone">{escape(said)}</span>')  # noqa: S308


def _reach(row: Row) -> str:
    """Links to call and to write."""
    phone, email = escape(row.seen.phone), escape(row.seen.email)
    return (PHONE.format(phone, phone) if phone else "") + (EMAIL.format(email, email) if email else "")


def _acts(row: Row, words: Mapping[str, str]) -> str:
    """What is done with the lead by one click, and the way to everything else."""
    said = (row.address, row.page, *(escape(words[name]) for name in WORDS))
    if row.ended:
        return GONE.format(*said)
    return (CALL + (OPEN if row.is_accepted else ACCEPT) + MORE).format(*said)


@register.simple_tag
def lead_line(row: Row, words: Mapping[str, str], seen: str, said: str = "", undo: str = "") -> SafeString:
    """The line of a lead up to what its door has to say, and without its `</li>`.

    `seen` is when it was read; `said` and `undo` are what was just done, and the address that takes it back.
    """
    more = " data-held" if row.held else ""
    more += f' data-said="{escape(said)}"' if said else ""
    more += f' data-undo="{escape(undo)}"' if undo else ""
    shown = {
        "name": escape(row.name),
        "role": escape(row.role),
        "source": escape(row.source),
        "matters": escape(row.matters),
        "doing": escape(row.doing or words["nothing"]),
        "tried": escape(row.tried),
    }
    line = LINE.format(
        gone=" gone" if row.ended else "",
        key=row.key,
        address=row.address,
        page=row.page,
        seen=escape(seen),
        more=more,
        left=time_left(row, words),
        reach=_reach(row),
        acts=_acts(row, words),
        **shown,
    )
    return mark_safe(line)  # noqa: S308 (each part is escaped)
