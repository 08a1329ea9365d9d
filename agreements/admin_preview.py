"""How a draft that is being edited reads, and where in its form each remark on it belongs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.forms import BaseForm, BaseInlineFormSet
from django.utils.translation import gettext as _

from agreements import lint, marks, terms, wording
from agreements.lint import Lint
from agreements.models import Version


@dataclass(frozen=True)
class Remark:
    """A lint with the id of the form's field beside which it belongs; blank where it is about none."""

    lint: Lint
    beside: str


@dataclass(frozen=True)
class Problem:
    """What keeps a form from being saved: where that is in words, what to do, and the id of the field."""

    where: str
    says: str
    beside: str


def preview(version: Version, codes: Sequence[str], *, now: datetime) -> dict[str, object]:
    """How a draft reads, marked against what is in force, and what there is to say of it.

    `codes` are those of the commitments in the order of the form's rows, blank where a row is to be deleted.
    """
    in_force = Version.objects.in_force(now).filter(agreement=version.agreement_id).first()
    before = in_force and readable(in_force, now=now)
    agreed = terms.of(version, now=now)
    remarks = [Remark(one, _beside(one, codes)) for one in lint.of(version, now=now, agreed=agreed)]
    return {
        "marked": marks.marked(before and wording.document(before), wording.document(agreed)),
        "terms": agreed,
        "before_version": before and in_force,
        "blocking": [remark for remark in remarks if remark.lint.blocks],
        "warning": [remark for remark in remarks if not remark.lint.blocks],
    }


def readable(version: Version, *, now: datetime) -> terms.Terms | None:
    """A version's terms, or None where somebody spoiled what was frozen; the page then raises the alarm."""
    try:
        return terms.of(version, now=now)
    except terms.Unreadable:
        return None


def _beside(one: Lint, codes: Sequence[str]) -> str:
    """The id of the field in the form."""
    if not one.field or not one.commitment:
        return one.field and f"id_{one.field}"
    return f"id_commitments-{codes.index(one.commitment)}-{one.field}" if one.commitment in codes else ""


def problems(form: BaseForm, promises: BaseInlineFormSet) -> list[Problem]:
    """Everything that keeps a draft and its commitments from being saved, in the order of the page."""
    found = [*_problems(form)]
    for number, row in enumerate(promises, start=1):
        if not promises._should_delete_form(row):
            found += _problems(row, row["title"].value() or _("Commitment %(number)s") % {"number": number})
    return [*found, *(Problem("", says, "") for says in promises.non_form_errors())]


def _problems(form: BaseForm, row: str = "") -> Iterator[Problem]:
    for name, sentences in form.errors.items():
        field = form[name] if name in form.fields else None
        where = " · ".join(filter(None, (row, field and str(field.label))))
        for says in sentences:
            yield Problem(where, says, field.auto_id if field else "")
