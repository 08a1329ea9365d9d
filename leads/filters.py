"""Which handoffs a list shows. It is also the evidence behind every number of a scorecard, so the same choices give the
same counts: of a commitment the clocks that decide, by rep and team whom they are charged to (rules N2 and N4).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, ExtractHour, ExtractIsoWeekDay
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements.models import Agreement, Commitment
from leads import delays, periods
from leads.models import Answer, Assignment, Clock, Disposition, Handoff, HandoffQuerySet, Lead, Outcome, ReasonCode
from leads.rules import RULES
from leads.took import TookField
from slaportal.models import Team, User
from slaportal.templatetags.display import word_for

NOBODY = "none"
STATES = {state.label: state for state in (Clock.State.MISSED, Clock.State.OPEN, Clock.State.MET, Clock.State.EXCLUDED)}
# Copied from the lead, so a value may be blank: the parameter without a value asks for just these.
COPIED = ("source", "segment", "campaign")
# What is said of whatever has none.
WITHOUT = {
    "source": _("no source"),
    "segment": _("no segment"),
    "campaign": _("no campaign"),
    "team": _("no team"),
    "rep": _("no rep"),
}
# Who waited how, said of the system's delay, of the human one, and of what the lead felt (N8).
DELAYS = {
    ("system", "over"): _("given to somebody"),
    ("system", "waiting"): _("waiting to be given to somebody"),
    ("system", "not_started"): _("not begun"),
    ("system", "excluded"): _("ended before anybody had it"),
    ("human", "over"): _("answered by its owner"),
    ("human", "waiting"): _("waiting for its owner’s first response"),
    ("human", "not_started"): _("not given to anybody yet"),
    ("human", "excluded"): _("first response not counted"),
    ("felt", "over"): _("answered since the first engagement"),
    ("felt", "waiting"): _("waiting since the first engagement"),
    ("felt", "not_started"): _("first engagement unknown"),
    ("felt", "excluded"): _("ended for a reason that needs no contact"),
}
# Choices that only links make.
ARRIVED, WAITED = ("weekday", "hour", "week"), ("delay", "wait", "within", "took", "known")
LINKED = (*COPIED, "rule", "version", "outcome", "unmatched", "verdict", "reason", "below", *ARRIVED, *WAITED)
# What sales said, by the stages that say so (rule A5).
VERDICTS = {
    "accepted": ("sal", "sql", "opportunity", "won", "lost"),
    "recycled": ("recycled",),
    "rejected": ("rejected",),
    "undecided": ("mql",),
}
# On PostgreSQL the index lead_words (migration 0016) finds parts of them.
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


class TookFilter(django_filters.Filter):
    field_class = TookField


class CommitmentField(forms.ModelChoiceField):
    """Commitments with the number of their version, because versions share titles."""

    def label_from_instance(self, commitment: Commitment) -> str:
        number = commitment.version.number
        return gettext("%(promise)s (version %(number)s)") % {"promise": commitment.title, "number": number}


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

    q = django_filters.CharFilter(label=_("Search"), max_length=LONGEST_SEARCH)
    agreement = django_filters.ModelChoiceFilter(label=_("Agreement"), queryset=Agreement.objects, empty_label=_("All"))
    period = PeriodFilter(label=_("Period"), widget=forms.TextInput({"placeholder": "2026-03, 2026-Q1 …"}))
    commitment = CommitmentFilter(label=_("Promise"), queryset=Commitment.objects.none(), empty_label=_("All"))
    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=lambda: [(word, word_for(word)) for word in STATES],
        empty_label=_("All"),
    )
    answered = django_filters.ChoiceFilter(
        label=_("Misses"),
        choices=[("no", _("Not answered")), ("yes", _("Answered"))],
        empty_label=_("All"),
    )
    rule = django_filters.ChoiceFilter(choices=[(rule, sentence) for rule, (sentence, __) in RULES.items()])
    source = django_filters.CharFilter(strip=False)
    segment = django_filters.CharFilter(strip=False)
    campaign = django_filters.CharFilter(strip=False)
    team = django_filters.ModelChoiceFilter(
        label=_("Team"),
        queryset=Team.objects.none(),
        empty_label=_("All"),
        null_label=_("No team"),
        null_value=NOBODY,
    )
    rep = django_filters.ModelChoiceFilter(
        label=_("Rep"),
        queryset=User.objects.none(),
        empty_label=_("All"),
        null_label=_("Nobody"),
        null_value=NOBODY,
    )
    version = django_filters.NumberFilter(min_value=1)
    outcome = django_filters.ChoiceFilter(label=_("Outcome"), choices=Outcome.Kind.choices, empty_label=_("All"))
    within = django_filters.NumberFilter(min_value=0, max_value=9999)
    took = TookFilter()
    known = django_filters.IsoDateTimeFilter()
    delay = django_filters.ChoiceFilter(choices=[(name, name) for name in delays.NAMES])
    wait = django_filters.ChoiceFilter(choices=[(state, state) for state in delays.STATES])
    unmatched = django_filters.ChoiceFilter(choices=[("1", "yes")])
    verdict = django_filters.ChoiceFilter(choices=[(word, word) for word in VERDICTS])
    reason = django_filters.ModelChoiceFilter(
        queryset=ReasonCode.objects, to_field_name="code", null_label=_("No reason"), null_value=NOBODY
    )
    below = django_filters.ChoiceFilter(choices=[("1", "yes")])
    # When the lead arrived, on the wall clock of the agreement.
    weekday = django_filters.ChoiceFilter(choices=[(str(day), str(day)) for day in range(1, 8)])
    hour = django_filters.ChoiceFilter(choices=[(str(hour), str(hour)) for hour in range(24)])
    week = PeriodFilter()

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
    def _is_about_delays(self) -> bool:
        """Whether it asks who waited (N8): read from facts, so only of one agreement's period."""
        return {"delay", "wait", "agreement", "period"} <= self.given.keys()

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
        if "known" in given:
            queryset = queryset.alias(known=Coalesce("known_at", "qualified_at")).filter(known__lte=given["known"])
        if "outcome" in given:
            had = self._outcomes().filter(handoff=OuterRef("pk"), kind=given["outcome"])
            if "within" in given:
                had = had.filter(at__lte=OuterRef("qualified_at") + timedelta(days=int(given["within"])))
            queryset = queryset.filter(Exists(had))
        if "verdict" in given:
            queryset = queryset.filter(stage__in=VERDICTS[given["verdict"]])
        if "reason" in given:
            returned = queryset.filter(stage__in=(*VERDICTS["recycled"], *VERDICTS["rejected"]))
            why = getattr(_or_none(given["reason"]), "pk", None)
            queryset = returned.annotate(why=latest_reason()).filter(why=why)
        if "below" in given:
            queryset = queryset.filter(below_definition=True)
        if "week" in given:
            queryset = queryset.begun_in(given["week"].start(self._zone), given["week"].end(self._zone))
        for name, part in (("weekday", ExtractIsoWeekDay), ("hour", ExtractHour)):
            if name in given:
                arrived = part("qualified_at", tzinfo=self._zone)
                queryset = queryset.alias(**{f"{name}_of": arrived}).filter(**{f"{name}_of": int(given[name])})
        if self._is_about_delays:
            queryset = queryset.filter(pk__in=delays.ids_of(queryset, delay=given["delay"], state=given["wait"]))
        queryset = queryset.filter(_mentions(given.get("q", ""), "lead__"))
        queryset = queryset.filter(**{name: given[name] for name in COPIED if name in given})
        return self._by_clock(queryset) if "commitment" in given else self._by_handoff(queryset)

    def _outcomes(self) -> QuerySet[Outcome]:
        """What came of handoffs and was not voided, at the moment that is asked about, or now."""
        at = self.given.get("known")
        if at is None:
            return Outcome.objects.valid()
        return Outcome.objects.filter(Q(voided_at=None) | Q(voided_at__gt=at), entered_at__lte=at, at__lte=at)

    def _by_clock(self, queryset: HandoffQuerySet) -> HandoffQuerySet:
        """Handoffs by the clock that decides for the commitment, with what it says."""
        given = self.given
        deciding = Q(clocks__commitment=given["commitment"], clocks__decides=True)
        queryset = queryset.annotate(clock=FilteredRelation("clocks", condition=deciding)).filter(clock__isnull=False)
        if "state" in given:
            queryset = queryset.filter(clock__state=STATES[given["state"]])
        if "rule" in given:
            queryset = queryset.filter(clock__rule=given["rule"])
        if "took" in given:
            # Also where several clocks count for one handoff.
            timed = Clock.objects.filter(given["took"].of_clocks, commitment=given["commitment"])
            queryset = queryset.filter(Exists(timed.filter(handoff=OuterRef("pk"))))
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
        """The chosen period as instants."""
        period = self.given.get("period")
        return (period.start(self._zone), period.end(self._zone)) if period else None

    @property
    def _zone(self) -> tzinfo:
        """Whose days count: the agreement's, or the reader's where none is chosen."""
        agreement = self.given.get("agreement")
        return agreement.zone if agreement else timezone.get_current_timezone()

    def choices(self) -> list[Choice]:
        """What the list shows, in words, each with the address that leaves it out."""
        return [Choice(words, self._without(name)) for name, words in self._words()]

    def _words(self) -> Iterator[tuple[str, str]]:
        given = self.given
        for name in ("agreement", "period", "commitment"):
            if name in given:
                yield name, str(given[name])
        if self.is_about_leads:
            yield "unmatched", gettext("unmatched")
        if "state" in given:
            yield "state", word_for(given["state"]).lower()
        if "answered" in given:
            is_answered = given["answered"] == "yes"
            yield "answered", gettext("misses answered") if is_answered else gettext("misses not answered")
        if "rule" in given:
            yield "rule", RULES[given["rule"]][0].rstrip(".").lower()
        for name in COPIED:
            if name in given:
                yield name, given[name] or str(WITHOUT[name])
        for name in ("team", "rep"):
            if name in given:
                yield name, str(WITHOUT[name] if given[name] == NOBODY else given[name])
        if "version" in given:
            yield "version", gettext("version %(version)s") % {"version": given["version"]}
        if "outcome" in given:
            yield "outcome", Outcome.Kind(given["outcome"]).label.lower()
        if "outcome" in given and "within" in given:
            yield "within", gettext("within %(days)s days of arrival") % {"days": given["within"]}
        if "commitment" in given and "took" in given:
            yield "took", given["took"].words
        if "known" in given:
            yield "known", gettext("as known on %(when)s") % {"when": _moment(given["known"])}
        if self._is_about_delays:
            yield "delay", str(DELAYS[given["delay"], given["wait"]])
        if "verdict" in given:
            yield "verdict", word_for(given["verdict"]).lower()
        if "reason" in given:
            yield "reason", gettext("no reason") if given["reason"] == NOBODY else f"“{given['reason']}”"
        if "below" in given:
            yield "below", gettext("below the definition")
        if "week" in given:
            yield "week", given["week"].label
        if "weekday" in given:
            yield "weekday", gettext("arrived on a %(weekday)s") % {"weekday": WEEKDAYS[int(given["weekday"]) - 1]}
        if "hour" in given:
            yield "hour", gettext("arrived from %(hour)s:00 to %(hour)s:59") % {"hour": given["hour"]}
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


def _moment(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")


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
