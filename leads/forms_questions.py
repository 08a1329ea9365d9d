"""Forms about what is asked, disputed, answered and decided: of marketing, of a decision, of a miss, of what counts."""

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agreements.models import Commitment
from leads import timeline
from leads.forms_facts import FactForm
from leads.models import MARKETING_KINDS, Clock, Dispute, ExclusionRequest, Handoff
from slaportal.models import Party


class DisputeField(forms.ModelChoiceField):
    """Disputes in full, because they are about to be answered."""

    def label_from_instance(self, dispute: Dispute) -> str:
        return dispute.comment


class RequestField(forms.ModelChoiceField):
    """Requests to exclude in full, because they are about to be decided."""

    def label_from_instance(self, request: ExclusionRequest) -> str:
        return f"{request.commitment}: {request.reason} ({request.asked_by})"


class AskForm(FactForm):
    """Sales asks for data."""

    name, label, icon = "ask_marketing", _("Ask marketing"), "help"
    comment = forms.CharField(label=_("What is missing or wrong"), widget=forms.Textarea({"rows": 3}))


class DisputeForm(FactForm):
    """Marketing disputes that sales gave a handoff back."""

    name, label, icon = "dispute_decision", _("Dispute"), "balance"
    comment = forms.CharField(label=_("Why the decision is wrong"), widget=forms.Textarea({"rows": 3}))


class OpenDisputeForm(FactForm):
    """An answer to one of the disputes that one party opened."""

    party: Party
    dispute = DisputeField(
        Dispute.objects.none(), label=_("What was asked"), empty_label=None, widget=forms.RadioSelect
    )

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        self.fields["dispute"].queryset = asked = handoff.disputes.filter(answered_at=None, party=self.party)
        self.fields["dispute"].initial = asked.first()


class AnswerForm(OpenDisputeForm):
    """Marketing's answer to what sales asked."""

    name, label, icon = "answer_question", _("Answer"), "quick_phrases"
    party = Party.SALES
    answer = forms.CharField(label=_("Answer"), widget=forms.Textarea({"rows": 3}))


class DecideForm(OpenDisputeForm):
    """RevOps' decision on what marketing disputes."""

    name, label, icon = "decide_dispute", _("Decide the dispute"), "gavel"
    party = Party.MARKETING
    upheld = forms.TypedChoiceField(
        choices=[
            ("no", _("No: sales’ decision stands")),
            ("yes", _("Yes: it counts as accepted")),
        ],
        coerce=lambda word: word == "yes",
        widget=forms.RadioSelect,
        label=_("Upheld"),
    )
    answer = forms.CharField(label=_("Why"), widget=forms.Textarea({"rows": 3}))


class ExcludeForm(FactForm):
    """A request not to count a promise here."""

    name, label, icon = "ask_exclusion", _("Ask to exclude"), "do_not_disturb_on"
    commitment = forms.ModelChoiceField(Commitment.objects.none(), label=_("Which promise"), empty_label=None)
    reason = forms.CharField(max_length=300, label=_("Why it shall not count"), widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        counted = handoff.clocks.deciding().excludable()
        self.fields["commitment"].queryset = Commitment.objects.filter(pk__in=counted.values("commitment"))


class DecideExclusionForm(FactForm):
    """RevOps' decision on a request to exclude."""

    name, label, icon = "decide_exclusion", _("Decide the exclusion"), "gavel"
    request = RequestField(
        ExclusionRequest.objects.none(),
        label=_("What was asked"),
        empty_label=None,
        widget=forms.RadioSelect,
    )
    granted = forms.TypedChoiceField(
        choices=[("yes", _("Grant: it is excluded")), ("no", _("Decline: it counts"))],
        coerce=lambda word: word == "yes",
        widget=forms.RadioSelect,
        label=_("Decision"),
    )
    note = forms.CharField(max_length=300, label=_("Why"), widget=forms.Textarea({"rows": 2}))

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

    name, label, icon = "answer_miss", _("Answer a miss"), "rate_review"
    is_of_marketing = False
    clock = MissField(label=_("What was missed"), empty_label=None, widget=forms.RadioSelect)
    cause = forms.CharField(max_length=200, label=_("Why it happened"))
    action = forms.CharField(max_length=200, label=_("What is done about it"))

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        missed = Clock.objects.unanswered().filter(handoff=handoff).select_related("commitment")
        of_marketing = Q(commitment__kind__in=MARKETING_KINDS)
        missed = missed.filter(of_marketing if self.is_of_marketing else ~of_marketing)
        self.fields["clock"].queryset, self.fields["clock"].handoff = missed, handoff
        self.fields["clock"].initial = missed.first()


class AnswerMarketingMissForm(AnswerMissForm):
    """The same of what marketing owed."""

    name, label = "answer_marketing_miss", _("Answer for marketing")
    is_of_marketing = True
