"""Forms of the admin: terms with their criteria and ladders as plain text, calendars, and what the dialogs ask."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import holidays
from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import ModelChoiceIteratorValue
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm, PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from agreements import exchange
from agreements.calendars import WEEKDAYS, BusinessCalendar, Closure, WorkingHours, validate_windows
from agreements.catalogue import CATALOGUE, FIELDS, Measure
from agreements.fields import CalendarChoiceField, CriteriaField, LadderField, ListedChoiceField, MonthlyTargetsField
from agreements.models import Agreement, Commitment, Status, Step, Version
from agreements.plain_ladders import complaints, write_ladder
from agreements.plain_text import write_criteria
from agreements.standing import standings
from agreements.terms_file import MOST_BYTES
from slaportal import formats


class CriteriaForm(forms.ModelForm):
    """A form whose `covers` is written as text and kept as the `Criterion` rows of the relation `criteria_of`."""

    criteria_of = "scope"
    covers = CriteriaField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["covers"] = write_criteria(getattr(self.instance, self.criteria_of).all())
        for name, value in self.initial.items():
            if isinstance(value, Decimal):
                self.initial[name] = int(value) if value == int(value) else value.normalize()

    def _save_m2m(self) -> None:
        super()._save_m2m()
        if "covers" in self.changed_data:
            criteria = getattr(self.instance, self.criteria_of)
            criteria.all().delete()
            criteria.add(*self.cleaned_data["covers"], bulk=False)


class AgreementForm(CriteriaForm):
    """Who agrees, and about which leads."""

    covers = CriteriaField(
        label=_("Leads it covers"),
        help_text=_("A lead must meet all of them; none: every lead. Each version freezes them at its proposal."),
    )

    class Meta:
        model = Agreement
        fields = ("name", "marketing_team", "sales_team", "time_zone", "priority")

    def clean(self) -> dict[str, Any]:
        """The teams say who signs, so they stay while a version that names them waits for signatures."""
        cleaned = super().clean()
        waiting = self.instance.pk and self.instance.versions.filter(status=Status.PROPOSED).first()
        for team in ("marketing_team", "sales_team"):
            if waiting and team in self.changed_data:
                self.add_error(
                    team,
                    gettext("Version %(number)s waits for this team’s signature. Withdraw it first.")
                    % {"number": waiting.number},
                )
        return cleaned


class VersionForm(CriteriaForm):
    """Terms of a draft, without its commitments."""

    criteria_of = "criteria"
    covers = CriteriaField(
        label=_("Criteria"),
        help_text=_("A qualified lead meets all of them; none: the score alone decides."),
    )
    required_fields = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=Version._meta.get_field("required_fields").help_text,
    )

    class Meta:
        model = Version
        fields = (
            *("wanted_from", "ends_on", "note", "calendar", "score_threshold", "required_fields", "review_cadence"),
            *(
                "review_weekday",
                "entry_grace_days",
                "sealing_grace_days",
                "dispute_days",
                "monthly_cap",
                "minimum_group",
            ),
        )
        field_classes = {"calendar": CalendarChoiceField}
        widgets = {"note": UnfoldAdminExpandableTextareaWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [*FIELDS, *(name for name in self.instance.required_fields if name not in FIELDS)]
        self.fields["required_fields"].choices = [(name, FIELDS.get(name, name)) for name in names]


def kind_choices() -> list[tuple[str, object]]:
    """The catalogue, grouped by who promises."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for kind in CATALOGUE.values():
        groups.setdefault(gettext("%(party)s promises") % {"party": kind.party.label}, []).append(
            (kind.code, kind.label)
        )
    return [("", gettext("Choose what is promised")), *groups.items()]


def kinds_for_script() -> str:
    """What commitments.js must know of each kind: which fields it uses and what it measures exactly."""
    return json.dumps(
        {
            kind.code: {
                "exactly": kind.exactly,
                "limit": kind.has_limit,
                "attempts": kind.takes_attempts,
                "monthly": kind.measure == Measure.COUNT,
                "starts": [start.value for start in kind.starts],
                "actions": [action.label for action in kind.actions],
            }
            for kind in CATALOGUE.values()
        }
    )


class CommitmentForm(CriteriaForm):
    """One promise. What its kind does not use is not kept."""

    covers = CriteriaField(
        label=_("Applies to"),
        help_text=_("Leads that meet all of these criteria; none: every handoff."),
    )
    kind = forms.ChoiceField(
        choices=kind_choices,
        widget=UnfoldAdminSelectWidget({"data-kinds": kinds_for_script()}),
        label=_("What is promised"),
    )
    code = forms.SlugField(
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Short name that stays the same from version to version; blank: made from the title."),
    )
    monthly_targets = MonthlyTargetsField(help_text=_("Months whose volume differs, one a line."))
    ladder = LadderField(help_text=_("What happens by itself while it is not kept; none: nothing does."))
    position = forms.IntegerField(required=False, initial=0, widget=forms.HiddenInput)

    class Meta:
        model = Commitment
        fields = (
            *("title", "kind", "calendar", "start", "limit", "unit", "attempts", "target", "monthly_targets"),
            *("baseline", "consequence", "code", "position"),
        )
        field_classes = {"calendar": CalendarChoiceField}
        widgets = {"consequence": UnfoldAdminExpandableTextareaWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["ladder"] = write_ladder(self.instance.steps.all())

    def clean_position(self) -> int:
        return self.cleaned_data["position"] or 0

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        kind = CATALOGUE.get(cleaned.get("kind"))
        if kind is None:
            return cleaned
        if cleaned.get("limit") is not None and not cleaned.get("unit"):
            self.add_error("unit", gettext("Say in which unit the limit is."))
        if cleaned.get("limit") is None and not kind.has_limit:
            cleaned["unit"] = ""
        if not kind.starts:
            cleaned["start"] = ""
        if not kind.takes_attempts:
            cleaned["attempts"] = None
        if kind.measure != Measure.COUNT:
            cleaned["monthly_targets"] = {}
        if problems := complaints(cleaned.get("ladder", ()), kind.code):
            self.add_error("ladder", problems)
        return cleaned

    def _save_m2m(self) -> None:
        super()._save_m2m()
        if "ladder" in self.changed_data:
            self.instance.steps.all().delete()
            for position, step in enumerate(self.cleaned_data["ladder"]):
                step.commitment, step.position = self.instance, position
            Step.objects.bulk_create(self.cleaned_data["ladder"])

    def _post_clean(self) -> None:
        """A row that nobody touched stands as it was found, and is not held against the database once more."""
        if self.has_changed():
            super()._post_clean()


class CommitmentFormSet(PaginationInlineFormSet):
    """The promises of a draft: new ones come last, and a blank code is made from the title."""

    def add_fields(self, form: CommitmentForm, index: int | None) -> None:
        """Besides the usual ones; the hidden id is that of a row which was read with all others."""
        super().add_fields(form, index)
        row = form.fields["id"]
        form.fields["id"] = ListedChoiceField(row.queryset, initial=row.initial, required=False, widget=row.widget)
        if form.instance.pk:
            form.fields["id"].choices = [(ModelChoiceIteratorValue(form.instance.pk, form.instance), "")]

    def clean(self) -> None:
        kept = [form for form in self.forms if form.has_changed() and not self._should_delete_form(form)]
        untouched = [form for form in self.initial_forms if not form.has_changed()]
        taken = {form.cleaned_data.get("code") for form in kept if form.is_valid()}
        taken |= {form.instance.code for form in untouched}
        for form in kept:
            if form.is_valid() and not form.cleaned_data.get("code"):
                form.instance.code = form.cleaned_data["code"] = free_code(form.cleaned_data["title"], taken)
                taken.add(form.instance.code)
        super().clean()

    def save_new(self, form: CommitmentForm, commit: bool = True) -> Commitment:
        last = max((old.instance.position for old in self.initial_forms), default=-1)
        form.instance.position = last + 1 + self.extra_forms.index(form)
        return super().save_new(form, commit=commit)


def free_code(title: str, taken: Iterable[str]) -> str:
    """A code made from a title, with a number behind it where the plain one is taken."""
    plain = slugify(title)[:36].strip("-") or "commitment"
    candidates = [plain, *(f"{plain}-{number}" for number in range(2, 100))]
    return next(code for code in candidates if code not in taken)


class CalendarForm(forms.ModelForm):
    """A business calendar; an unknown country or region is said at its own field."""

    class Meta:
        model = BusinessCalendar
        fields = ("name", "time_zone", *WEEKDAYS, "country", "region")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for day in WEEKDAYS:
            try:
                validate_windows(cleaned.get(day, ""))
            except ValidationError as problem:
                self.add_error(day, problem)
        country, region = (cleaned.get(name, "").strip().upper() for name in ("country", "region"))
        cleaned |= {"country": country, "region": region}
        known = holidays.list_supported_countries()
        if country and country not in known:
            self.add_error(
                "country",
                gettext("No public holidays are known for “%(country)s”; write a code such as DE or US.")
                % {"country": country},
            )
        elif region and not country:
            self.add_error("region", gettext("A region needs its country."))
        elif region and region not in known[country]:
            self.add_error(
                "region",
                gettext("%(country)s has no region “%(region)s”, only %(regions)s.")
                % {"country": country, "region": region, "regions": ", ".join(known[country]) or gettext("itself")},
            )
        return cleaned


class WorkingHoursForm(forms.ModelForm):
    """Who works by a calendar."""

    class Meta:
        model = WorkingHours
        fields = ("person",)
        error_messages = {"person": {"unique": _("Works by another calendar already; remove the person there first.")}}


class NewDraftForm(BaseDialogForm):
    """What a new draft begins with: a copy of a version, a template, or nothing but a calendar."""

    BLANK = "blank"

    begin_with = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    calendar = CalendarChoiceField(
        BusinessCalendar.objects.all(),
        required=False,
        empty_label=_("none of these"),
        widget=UnfoldAdminSelectWidget,
        help_text=_(
            "A template or blank terms count in it; a copy keeps its own. With none of these, a template "
            "gets office hours where the agreement is."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = timezone.now()
        agreement = Agreement.objects.with_in_force(now).get(pk=self.object_id)
        found = standings(agreement.versions.defer("terms"), in_force_id=agreement.in_force_id, now=now)
        copies = [
            (
                one.version.pk,
                gettext("Version %(number)s (%(word)s)") % {"number": one.version.number, "word": one.word},
            )
            for one in found
        ]
        templates = [(template.slug, template.name) for template in exchange.TEMPLATES]
        groups = [(gettext("Terms of this agreement"), copies)] if copies else []
        begin_with = self.fields["begin_with"]
        begin_with.choices = [*groups, (gettext("Templates"), templates), (self.BLANK, gettext("Blank terms"))]
        begin_with.initial = agreement.in_force_id
        begin_with.help_text = format_html(
            '<span class="sla-templates">{}</span>',
            format_html_join("", "<span><b>{}</b> {}</span>", ((one.name, one.about) for one in exchange.TEMPLATES)),
        )
        self.fields["calendar"].initial = BusinessCalendar.objects.first()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("begin_with") == self.BLANK and not cleaned.get("calendar"):
            self.add_error(
                "calendar", gettext("Choose the calendar in which the terms count; add one first if there is none.")
            )
        return cleaned


class ImportForm(forms.Form):
    """Terms as JSON, from a file or pasted."""

    file = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget({"accept": ".json,application/json"}),
        help_text=_("As “Export terms” writes it."),
        error_messages={"empty": _("The file is empty.")},
    )
    pasted = forms.CharField(
        required=False,
        label=_("Or paste it"),
        strip=False,
        widget=UnfoldAdminTextareaWidget({"rows": 6, "spellcheck": "false"}),
    )

    @property
    def text(self) -> str:
        return self.cleaned_data["text"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        file, pasted = cleaned.get("file"), cleaned.get("pasted") or ""
        if bool(file) == bool(pasted.strip()):
            raise ValidationError(gettext("Choose a file or paste its text: one of the two."))
        if file and file.size > MOST_BYTES:
            raise ValidationError(
                {
                    "file": gettext("%(file)s is too large for terms: %(size)s bytes.")
                    % {"file": file.name, "size": formats.number(file.size)}
                }
            )
        try:
            cleaned["text"] = file.read().decode("utf-8-sig") if file else pasted
        except UnicodeDecodeError:
            raise ValidationError(
                {"file": gettext("%(file)s is no text in UTF-8. Export the terms again.") % {"file": file.name}}
            ) from None
        return cleaned


class ReasonForm(BaseDialogForm):
    """Why something is taken back."""

    reason = forms.CharField(
        widget=UnfoldAdminExpandableTextareaWidget,
        error_messages={"required": _("Say why, so that the next version can do better.")},
    )


class ClosureForm(BaseDialogForm):
    """A day on which nobody was, or will be, there."""

    day = forms.DateField(widget=UnfoldAdminTextInputWidget({"type": "date"}))
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)

    def clean_day(self) -> Any:
        day = self.cleaned_data["day"]
        if Closure.objects.filter(calendar_id=self.object_id, date=day, withdrawn_at=None).exists():
            raise ValidationError(gettext("That day is closed already."))
        return day


class ClosureChoiceForm(BaseDialogForm):
    """Which closure is taken back."""

    closure = forms.ModelChoiceField(Closure.objects.none(), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["closure"].queryset = Closure.objects.filter(calendar_id=self.object_id, withdrawn_at=None)
        self.fields["closure"].initial = self.request.GET.get("closure")
