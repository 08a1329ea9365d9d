"""What a person says about a handoff: one form for each verb, and which of them somebody is offered."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django import forms
from django.utils import timezone

from leads.models import AttemptOutcome, Channel, Direction, Handoff, Outcome, ReasonCode, Verdict
from slaportal import roles
from slaportal.models import User

MINUTE = timedelta(minutes=1)


class When(forms.DateTimeField):
    """A time of the past in the reader's zone; empty is now."""

    def __init__(self, **kwargs: object) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(**{"label": "When", "required": False, "widget": widget, **kwargs})


class FactForm(forms.Form):
    """A form about one handoff. `name` is the word by which pages and views call it."""

    name = ""

    def __init__(self, data: object = None, *, handoff: Handoff, user: User) -> None:
        super().__init__(data, prefix=self.name, auto_id=f"id_{handoff.pk}_%s")
        self.handoff, self.user = handoff, user
        if "at" in self.fields:
            local = timezone.localtime(timezone.now())
            self.fields["at"].help_text = f"Empty means now. Your time zone: {timezone.get_current_timezone_name()}."
            self.fields["at"].widget.attrs["max"] = f"{local:%Y-%m-%dT%H:%M}"

    def clean_at(self) -> datetime | None:
        """People say minutes: the one in which the handoff began means its beginning, not a moment before it."""
        at = self.cleaned_data["at"]
        return max(at, self.handoff.qualified_at) if at and self.handoff.qualified_at - at < MINUTE else at


class AttemptForm(FactForm):
    """A try at contact."""

    name = "attempt"
    channel = forms.ChoiceField(choices=Channel.choices, initial=Channel.CALL)
    direction = forms.ChoiceField(choices=Direction.choices, initial=Direction.OUTBOUND, label="Who began")
    outcome = forms.ChoiceField(choices=AttemptOutcome.choices, initial=AttemptOutcome.CONNECTED, label="What came of it")
    at = When()
    note = forms.CharField(required=False, widget=forms.Textarea({"rows": 2}))


class AcceptForm(FactForm):
    """Sales takes the handoff."""

    name = "accept"
    verdict = Verdict.ACCEPTED
    note = forms.CharField(required=False, widget=forms.Textarea({"rows": 2}))


class ReturnForm(FactForm):
    """Sales gives the handoff back, for a reason that fits."""

    verdict = Verdict.REJECTED
    reason = forms.ModelChoiceField(ReasonCode.objects.none(), empty_label="Choose a reason")
    note = forms.CharField(required=False, widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: object = None, *, handoff: Handoff, user: User) -> None:
        super().__init__(data, handoff=handoff, user=user)
        fitting = {f"for_{self.verdict}": True}
        self.fields["reason"].queryset = ReasonCode.objects.filter(is_active=True, **fitting)


class RecycleForm(ReturnForm):
    """Not now: back to marketing, who may hand it over again."""

    name = "recycle"
    verdict = Verdict.RECYCLED


class RejectForm(ReturnForm):
    """Not at all."""

    name = "reject"


class HoldForm(FactForm):
    """Time that shall not count."""

    name = "hold"
    reason = forms.CharField(max_length=200, label="Why the time shall not count")
    at = When(label="Since")


class OutcomeForm(FactForm):
    """What came of an accepted handoff."""

    name = "outcome"
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
    """A request for data, or a protest."""

    name = "ask"
    comment = forms.CharField(label="What is missing or wrong", widget=forms.Textarea({"rows": 3}))


class AnswerForm(FactForm):
    """Marketing's answer to what was asked."""

    name = "answer"
    answer = forms.CharField(widget=forms.Textarea({"rows": 3}))
    upheld = forms.TypedChoiceField(
        choices=[("no", "No: the decision stands"), ("yes", "Yes: it counts as accepted")],
        coerce=lambda word: word == "yes",
        initial="no",
        widget=forms.RadioSelect,
        label="Upheld",
    )


class AssignForm(FactForm):
    """Another owner from the same team."""

    name = "assign"
    owner = forms.ModelChoiceField(User.objects.none(), label="To", empty_label="Choose a person")
    why = forms.CharField(max_length=200, label="Why")

    def __init__(self, data: object = None, *, handoff: Handoff, user: User) -> None:
        super().__init__(data, handoff=handoff, user=user)
        today = timezone.localtime(timezone.now(), handoff.agreement.zone).date()
        team = handoff.team_id or handoff.agreement.sales_team_id
        colleagues = User.objects.available(on=today).filter(team=team, groups__name=roles.REP)
        self.fields["owner"].queryset = colleagues.exclude(pk=handoff.owner_id)


def may_work(user: User, handoff: Handoff) -> bool:
    """Whether the person may say what sales did; that they may see the handoff is asked before."""
    return user.has_perm("leads.work_handoff")


def may_answer(user: User, handoff: Handoff) -> bool:
    """Whether the person answers for the marketing side of the handoff's agreement."""
    return user.team_id == handoff.agreement.marketing_team_id and user.has_role(roles.MARKETING_LEADER)


def offered(handoff: Handoff, user: User, *, is_held: bool, is_asked: bool) -> Sequence[type[FactForm]]:
    """The forms that make sense for this person and for where the handoff stands, in the order of use."""
    found: list[type[FactForm]] = []
    is_open, is_accepted = handoff.ended_at is None, handoff.stage != Handoff.Stage.MQL
    is_returned = handoff.stage in (Handoff.Stage.RECYCLED, Handoff.Stage.REJECTED)
    if may_work(user, handoff):
        found.append(AttemptForm)
        if is_open:
            found += [] if is_accepted else [AcceptForm]
            found += [RecycleForm, RejectForm]
            found += [] if is_held else [HoldForm]
        if is_accepted and not is_returned:
            found.append(OutcomeForm)
        found.append(AskForm)
    if is_asked and may_answer(user, handoff):
        found.append(AnswerForm)
    if is_open and user.has_perm("leads.assign_handoff"):
        found.append(AssignForm)
    return found
