"""What a person says about a handoff: one form for each verb, and which of them somebody is offered."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from leads import answers, disputes, exclusions, grace, returns, routing
from leads.dossier import Standing
from leads.filters import SearchForm
from leads.forms_facts import FactForm, When
from leads.forms_questions import (
    AnswerForm,
    AnswerMarketingMissForm,
    AnswerMissForm,
    AskForm,
    DecideExclusionForm,
    DecideForm,
    DisputeForm,
    ExcludeForm,
)
from leads.forms_team import AssignForm, TakeForm
from leads.models import Attempt, AttemptOutcome, Channel, Direction, Disposition, Handoff, Outcome, ReasonCode, Verdict
from leads.owing import DOING, Group
from slaportal import formats, roles
from slaportal.models import Party, User

# What a try usually comes to, by channel: each is one button of the list.
USUAL = {
    Channel.CALL: (
        (AttemptOutcome.CONNECTED, _("Spoke with them")),
        (AttemptOutcome.NO_ANSWER, _("No answer")),
        (AttemptOutcome.VOICEMAIL, _("Left a voicemail")),
        (AttemptOutcome.BUSY, _("Busy")),
        (AttemptOutcome.INVALID, _("Wrong number")),
    ),
    Channel.EMAIL: (
        (AttemptOutcome.SENT, _("Sent")),
        (AttemptOutcome.REPLIED, _("They replied")),
        (AttemptOutcome.INVALID, _("Bounced")),
    ),
    Channel.MESSAGE: (
        (AttemptOutcome.SENT, _("Sent")),
        (AttemptOutcome.REPLIED, _("They replied")),
    ),
    Channel.MEETING: (
        (AttemptOutcome.CONNECTED, _("Met them")),
        (AttemptOutcome.NO_ANSWER, _("Nobody came")),
    ),
    Channel.NOTE: ((AttemptOutcome.OTHER, _("Only a note")),),
}
CHANNEL_ICONS = {
    Channel.CALL: "call",
    Channel.EMAIL: "mail",
    Channel.MESSAGE: "chat",
    Channel.MEETING: "groups",
    Channel.NOTE: "sticky_note_2",
}


LOOK_AGAIN = _("Look again before you go on.")
LONGEST_NOTE = 4000
LATE = _("That is longer ago than agreed for late entries: it is evidence and stops no clock (A4).")


class AttemptForm(FactForm):
    """A try at contact. Channel and outcome may come together as `did`, from one button: “call:connected”."""

    name, label, icon = "log_attempt", _("Log an attempt"), "call"
    channel = forms.ChoiceField(choices=Channel.choices, initial=Channel.CALL, label=_("Channel"))
    direction = forms.ChoiceField(choices=Direction.choices, initial=Direction.OUTBOUND, label=_("Who began"))
    outcome = forms.ChoiceField(
        choices=AttemptOutcome.choices, initial=AttemptOutcome.CONNECTED, label=_("What came of it")
    )
    at = When()
    note = forms.CharField(required=False, max_length=LONGEST_NOTE, label=_("Note"), widget=forms.Textarea({"rows": 2}))

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
            words = gettext("What was before %(at)s is evidence only and stops no clock (A4).")
            begin = timezone.localtime(self.counts_from)
            at.help_text += " " + words % {"at": f"{formats.day_and_month(begin)}, {formats.time_of(begin)}"}

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

    name, label, icon = "accept", _("Accept"), "thumb_up"
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
                words = gettext(
                    "“%(reason)s” %(needs)s. You can send it all the same; it counts as given up too early."
                )
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
    reason = ReasonField(ReasonCode.objects.none(), label=_("Reason"), empty_label=_("Choose a reason"))
    note = forms.CharField(required=False, max_length=LONGEST_NOTE, label=_("Note"), widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        fitting = {f"for_{self.verdict}": True}
        reasons = ReasonCode.objects.filter(is_active=True, **fitting)
        self.fields["reason"].widget.needs = returns.needs(handoff, reasons, now=timezone.now())
        self.fields["reason"].queryset = reasons


class RecycleForm(ReturnForm):
    """Not now: back to marketing, who may hand it over again."""

    name, label, icon = "recycle", _("Recycle"), "autorenew"
    verdict = Verdict.RECYCLED
    back_on = forms.DateField(
        required=False,
        label=_("May come back on"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )
    field_order = ("reason", "back_on", "note")

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        self.fields["back_on"].widget.attrs["min"] = f"{timezone.localdate() + timedelta(days=1):%Y-%m-%d}"

    def clean_back_on(self) -> date | None:
        day = self.cleaned_data["back_on"]
        if day and day <= timezone.localdate():
            raise forms.ValidationError(gettext("Name a day that is still to come, or none."))
        return day


class RejectForm(ReturnForm):
    """Not at all. A reason that is about quality names what of the signed definition the lead fails."""

    name, label, icon = "reject", _("Reject"), "thumb_down"
    verdict = Verdict.REJECTED
    criterion = forms.ChoiceField(
        required=False, label=_("What of the signed definition failed"), widget=forms.RadioSelect
    )
    field_order = ("reason", "criterion", "note")

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        asked = returns.definition(handoff)
        if not asked:
            del self.fields["criterion"]
            return
        self.fields["criterion"].choices = [(one.text, one.text) for one in asked]
        self.fields["criterion"].help_text = gettext("For reasons about quality. The lead’s own values stand beside.")

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        reason, is_asked = given.get("reason"), "criterion" in self.fields
        if reason and is_asked and not reason.is_quality:
            given["criterion"] = ""
        elif reason and is_asked and not given.get("criterion") and "criterion" not in self.errors:
            words = gettext("“%(reason)s” is about quality: say what of the signed definition the lead fails.")
            self.add_error("criterion", words % {"reason": reason})
        return given


class HoldForm(FactForm):
    """Time that shall not count."""

    name, label, icon = "hold", _("Hold"), "pause_circle"
    reason = forms.CharField(max_length=200, label=_("Why the time shall not count"))
    at = When(label=_("Since"))


class OutcomeForm(FactForm):
    """What came of an accepted handoff."""

    name, label, icon = "record_outcome", _("Record an outcome"), "trending_up"
    kind = forms.ChoiceField(choices=Outcome.Kind.choices, label=_("What"))
    amount = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=14,
        decimal_places=2,
        label=_("Amount"),
        help_text=_("Of an opportunity or a win."),
    )
    at = When()

    def clean(self) -> dict[str, object]:
        given = super().clean()
        valued = (Outcome.Kind.OPPORTUNITY, Outcome.Kind.WON)
        if given.get("amount") is not None and given.get("kind") not in valued:
            self.add_error("amount", gettext("Only an opportunity and a win have an amount."))
        return given


class WorklistForm(SearchForm):
    """What the rep's list is narrowed by. The page draws it: its sources and segments are those of the list."""

    source = forms.CharField(required=False, label=_("Source"), strip=False, max_length=200)
    segment = forms.CharField(required=False, label=_("Segment"), strip=False, max_length=200)
    owed = forms.ChoiceField(required=False, choices=list(DOING.items()), label=_("Owed"))
    group = forms.ChoiceField(required=False, choices=Group.choices, label=_("Group"))


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
