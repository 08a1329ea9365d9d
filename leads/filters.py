"""Which handoffs a list shows. It is also the evidence behind every number of a scorecard, so the same choices give the
same counts: of a commitment the clocks that decide, by rep and team whom they are charged to (rules N2 and N4).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from agreements.models import Agreement, Commitment
from leads import periods
from leads.models import Answer, Assignment, Clock, Disposition, Handoff, HandoffQuerySet, Lead, Outcome, ReasonCode
from leads.rules import RULES
from slaportal.models import Team, User

NOBODY = "none"
STATES = {state.label: state for state in (Clock.State.MISSED, Clock.State.OPEN, Clock.State.MET, Clock.State.EXCLUDED)}
# Copied from the lead, so a value may be blank: the parameter without a value asks for just these.
COPIED = ("source", "segment", "campaign")
# Choices that only links make.
LINKED = (*COPIED, "rule", "version", "outcome", "unmatched", "verdict", "reason", "below")
# What sales said, by the stages that say so (rule A5).
VERDICTS = {
    "accepted": ("sal", "sql", "opportunity", "won", "lost"),
    "recycled": ("recycled",),
    "rejected": ("rejected",),
    "undecided": ("mql",),
}
SEARCHED = ("name", "company", "email")
LONGEST_SEARCH = 100


class PeriodField(forms.CharField):
    """A period as it stands in addresses: 2024-03, 2024-Q1, 2024-W09 or 2024-01-01..2024-02-15."""

    def clean(self, value: object) -> periods.Period | None:
        text = super().clean(value)
        try:
            return periods.parse(text) if text else None
        except ValueError as problem:
            raise ValidationError(str(problem)) from problem


class PeriodFilter(django_filters.Filter):
    field_class = PeriodField


class CommitmentField(forms.ModelChoiceField):
    """Commitments with the number of their version, because versions share titles."""

    def label_from_instance(self, commitment: Commitment) -> str:
        return f"{commitment.title} (version {commitment.version.number})"


class CommitmentFilter(django_filters.ModelChoiceFilter):
    field_class = CommitmentField


class SearchForm(forms.Form):
    """What is searched for in a list that has no other choices; the field refuses what no database takes."""

    q = forms.CharField(required=False, max_length=LONGEST_SEARCH)


@dataclass(frozen=True)
class Choice:
    """One thing that narrows the list: its words, and the address without it."""

    words: str
    without: str


class HandoffFilter(django_filters.FilterSet):
    """Everything that an address may ask of the list; `qs` is not yet narrowed to what the reader may see."""

    q = django_filters.CharFilter(label="Search", max_length=LONGEST_SEARCH)
    agreement = django_filters.ModelChoiceFilter(label="Agreement", queryset=Agreement.objects, empty_label="All")
    period = PeriodFilter(label="Period", widget=forms.TextInput({"placeholder": "2026-03, 2026-Q1 …"}))
    commitment = CommitmentFilter(label="Promise", queryset=Commitment.objects.none(), empty_label="All")
    state = django_filters.ChoiceFilter(
        label="State", choices=[(word, word.capitalize()) for word in STATES], empty_label="All"
    )
    answered = django_filters.ChoiceFilter(
        label="Misses", choices=[("no", "Not answered"), ("yes", "Answered")], empty_label="All"
    )
    rule = django_filters.ChoiceFilter(choices=[(rule, sentence) for rule, (sentence, _) in RULES.items()])
    source = django_filters.CharFilter(strip=False)
    segment = django_filters.CharFilter(strip=False)
    campaign = django_filters.CharFilter(strip=False)
    team = django_filters.ModelChoiceFilter(
        label="Team", queryset=Team.objects.none(), empty_label="All", null_label="No team", null_value=NOBODY
    )
    rep = django_filters.ModelChoiceFilter(
        label="Rep", queryset=User.objects.none(), empty_label="All", null_label="Nobody", null_value=NOBODY
    )
    version = django_filters.NumberFilter(min_value=1)
    outcome = django_filters.ChoiceFilter(label="Outcome", choices=Outcome.Kind.choices, empty_label="All")
    unmatched = django_filters.ChoiceFilter(choices=[("1", "yes")])
    verdict = django_filters.ChoiceFilter(choices=[(word, word) for word in VERDICTS])
    reason = django_filters.ModelChoiceFilter(
        queryset=ReasonCode.objects, to_field_name="code", null_label="No reason", null_value=NOBODY
    )
    below = django_filters.ChoiceFilter(choices=[("1", "yes")])

    class Meta:
        model = Handoff
        fields: list[str] = []

    def __init__(self, data: Any, *, queryset: HandoffQuerySet, user: User):
        super().__init__(data, queryset=queryset)
        self.filters["agreement"].queryset = Agreement.objects.visible_to(user)
        try:
            agreement = self.filters["agreement"].field.clean(data.get("agreement"))
        except ValidationError:
            agreement = None  # the form says so to the reader
        of_agreement = {"version__agreement": agreement} if agreement else {}
        commitments = Commitment.objects.filter(**of_agreement).exclude(version__terms="").select_related("version")
        assigned = Assignment.objects.order_by()
        self.filters["commitment"].queryset = commitments.order_by("-version__number", "position")
        self.filters["team"].queryset = Team.objects.filter(Exists(assigned.filter(team=OuterRef("pk"))))
        self.filters["rep"].queryset = User.objects.filter(Exists(assigned.filter(owner=OuterRef("pk"))))

    @property
    def given(self) -> dict[str, Any]:
        """What was chosen, blank ones left out; a blank source or segment is a choice if the address names it."""
        found = {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "")}
        return {**{name: "" for name in COPIED if name in self.data}, **found}

    @property
    def is_about_leads(self) -> bool:
        """Whether it asks for leads that no version covers, instead of handoffs."""
        return "unmatched" in self.given

    @property
    def offered(self) -> list[forms.BoundField]:
        """The fields that a person fills in; the others come from links and are kept as they are."""
        names = ["q", "agreement", "period"]
        if "unmatched" not in self.data:
            names += ["commitment"] if self.data.get("agreement") else []
            names += ["state", "answered", "team", "rep"]
        return [self.form[name] for name in names]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Choices that came with a link, as parameters."""
        return [(name, self.data[name]) for name in LINKED if name in self.data]

    def leads(self) -> QuerySet[Lead]:
        """The unmatched leads of the period (rule A2): they have no agreement and none of the other choices."""
        span = self._span()
        found = Lead.objects.unmatched(*span) if span else Lead.objects.filter(state=Lead.State.UNMATCHED)
        return found.filter(_mentions(self.given.get("q", "")))

    def filter_queryset(self, queryset: HandoffQuerySet) -> HandoffQuerySet:
        given = self.given
        if agreement := given.get("agreement"):
            queryset = queryset.filter(agreement=agreement)
        if span := self._span():
            queryset = queryset.begun_in(*span)
        if "version" in given:
            queryset = queryset.filter(version__number=given["version"])
        if "outcome" in given:
            had = Outcome.objects.valid().filter(handoff=OuterRef("pk"), kind=given["outcome"])
            queryset = queryset.filter(Exists(had))
        if "verdict" in given:
            queryset = queryset.filter(stage__in=VERDICTS[given["verdict"]])
        if "reason" in given:
            returned = queryset.filter(stage__in=(*VERDICTS["recycled"], *VERDICTS["rejected"]))
            why = getattr(_or_none(given["reason"]), "pk", None)
            queryset = returned.annotate(why=latest_reason()).filter(why=why)
        if "below" in given:
            queryset = queryset.filter(below_definition=True)
        queryset = queryset.filter(_mentions(given.get("q", ""), "lead__"))
        queryset = queryset.filter(**{name: given[name] for name in COPIED if name in given})
        return self._by_clock(queryset) if "commitment" in given else self._by_handoff(queryset)

    def _by_clock(self, queryset: HandoffQuerySet) -> HandoffQuerySet:
        """Handoffs by the clock that decides for the commitment, with what it says."""
        given = self.given
        deciding = Q(clocks__commitment=given["commitment"], clocks__decides=True)
        queryset = queryset.annotate(clock=FilteredRelation("clocks", condition=deciding)).filter(clock__isnull=False)
        if "state" in given:
            queryset = queryset.filter(clock__state=STATES[given["state"]])
        if "rule" in given:
            queryset = queryset.filter(clock__rule=given["rule"])
        if "answered" in given:
            silent = Clock.objects.unanswered().filter(handoff=OuterRef("pk"), commitment=given["commitment"])
            missed = queryset.filter(clock__state=Clock.State.MISSED)
            queryset = missed.filter(~Exists(silent) if given["answered"] == "yes" else Exists(silent))
        for name, field in (("rep", "owner"), ("team", "team")):
            if name in given:
                queryset = queryset.filter(**{f"clock__charged_to__{field}": _or_none(given[name])})
        return queryset.annotate(
            clock_state=F("clock__state"),
            clock_rule=F("clock__rule"),
            elapsed=F("clock__elapsed_seconds"),
            charged_to=F("clock__charged_to__owner__name"),
        )

    def _by_handoff(self, queryset: HandoffQuerySet) -> HandoffQuerySet:
        """Handoffs by their owner now, and by whether any of their clocks has the state."""
        given = self.given
        asked = {"state": STATES[given["state"]]} if "state" in given else {}
        asked |= {"rule": given["rule"]} if "rule" in given else {}
        if asked:
            queryset = queryset.filter(Exists(Clock.objects.deciding().filter(handoff=OuterRef("pk"), **asked)))
        if "answered" in given:
            rows = Answer.objects.all() if given["answered"] == "yes" else Clock.objects.unanswered()
            queryset = queryset.filter(Exists(rows.filter(handoff=OuterRef("pk"))))
        for name, field in (("rep", "owner"), ("team", "team")):
            if name in given:
                queryset = queryset.filter(**{field: _or_none(given[name])})
        return queryset

    def _span(self) -> tuple[datetime, datetime] | None:
        """The chosen period as instants: days of the agreement, or of the reader where none is chosen."""
        period, agreement = self.given.get("period"), self.given.get("agreement")
        zone = agreement.zone if agreement else timezone.get_current_timezone()
        return (period.start(zone), period.end(zone)) if period else None

    def choices(self) -> list[Choice]:
        """What the list shows, in words, each with the address that leaves it out."""
        return [Choice(words, self._without(name)) for name, words in self._words()]

    def _words(self) -> Iterator[tuple[str, str]]:
        given = self.given
        for name in ("agreement", "period", "commitment"):
            if name in given:
                yield name, str(given[name])
        if self.is_about_leads:
            yield "unmatched", "unmatched"
        if "state" in given:
            yield "state", given["state"]
        if "answered" in given:
            yield "answered", "misses answered" if given["answered"] == "yes" else "misses not answered"
        if "rule" in given:
            yield "rule", RULES[given["rule"]][0].rstrip(".").lower()
        for name in COPIED:
            if name in given:
                yield name, given[name] or f"no {name}"
        for name in ("team", "rep"):
            if name in given:
                yield name, f"no {name}" if given[name] == NOBODY else str(given[name])
        if "version" in given:
            yield "version", f"version {given['version']}"
        if "outcome" in given:
            yield "outcome", Outcome.Kind(given["outcome"]).label.lower()
        if "verdict" in given:
            yield "verdict", given["verdict"]
        if "reason" in given:
            yield "reason", "no reason" if given["reason"] == NOBODY else f"“{given['reason']}”"
        if "below" in given:
            yield "below", "below the definition"
        if "q" in given:
            yield "q", f"“{given['q']}”"

    def _without(self, name: str) -> str:
        """The query string without one choice, and from the first page."""
        rest = self.data.copy()
        for key in (name, "page"):
            rest.pop(key, None)
        return f"?{rest.urlencode()}"


def latest_reason() -> Subquery:
    """Of a handoff that sales gave back the reason, by its id; null where none was given."""
    given = Disposition.objects.valid().filter(handoff=OuterRef("pk"), verdict=OuterRef("stage"))
    return Subquery(given.order_by("-at", "-pk").values("reason")[:1])


def _or_none(chosen: Any) -> Any:
    return None if chosen == NOBODY else chosen


def _mentions(text: str, lead: str = "") -> Q:
    """Every word of the text stands somewhere in the lead's name, company or e-mail."""
    found = Q()
    for word in text.split():
        found &= Q(*[(f"{lead}{field}__icontains", word) for field in SEARCHED], _connector=Q.OR)
    return found


def search(handoffs: HandoffQuerySet, text: str) -> HandoffQuerySet:
    """Handoffs whose lead mentions every word of the text."""
    return handoffs.filter(_mentions(text, "lead__"))
