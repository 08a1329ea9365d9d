"""What a person says about a handoff: one form for each verb, and which of them somebody is offered."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agreements.models import Commitment
from leads import answers, disputes, exclusions, grace, handovers, returns, roster, routing, timeline
from leads.dossier import Standing
from leads.filters import SearchForm
from leads.models import (
    MARKETING_KINDS,
    Attempt,
    AttemptOutcome,
    Channel,
    Clock,
    Direction,
    Disposition,
    Dispute,
    ExclusionRequest,
    Handoff,
    Outcome,
    ReasonCode,
    Verdict,
)
from leads.owing import DOING, Group
from leads.roster import Member
from slaportal import roles
from slaportal.models import Party, User

MINUTE = timedelta(minutes=1)


class When(forms.DateTimeField):
    """A time of the past in the reader's zone; empty is now."""

    def __init__(self, **kwargs: object) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(**{"label": "When", "required": False, "widget": widget, **kwargs})


class DisputeField(forms.ModelChoiceField):
    """Disputes in full, because they are about to be answered."""

    def label_from_instance(self, dispute: Dispute) -> str:
        return dispute.comment


class RequestField(forms.ModelChoiceField):
    """Requests to exclude in full, because they are about to be decided."""

    def label_from_instance(self, request: ExclusionRequest) -> str:
        return f"{request.commitment}: {request.reason} ({request.asked_by})"


class FactForm(forms.Form):
    """A form about one handoff. `name` is also the name of its address; `label` and `icon` stand on its button."""

    name = label = icon = ""

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, auto_id=f"{self.name}_%s")
        self.handoff = handoff
        if "at" in self.fields:
            local = timezone.localtime(timezone.now())
            self.fields["at"].help_text = f"Empty means now. Your time zone: {timezone.get_current_timezone_name()}."
            self.fields["at"].widget.attrs["max"] = f"{local:%Y-%m-%dT%H:%M}"

    def clean_at(self) -> datetime | None:
        """People say minutes: the one in which the handoff began means its beginning. Before it nothing happened."""
        at, began = self.cleaned_data["at"], self.handoff.qualified_at
        if at and began - at >= MINUTE:
            local = timezone.localtime(began)
            raise forms.ValidationError(f"{self.handoff} was handed over only on {local:%-d %b %Y, %H:%M}.")
        return max(at, began) if at else None


# What a try usually comes to, by channel: each is one button of the list.
USUAL = {
    Channel.CALL: (
        (AttemptOutcome.CONNECTED, gettext_lazy("Spoke with them")),
        (AttemptOutcome.NO_ANSWER, gettext_lazy("No answer")),
        (AttemptOutcome.VOICEMAIL, gettext_lazy("Left a voicemail")),
        (AttemptOutcome.BUSY, gettext_lazy("Busy")),
        (AttemptOutcome.INVALID, gettext_lazy("Wrong number")),
    ),
    Channel.EMAIL: (
        (AttemptOutcome.SENT, gettext_lazy("Sent")),
        (AttemptOutcome.REPLIED, gettext_lazy("They replied")),
        (AttemptOutcome.INVALID, gettext_lazy("Bounced")),
    ),
    Channel.MESSAGE: (
        (AttemptOutcome.SENT, gettext_lazy("Sent")),
        (AttemptOutcome.REPLIED, gettext_lazy("They replied")),
    ),
    Channel.MEETING: (
        (AttemptOutcome.CONNECTED, gettext_lazy("Met them")),
        (AttemptOutcome.NO_ANSWER, gettext_lazy("Nobody came")),
    ),
    Channel.NOTE: ((AttemptOutcome.OTHER, gettext_lazy("Only a note")),),
}
CHANNEL_ICONS = {
    Channel.CALL: "call",
    Channel.EMAIL: "mail",
    Channel.MESSAGE: "chat",
    Channel.MEETING: "groups",
    Channel.NOTE: "sticky_note_2",
}


LOOK_AGAIN = gettext_lazy("Look again before you go on.")
LATE = gettext_lazy("That is longer ago than agreed for late entries: it is evidence and stops no clock (A4).")


class AttemptForm(FactForm):
    """A try at contact. Channel and outcome may come together as `did`, from one button: “call:connected”."""

    name, label, icon = "log_attempt", "Log an attempt", "call"
    channel = forms.ChoiceField(choices=Channel.choices, initial=Channel.CALL)
    direction = forms.ChoiceField(choices=Direction.choices, initial=Direction.OUTBOUND, label="Who began")
    outcome = forms.ChoiceField(
        choices=AttemptOutcome.choices, initial=AttemptOutcome.CONNECTED, label="What came of it"
    )
    at = When()
    note = forms.CharField(required=False, widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: Any = None, *, handoff: Handoff) -> None:
        if data and data.get("did"):
            data = data.copy()
            data["channel"], _colon, data["outcome"] = data["did"].partition(":")
        super().__init__(data, handoff=handoff)
        self.counts_from = grace.begins(handoff, now=timezone.now())
        at = self.fields["at"]
        at.widget.attrs["data-warning"] = LATE
        at.widget.attrs["data-counts-from"] = f"{timezone.localtime(self.counts_from):%Y-%m-%dT%H:%M}"
        if self.counts_from > handoff.qualified_at:
            words = _("What was before %(at)s is evidence only and stops no clock (A4).")
            at.help_text += " " + words % {"at": f"{timezone.localtime(self.counts_from):%-d %b, %H:%M}"}

    @property
    def is_late(self) -> bool:
        """Whether what was typed is evidence only."""
        at = self.cleaned_data["at"]
        return at is not None and at < self.counts_from

    def usual(self) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
        """By channel, with its icon: what a try usually comes to, as (value, words)."""
        for channel, outcomes in USUAL.items():
            icon = CHANNEL_ICONS[channel]
            yield channel.label, icon, [(f"{channel.value}:{outcome.value}", words) for outcome, words in outcomes]


class AcceptForm(FactForm):
    """Sales takes the handoff."""

    name, label, icon = "accept", "Accept", "thumb_up"
    verdict = Verdict.ACCEPTED


class ReasonSelect(forms.Select):
    """Reasons that say what belongs to them: whether they are about quality, and what they need."""

    needs: Mapping[int, returns.Needs] = MappingProxyType({})

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if reason := getattr(value, "instance", None):
            option["attrs"] |= {"data-quality": ""} if reason.is_quality else {}
            needs = self.needs.get(reason.pk)
            if needs and needs.missing:
                words = _("“%(reason)s” %(needs)s. You can send it all the same; it counts as given up too early.")
                option["attrs"]["data-warning"] = words % {"reason": reason, "needs": needs}
        return option


class ReasonField(forms.ModelChoiceField):
    """Reasons; one that needs attempts says so, and how many are missing."""

    widget = ReasonSelect

    def label_from_instance(self, reason: ReasonCode) -> str:
        needs = self.widget.needs.get(reason.pk)
        return f"{reason} ({needs})" if needs else str(reason)


class ReturnForm(FactForm):
    """Sales gives the handoff back, for a reason that fits. What a reason needs is said and does not forbid it."""

    verdict: Verdict
    reason = ReasonField(ReasonCode.objects.none(), empty_label="Choose a reason")
    note = forms.CharField(required=False, widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        fitting = {f"for_{self.verdict}": True}
        reasons = ReasonCode.objects.filter(is_active=True, **fitting)
        self.fields["reason"].widget.needs = returns.needs(handoff, reasons, now=timezone.now())
        self.fields["reason"].queryset = reasons


class RecycleForm(ReturnForm):
    """Not now: back to marketing, who may hand it over again."""

    name, label, icon = "recycle", "Recycle", "autorenew"
    verdict = Verdict.RECYCLED
    back_on = forms.DateField(
        required=False,
        label=gettext_lazy("May come back on"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )
    field_order = ("reason", "back_on", "note")

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        self.fields["back_on"].widget.attrs["min"] = f"{timezone.localdate() + timedelta(days=1):%Y-%m-%d}"

    def clean_back_on(self) -> date | None:
        day = self.cleaned_data["back_on"]
        if day and day <= timezone.localdate():
            raise forms.ValidationError(_("Name a day that is still to come, or none."))
        return day


class RejectForm(ReturnForm):
    """Not at all. A reason that is about quality names what of the signed definition the lead fails."""

    name, label, icon = "reject", "Reject", "thumb_down"
    verdict = Verdict.REJECTED
    criterion = forms.ChoiceField(
        required=False, label=gettext_lazy("What of the signed definition failed"), widget=forms.RadioSelect
    )
    field_order = ("reason", "criterion", "note")

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        asked = returns.definition(handoff)
        if not asked:
            del self.fields["criterion"]
            return
        self.fields["criterion"].choices = [(one.text, one.text) for one in asked]
        self.fields["criterion"].help_text = _("For reasons about quality. The lead’s own values stand beside.")

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        reason, is_asked = given.get("reason"), "criterion" in self.fields
        if reason and is_asked and not reason.is_quality:
            given["criterion"] = ""
        elif reason and is_asked and not given.get("criterion") and "criterion" not in self.errors:
            words = _("“%(reason)s” is about quality: say what of the signed definition the lead fails.")
            self.add_error("criterion", words % {"reason": reason})
        return given


class HoldForm(FactForm):
    """Time that shall not count."""

    name, label, icon = "hold", "Hold", "pause_circle"
    reason = forms.CharField(max_length=200, label="Why the time shall not count")
    at = When(label="Since")


class OutcomeForm(FactForm):
    """What came of an accepted handoff."""

    name, label, icon = "record_outcome", "Record an outcome", "trending_up"
    kind = forms.ChoiceField(choices=Outcome.Kind.choices, label="What")
    amount = forms.DecimalField(
        required=False, min_value=0, max_digits=14, decimal_places=2, help_text="Of an opportunity or a win."
    )
    at = When()

    def clean(self) -> dict[str, object]:
        given = super().clean()
        valued = (Outcome.Kind.OPPORTUNITY, Outcome.Kind.WON)
        if given.get("amount") is not None and given.get("kind") not in valued:
            self.add_error("amount", "Only an opportunity and a win have an amount.")
        return given


class AskForm(FactForm):
    """Sales asks for data."""

    name, label, icon = "ask_marketing", "Ask marketing", "help"
    comment = forms.CharField(label="What is missing or wrong", widget=forms.Textarea({"rows": 3}))


class DisputeForm(FactForm):
    """Marketing disputes that sales gave a handoff back."""

    name, label, icon = "dispute_decision", "Dispute", "balance"
    comment = forms.CharField(label="Why the decision is wrong", widget=forms.Textarea({"rows": 3}))


class OpenDisputeForm(FactForm):
    """An answer to one of the disputes that one party opened."""

    party: Party
    dispute = DisputeField(Dispute.objects.none(), label="What was asked", empty_label=None, widget=forms.RadioSelect)

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        self.fields["dispute"].queryset = asked = handoff.disputes.filter(answered_at=None, party=self.party)
        self.fields["dispute"].initial = asked.first()


class AnswerForm(OpenDisputeForm):
    """Marketing's answer to what sales asked."""

    name, label, icon = "answer_question", "Answer", "quick_phrases"
    party = Party.SALES
    answer = forms.CharField(widget=forms.Textarea({"rows": 3}))


class DecideForm(OpenDisputeForm):
    """RevOps' decision on what marketing disputes."""

    name, label, icon = "decide_dispute", "Decide the dispute", "gavel"
    party = Party.MARKETING
    upheld = forms.TypedChoiceField(
        choices=[("no", "No: sales’ decision stands"), ("yes", "Yes: it counts as accepted")],
        coerce=lambda word: word == "yes",
        widget=forms.RadioSelect,
        label="Upheld",
    )
    answer = forms.CharField(label="Why", widget=forms.Textarea({"rows": 3}))


class ExcludeForm(FactForm):
    """A request not to count a promise here."""

    name, label, icon = "ask_exclusion", "Ask to exclude", "do_not_disturb_on"
    commitment = forms.ModelChoiceField(Commitment.objects.none(), label="Which promise", empty_label=None)
    reason = forms.CharField(max_length=300, label="Why it shall not count", widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        counted = handoff.clocks.deciding().excludable()
        self.fields["commitment"].queryset = Commitment.objects.filter(pk__in=counted.values("commitment"))


class DecideExclusionForm(FactForm):
    """RevOps' decision on a request to exclude."""

    name, label, icon = "decide_exclusion", "Decide the exclusion", "gavel"
    request = RequestField(
        ExclusionRequest.objects.none(), label="What was asked", empty_label=None, widget=forms.RadioSelect
    )
    granted = forms.TypedChoiceField(
        choices=[("yes", "Grant: it is excluded"), ("no", "Decline: it counts")],
        coerce=lambda word: word == "yes",
        widget=forms.RadioSelect,
        label="Decision",
    )
    note = forms.CharField(max_length=300, label="Why", widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        waiting = handoff.exclusion_requests.waiting().select_related("commitment", "asked_by")
        self.fields["request"].queryset = waiting
        self.fields["request"].initial = waiting.first()


class MissField(forms.ModelChoiceField):
    """Missed clocks: of which promise, and where a handoff has several of it, whose or about what."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(Clock.objects.none(), **kwargs)
        self.handoff: Handoff | None = None

    def label_from_instance(self, clock: Clock) -> str:
        about = timeline.about(clock, self.handoff)
        return f"{clock.commitment}, {about}" if about else str(clock.commitment)


class AnswerMissForm(FactForm):
    """Why something was missed that sales owed, or nobody signed, and what is done about it."""

    name, label, icon = "answer_miss", "Answer a miss", "rate_review"
    is_of_marketing = False
    clock = MissField(label="What was missed", empty_label=None, widget=forms.RadioSelect)
    cause = forms.CharField(max_length=200, label="Why it happened")
    action = forms.CharField(max_length=200, label="What is done about it")

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        missed = Clock.objects.unanswered().filter(handoff=handoff).select_related("commitment")
        of_marketing = Q(commitment__kind__in=MARKETING_KINDS)
        missed = missed.filter(of_marketing if self.is_of_marketing else ~of_marketing)
        self.fields["clock"].queryset, self.fields["clock"].handoff = missed, handoff
        self.fields["clock"].initial = missed.first()


class AnswerMarketingMissForm(AnswerMissForm):
    """The same of what marketing owed."""

    name, label = "answer_marketing_miss", "Answer for marketing"
    is_of_marketing = True


class RepField(forms.ModelChoiceField):
    """Reps who are free, each with how many they have; its help says why others are not. Blank: by the rules."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(User.objects.none(), required=False, empty_label="The next by the rules", **kwargs)
        self.members: dict[int, Member] = {}

    def offer(self, members: Iterable[Member]) -> None:
        """Offer those of these reps who are free."""
        self.members = {row.key: row for row in members if row.is_free}
        self.queryset = User.objects.filter(pk__in=self.members)
        others = [f"{row.person} ({row.why_not})" for row in members if not row.is_free]
        self.help_text = escape(f"Not free: {', '.join(others)}.") if others else ""

    def label_from_instance(self, person: User) -> str:
        return f"{person} ({self.members[person.pk].in_words})"


class AssignForm(FactForm):
    """Another owner from the same team: a person who is free, or the next by the rules."""

    name, label, icon = "assign", "Assign", "person_add"
    owner = RepField(label="To")
    why = forms.CharField(max_length=200, label="Why")

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        team = handoff.team_id or handoff.agreement.sales_team_id
        members = roster.members([team], now=timezone.now())
        self.fields["owner"].offer([row for row in members if row.key != handoff.owner_id])


class TakeForm(FactForm):
    """A rep takes what waits in the queue of the own team."""

    name, label, icon = "take", "Take", "front_hand"


class ReassignForm(forms.Form):
    """Many handoffs to one rep who is free, or each to the next by the rules."""

    owner = RepField(label="Give the chosen to")
    why = forms.CharField(max_length=120, label="Why")

    def __init__(self, data: object = None, *, user: User, now: datetime) -> None:
        super().__init__(data, auto_id="reassign_%s")
        teams = handovers.managed_teams(user).values_list("pk", flat=True)
        self.fields["owner"].offer(roster.members(set(teams), now=now))


class AwayForm(forms.Form):
    """Somebody of a managed team is away on these days."""

    person = forms.ModelChoiceField(User.objects.none(), label="Who", empty_label="Choose a person")
    first_day = forms.DateField(label="From", widget=forms.DateInput({"type": "date"}))
    last_day = forms.DateField(label="Until and with", widget=forms.DateInput({"type": "date"}))
    note = forms.CharField(max_length=120, required=False)
    hand_over = forms.TypedChoiceField(
        choices=[("yes", "Give them to others now, by the rules"), ("no", "Keep them")],
        coerce=lambda word: word == "yes",
        initial="yes",
        widget=forms.RadioSelect,
        label="Open handoffs",
    )

    def __init__(self, data: object = None, *, people: Iterable[User]) -> None:
        super().__init__(data, auto_id="away_%s")
        self.fields["person"].queryset = User.objects.filter(pk__in=[person.pk for person in people], is_active=True)

    def clean(self) -> dict[str, object]:
        given = super().clean()
        first, last = given.get("first_day"), given.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", "This comes before the first day.")
        return given


class WorklistForm(SearchForm):
    """What the rep's list is narrowed by. The page draws it: its sources and segments are those of the list."""

    source = forms.CharField(required=False, label=gettext_lazy("Source"), strip=False, max_length=200)
    segment = forms.CharField(required=False, label=gettext_lazy("Segment"), strip=False, max_length=200)
    owed = forms.ChoiceField(required=False, choices=list(DOING.items()), label=gettext_lazy("Owed"))
    group = forms.ChoiceField(required=False, choices=Group.choices, label=gettext_lazy("Group"))


def may_work(user: User, handoff: Handoff) -> bool:
    """Whether the person may say what sales did with a handoff: its owner, and whoever gives it out. A rep takes it
    from the queue before, and what a rep has lost is somebody else's to work.
    """
    if not user.has_perm("leads.work_handoff"):
        return False
    is_waiting = handoff.owner_id is None and handoff.team_id is not None
    sees_all = user.has_perm("leads.view_all_handoffs") and not is_waiting
    return handoff.owner_id == user.pk or sees_all or may_assign(user, handoff)


def may_take(user: User, handoff: Handoff) -> bool:
    """Whether the person may take a handoff that they see out of the queue of the own team."""
    is_waiting = handoff.owner_id is None and handoff.team_id is not None and handoff.ended_at is None
    if not is_waiting or handoff.team_id != user.team_id or not user.has_role(roles.REP):
        return False
    return user.pk not in routing.Past.of(handoff.assignments.all()).lost


def may_assign(user: User, handoff: Handoff) -> bool:
    """Whether the person may give a handoff to somebody else, as `HandoffQuerySet.given_out_by` says."""
    if not user.has_perm("leads.assign_handoff"):
        return False
    is_managed = handoff.team is not None and handoff.team.manager_id == user.pk
    return user.has_perm("leads.view_all_handoffs") or is_managed or handoff.owner_id == user.pk


def may_void(user: User, fact: Attempt | Disposition | Outcome) -> bool:
    """Whether the person may take a fact back: their own, and not what a system of record says."""
    return fact.by_id == user.pk and not fact.from_system


def offered(handoff: Handoff, user: User, stands: Standing) -> list[type[FactForm]]:
    """The forms that make sense for this person and for where the handoff stands, in the order of use."""
    found: list[type[FactForm]] = []
    is_open, is_accepted = handoff.ended_at is None, handoff.stage != Handoff.Stage.MQL
    is_returned = handoff.stage in (Handoff.Stage.RECYCLED, Handoff.Stage.REJECTED)
    speaks_for_marketing = (stands.is_asked or stands.is_disputable) and disputes.may_answer(user, handoff)
    if speaks_for_marketing and stands.is_asked:
        found.append(AnswerForm)
    if speaks_for_marketing and stands.is_disputable:
        found.append(DisputeForm)
    if stands.is_disputed and disputes.may_decide(user):
        found.append(DecideForm)
    if stands.is_exclusion_asked and exclusions.may_decide(user):
        found.append(DecideExclusionForm)
    if may_take(user, handoff):
        found.append(TakeForm)
    if may_work(user, handoff):
        found.append(AttemptForm)
        if is_open:
            found += [RecycleForm, RejectForm] if is_accepted else [AcceptForm, RecycleForm, RejectForm]
        if is_accepted and not is_returned:
            found.append(OutcomeForm)
        if is_open and not stands.is_held:
            found.append(HoldForm)
        found.append(AskForm)
    if (stands.is_missed or stands.is_excludable) and answers.may_answer(user, handoff):
        found += [AnswerMissForm] * stands.is_missed + [ExcludeForm] * stands.is_excludable
    if stands.is_missed_by_marketing and answers.may_answer(user, handoff, Party.MARKETING):
        found.append(AnswerMarketingMissForm)
    if is_open and may_assign(user, handoff):
        found.append(AssignForm)
    return found
