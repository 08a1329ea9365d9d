"""The chain of an agreement: nothing that was signed changes unnoticed, and what is untouched raises no alarm."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, Q

from agreements import chain, frozen, signoff, terms
from agreements.chain import Misfit
from agreements.models import Agreement, AgreementEvent, Commitment, Criterion, Signature, Step, Version
from slaportal import roles
from slaportal.models import Team
from tests.conftest import MONDAY, PASSWORD, agree, make_commitment, make_step, triggers_off
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
TAMPERINGS = 300


@pytest.fixture
@kept
def history(draft, rita, max_, sofia) -> Agreement:
    """Two agreed versions, one declined after a signature, two withdrawn, one waiting, and a draft."""
    make_commitment(draft, "attempts")
    Criterion.objects.create(version=draft, field="score", operator="at least", value="80")
    Criterion.objects.create(commitment=draft.commitments.get(kind="attempts"), field="source", value="Webinar")
    make_step(draft.commitments.get(kind="first_response"), "tell team", share=80, team=draft.agreement.marketing_team)
    make_step(draft.commitments.get(kind="first_response"), "tell role", offset=30, role=roles.REVOPS)
    make_step(draft.commitments.get(kind="volume"), "recovery plan")
    first = agree(draft, by=rita, marketing=max_, sales=sofia)
    now = MONDAY + DAY
    second = signoff.propose(signoff.new_draft_from(first, by=rita, now=now), by=rita, now=now)
    given = {"password": PASSWORD, "terms_hash": second.terms_hash, "now": now}
    signoff.sign(second, signer=max_, name="Max", title="Head of Marketing", **given)
    signoff.decline(second, by=sofia, reason="Too fast.", now=now + SECOND)
    third = first.agreement.versions.get(number=3)
    agree(third, by=rita, marketing=max_, sales=sofia, now=now + DAY)
    fourth = signoff.new_draft_from(third, by=rita, now=now + DAY)
    signoff.withdraw(fourth, by=rita, reason="Obsolete.", now=now + DAY)
    signoff.propose(signoff.new_draft_from(third, by=rita, now=now), by=rita, now=now + 2 * DAY)
    fifth = signoff.propose(signoff.new_draft_from(third, by=rita, now=now), by=rita, now=now + 2 * DAY)
    signoff.withdraw(fifth, by=rita, reason="Too early.", now=now + 2 * DAY)
    signoff.new_draft_from(third, by=rita, now=now + 3 * DAY)
    return Agreement.objects.get(pk=first.agreement_id)


def verify(agreement: Agreement) -> list[Misfit]:
    return chain.verify(Agreement.objects.get(pk=agreement.pk))


# --- Untouched ----------------------------------------------------------------------------------------------------


def test_an_untouched_history_gives_no_alarm(history):
    assert verify(history) == []
    assert history.events.count() == 22
    assert [event.number for event in history.events.all()] == list(range(1, 23))


def test_an_agreement_without_a_version_gives_no_alarm(agreement):
    assert verify(agreement) == []


def test_what_may_change_gives_no_alarm(history, office, marketing, max_):
    Agreement.objects.filter(pk=history.pk).update(name="Another name", time_zone="Asia/Tokyo", priority=1)
    Criterion.objects.create(agreement=history, field="country", value="AT")
    Team.objects.filter(pk=marketing.pk).update(name="Another team")
    office.name, office.monday, office.country = "Another calendar", "", "AT"
    office.save()
    max_.name, max_.is_active = "Renamed", False
    max_.save()
    draft = history.versions.get(status="draft")
    draft.commitments.update(target=1)
    Step.objects.filter(commitment__version=draft).update(position=7)
    Version.objects.filter(pk=draft.pk).update(note="Still being written")
    assert verify(history) == []


def test_the_length_of_the_history_costs_no_more_queries(history, django_assert_num_queries):
    agreement = Agreement.objects.get(pk=history.pk)
    with django_assert_num_queries(16):
        chain.verify(agreement)


def test_older_keys_still_verify_and_new_events_name_the_new_one(history, settings, rita):
    settings.AGREEMENT_KEYS = {"2027": "another key", **settings.AGREEMENT_KEYS}
    assert verify(history) == []
    signoff.new_draft_from(history.versions.first(), by=rita, now=MONDAY + 9 * DAY)
    assert history.events.last().key_id == "2027"
    assert verify(history) == []
    settings.AGREEMENT_KEYS = {"2027": "another key"}
    assert str(verify(history)[0]) == "event 1 (drafted): AGREEMENT_KEYS has no key “local”"


def test_columns_that_a_later_release_adds_were_not_signed(history, settings):
    """Evidence says what stood there; what it does not name is left alone, so old events go on verifying."""
    with triggers_off():
        for event in history.events.all():
            kept = json.loads(event.evidence)
            for row in kept.values():
                row.pop("review_weekday", None)
            event.evidence = terms.canonical(kept)
            event.save()
        reseal(history)
        Version.objects.filter(agreement=history, number=2).update(review_weekday=4)
    assert [misfit.why for misfit in verify(history)] == ["its frozen terms and its rows disagree on review_weekday"]


def reseal(agreement: Agreement) -> None:
    """What only somebody with the key can do."""
    before = ""
    for event in agreement.events.order_by("number"):
        event.mac = before = chain.seal(event, before=before)
        event.save()
        Agreement.objects.filter(pk=agreement.pk).update(last_seal=chain.last_seal(event))


# --- Tampered with ------------------------------------------------------------------------------------------------


def signed_rows(agreement: Agreement) -> list[models.Model]:
    frozen = Q(version__agreement=agreement) & ~Q(version__status="draft")
    by_commitment = Q(commitment__version__agreement=agreement) & ~Q(commitment__version__status="draft")
    return [
        *agreement.versions.exclude(status="draft"),
        *Commitment.objects.filter(frozen),
        *Criterion.objects.filter(frozen | by_commitment),
        *Step.objects.filter(by_commitment),
        *Signature.objects.filter(version__agreement=agreement),
        *agreement.events.all(),
    ]


def another(value: object, chance: random.Random, field: models.Field) -> object:
    """A value that differs in a digit, a letter, a second or a day."""
    match value:
        case bool():
            return not value
        case int() | Decimal():
            return value + 1
        case datetime():
            return value + chance.choice((SECOND, -SECOND, timedelta(microseconds=1)))
        case date():
            return value + DAY
        case dict() | list():
            return [*value, "phone"] if isinstance(value, list) else {**value, "2025-03": 1}
        case None if isinstance(field, models.DateTimeField):
            return MONDAY
        case None if isinstance(field, models.DateField):
            return date(2025, 5, 5)
        case None:
            return 1
        case "":
            return "x"
    if chance.random() < 0.1:
        return ""
    place = chance.randrange(len(value))
    return value[:place] + ("b" if value[place] == "a" else "a") + value[place + 1 :]


def a_changed_digit(agreement: Agreement, chance: random.Random) -> str:
    row = chance.choice(signed_rows(agreement))
    field = chance.choice([field for field in row._meta.concrete_fields if not field.primary_key])
    value = another(getattr(row, field.attname), chance, field)
    type(row).objects.filter(pk=row.pk).update(**{field.attname: value})
    return f"{row._meta.model_name}.{field.name}"


def a_moved_time(agreement: Agreement, chance: random.Random) -> str:
    row = chance.choice([row for row in signed_rows(agreement) if not isinstance(row, Commitment | Criterion | Step)])
    times = [field.name for field in row._meta.concrete_fields
             if isinstance(field, models.DateTimeField) and getattr(row, field.name)]  # fmt: skip
    name = chance.choice(times)
    type(row).objects.filter(pk=row.pk).update(**{name: F(name) + chance.choice((SECOND, -SECOND))})
    return f"{row._meta.model_name}.{name}"


def swapped_signatures(agreement: Agreement, chance: random.Random) -> str:
    """Everything that two signatures say changes places."""
    one, other = chance.sample(list(Signature.objects.filter(version__agreement=agreement)), 2)
    Signature.objects.filter(pk__in=[one.pk, other.pk]).delete()
    one.pk, other.pk = other.pk, one.pk
    Signature.objects.bulk_create([one, other])
    return "signatures"


def swapped_names(agreement: Agreement, chance: random.Random) -> str:
    """The printed names of the two signatures under one version change places."""
    version = chance.choice(list(agreement.versions.filter(status="agreed")))
    one, other = version.signatures.all()
    Signature.objects.filter(pk=one.pk).update(name=other.name)
    Signature.objects.filter(pk=other.pk).update(name=one.name)
    return "names"


def a_deleted_last_event(agreement: Agreement, chance: random.Random) -> str:
    """As often as not with a head written over it, so well as one can who has no key."""
    agreement.events.filter(pk=agreement.events.last().pk).delete()
    guess = chance.choice(["", agreement.events.last().mac, agreement.last_seal, "0" * 64])
    Agreement.objects.filter(pk=agreement.pk).update(last_seal=guess)
    return "last event"


def a_rolled_back_signature(agreement: Agreement, chance: random.Random) -> str:
    """The second signature and all that followed it for its version are gone, as if it had never been signed."""
    version = agreement.versions.filter(status="agreed").order_by("-number").last()
    agreement.events.filter(version=version, what="agreed").delete()
    version.signatures.last().delete()
    Version.objects.filter(pk=version.pk).update(status="proposed", agreed_at=None, effective_from=None)
    for number, event in enumerate(agreement.events.order_by("number"), start=1):
        AgreementEvent.objects.filter(pk=event.pk).update(number=number)
    return "rolled back"


def a_removed_event(agreement: Agreement, chance: random.Random) -> str:
    """One is taken out of the middle, and those behind it move up."""
    gone = chance.choice(list(agreement.events.all()[:10]))
    AgreementEvent.objects.filter(pk=gone.pk).delete()
    for event in agreement.events.filter(number__gt=gone.number).order_by("number"):
        AgreementEvent.objects.filter(pk=event.pk).update(number=event.number - 1)
    return "middle event"


def a_forged_event(agreement: Agreement, chance: random.Random) -> str:
    last = agreement.events.last()
    forged = AgreementEvent(
        agreement=agreement, number=last.number + 1, version=chance.choice(list(agreement.versions.all())),
        what=chance.choice(["signed", "noted", "withdrawn", "agreed"]), at=last.at + SECOND, key_id=last.key_id,
        evidence=last.evidence, mac=chance.choice([last.mac, "f" * 64]),
    )  # fmt: skip
    forged.save()
    Agreement.objects.filter(pk=agreement.pk).update(last_seal=chance.choice([agreement.last_seal, forged.mac]))
    return "forged event"


def a_removed_row(agreement: Agreement, chance: random.Random) -> str:
    tables = Commitment | Criterion | Step | Signature
    row = chance.choice([row for row in signed_rows(agreement) if isinstance(row, tables)])
    if isinstance(row, Commitment):
        row.scope.all().delete()
        row.steps.all().delete()
    type(row).objects.filter(pk=row.pk)._raw_delete("default")
    return f"{row._meta.model_name} removed"


def an_added_row(agreement: Agreement, chance: random.Random) -> str:
    version = chance.choice(list(agreement.versions.exclude(status="draft")))
    if chance.random() < 0.3:
        make_commitment(version, "routing", code="slipped-in")
    elif chance.random() < 0.5:
        make_step(chance.choice(list(version.commitments.all())), "task", share=77)
    else:
        Criterion.objects.create(version=version, field="country", value="DE")
    return "row added"


def other_terms(version: Version, chance: random.Random) -> tuple[str, str]:
    frozen = json.loads(version.terms)
    promise = chance.choice(frozen["commitments"])
    promise["target"] = "1"
    text = terms.canonical(frozen)
    return text, terms.digest(text)


def hashes_recomputed_without_the_key(agreement: Agreement, chance: random.Random, settings) -> str:
    """Terms, hash, the signatures' hashes, all evidence and the whole chain anew: everything but the key."""
    version = chance.choice(list(agreement.versions.filter(status="agreed")))
    text, digest = other_terms(version, chance)
    Version.objects.filter(pk=version.pk).update(terms=text, terms_hash=digest)
    version.commitments.update(target=1)
    version.signatures.update(terms_hash=digest)
    known = settings.AGREEMENT_KEYS
    settings.AGREEMENT_KEYS = dict.fromkeys(known, "a guess")
    chain.chain_up(apps.get_model)
    settings.AGREEMENT_KEYS = known
    return "recomputed"


def terms_changed_with_their_hash(agreement: Agreement, chance: random.Random) -> str:
    version = chance.choice(list(agreement.versions.exclude(terms="")))
    text, digest = other_terms(version, chance)
    Version.objects.filter(pk=version.pk).update(terms=text, terms_hash=digest)
    version.signatures.update(terms_hash=digest)
    return "terms and hash"


WAYS: tuple[Callable[..., str], ...] = (
    a_changed_digit, a_changed_digit, a_changed_digit, a_changed_digit, a_moved_time, a_moved_time, swapped_signatures,
    swapped_names, a_deleted_last_event, a_rolled_back_signature, a_removed_event, a_forged_event, a_removed_row,
    an_added_row, terms_changed_with_their_hash, hashes_recomputed_without_the_key,
)  # fmt: skip


@pytest.mark.embedded
@pytest.mark.long
def test_three_hundred_tamperings_with_the_triggers_off_are_all_found(history, settings):
    chance, found, missed = random.Random(20261126), Counter(), []
    with triggers_off():
        while sum(found.values()) + len(missed) < TAMPERINGS:
            way = chance.choice(WAYS)
            with transaction.atomic():
                try:
                    with transaction.atomic():
                        more = (settings,) if way is hashes_recomputed_without_the_key else ()
                        what = way(Agreement.objects.get(pk=history.pk), chance, *more)
                except IntegrityError:
                    continue  # the database said no even so
                finally:
                    transaction.set_rollback(False)
                misfits = verify(history)
                transaction.set_rollback(True)
            if misfits:
                found[way.__name__] += 1
            else:
                missed.append(f"{way.__name__}: {what}")
    assert missed == []
    assert found.keys() == {way.__name__ for way in WAYS}
    assert sum(found.values()) == TAMPERINGS
    assert verify(history) == []


def test_every_column_of_every_signed_row_is_vouched_for(history):
    missed, by_the_database = [], []
    rows = {type(row): row for row in reversed(signed_rows(history))}
    for model, row in rows.items():
        for field in model._meta.concrete_fields:
            if field.primary_key:
                continue
            value = another(getattr(row, field.attname), random.Random(1), field)
            with triggers_off(), transaction.atomic():
                try:
                    with transaction.atomic():
                        model.objects.filter(pk=row.pk).update(**{field.attname: value})
                    if not verify(history):
                        missed.append(f"{model.__name__}.{field.name}")
                except IntegrityError:
                    by_the_database.append(field.name)  # a constraint says no even so
                transaction.set_rollback(True)
    assert missed == []
    assert rows.keys() == {Version, Commitment, Criterion, Step, Signature, AgreementEvent}
    assert len(by_the_database) < 16


def test_the_first_row_that_does_not_fit_is_named_with_what_changed(history):
    version = history.versions.get(number=1)
    commitment = version.commitments.get(kind="first_response")
    with triggers_off():
        Commitment.objects.filter(pk=commitment.pk).update(target=94)
    assert str(verify(history)[0]) == f"commitment {commitment.pk}: target changed since event 2 (proposed)"
    assert str(verify(history)[-1]) == f"version {version.pk}: its frozen terms and its rows disagree on commitments"


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (lambda steps: steps.filter(share=80).update(share=90), "share changed since event 2 (proposed)"),
        (lambda steps: steps.filter(share=80)._raw_delete("default"), "it is missing since event 2 (proposed)"),
        (lambda steps: make_step(steps[0].commitment, "task"), "it was added since event 2 (proposed)"),
        (lambda steps: steps.filter(share=80).update(position=9), "position changed since event 2 (proposed)"),
    ],
    ids=["changed", "removed", "added", "moved"],
)
def test_a_step_that_is_not_what_was_proposed_is_named(history, tamper, why):
    version = history.versions.get(number=1)
    step = Step.objects.get(commitment__version=version, share=80)
    with triggers_off():
        tamper(Step.objects.filter(commitment=step.commitment_id))
    last = Step.objects.order_by("pk").last().pk
    assert str(verify(history)[0]) == f"step {last if 'added' in why else step.pk}: {why}"
    assert [misfit.why for misfit in verify(history)[1:]] == ["its frozen terms and its rows disagree on commitments"]


def test_a_step_of_another_team_is_found_and_a_team_with_another_name_is_none(history, sales):
    step = Step.objects.get(commitment__version__number=1, action="tell team")
    Team.objects.filter(pk=step.team_id).update(name="Renamed")
    assert verify(history) == []
    with triggers_off():
        Step.objects.filter(pk=step.pk).update(team=sales)
    assert [str(misfit) for misfit in verify(history)] == [f"step {step.pk}: team_id changed since event 2 (proposed)"]


def as_in_schema(agreement: Agreement, schema: int) -> None:
    """What stood in the tables before there were ladders: no step, and nothing of one in terms, hashes and evidence."""
    for version in agreement.versions.exclude(terms=""):
        frozen = json.loads(version.terms) | {"schema": schema}
        for commitment in frozen["commitments"]:
            del commitment["steps"]
        if schema == 1:
            del frozen["review_weekday"]
        text = terms.canonical(frozen)
        Version.objects.filter(pk=version.pk).update(terms=text, terms_hash=terms.digest(text))
        version.signatures.update(terms_hash=terms.digest(text))
    Step.objects.filter(commitment__version__agreement=agreement).delete()
    for event in agreement.events.all():
        event.evidence = terms.canonical(chain.Rows(pk=event.version_id).vouched_for(event))
        event.save()
    reseal(agreement)


@pytest.mark.parametrize("schema", [1, 2])
def test_versions_of_earlier_schemas_verify_as_they_were_frozen(history, schema):
    with triggers_off():
        as_in_schema(history, schema)
    assert verify(history) == []
    version = history.versions.get(number=1)
    assert '"steps"' not in version.terms
    assert [promise.ladder for promise in terms.of(version).promises] == [()] * 4
    # Nothing happens by itself under what was signed then, and none can be slipped in.
    commitment = version.commitments.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_step(commitment)
    with triggers_off():
        step = make_step(commitment)
    assert [str(misfit) for misfit in verify(history)] == [
        f"step {step.pk}: it was added since event 2 (proposed)",
        f"version {version.pk}: its frozen terms and its rows disagree on commitments",
    ]


def test_unreadable_terms_and_evidence_are_found_and_do_not_break_the_search(history):
    version = history.versions.get(number=1)
    with triggers_off():
        for text in ("{}", "[]", '{"commitments": 3}', "no JSON"):
            Version.objects.filter(pk=version.pk).update(terms=text, terms_hash=terms.digest(text))
            assert verify(history)
        for evidence in ("[1, 2]", "3", "null", "no JSON", '{"version 1": 3}', "[" * 5000):
            history.events.filter(number=2).update(evidence=evidence)
            assert verify(history)[0].row == "event 2 (proposed)"
        for mac in ("é", ""):
            history.events.filter(number=2).update(mac=mac)
            Agreement.objects.filter(pk=history.pk).update(last_seal=mac)
            assert verify(history)[0].row == "event 2 (proposed)"


def test_what_a_column_cannot_hold_is_found_and_does_not_break_the_search(history):
    with triggers_off():
        Commitment.objects.filter(version__number=1).update(monthly_targets={"2025-03": "many"})
    assert any("monthly_targets changed" in misfit.why for misfit in verify(history))


def test_the_terms_of_a_withdrawn_proposal_cannot_be_taken_away(history):
    with triggers_off():
        Version.objects.filter(agreement=history, status="withdrawn").exclude(terms="").update(terms="")
    assert [misfit.why for misfit in verify(history)] == ["its frozen terms have another hash"]


def test_a_step_taken_since_the_page_was_read_is_no_misfit(history, rita):
    read_before = Agreement.objects.get(pk=history.pk)
    signoff.new_draft_from(history.versions.first(), by=rita, now=MONDAY + 9 * DAY)
    assert chain.verify(read_before) == []


def test_one_version_is_verified_by_itself(history):
    versions = list(history.versions.all())
    assert [chain.verify_version(version) for version in versions] == [[]] * len(versions)
    with triggers_off():
        Signature.objects.filter(version__number=1, party="sales").update(name="Somebody else")
    assert [version.number for version in versions if chain.verify_version(version)] == [1]


def test_sealing_again_seals_nothing_that_is_sealed(history):
    with triggers_off():
        Signature.objects.filter(version__number=1, party="sales").update(name="Somebody else")
        chain.chain_up(apps.get_model)
    assert "name changed since event" in verify(history)[0].why


# --- The command --------------------------------------------------------------------------------------------------


def run(*arguments: str, **options) -> str:
    out = StringIO()
    call_command("verify_agreements", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_command_says_what_fits_and_prints_the_head(history):
    out = run()
    assert f"DACH inbound: 22 events fit, head {history.events.last().mac}" in out
    assert "All of 1 agreements fit." in out


def test_the_command_names_the_first_row_and_fails(history):
    with triggers_off():
        Signature.objects.filter(version__agreement=history).update(name="Somebody else")
    signature = Signature.objects.order_by("pk").first()
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 1 agreements are not what was agreed"):
        call_command("verify_agreements", stdout=out)
    assert out.getvalue().splitlines() == [
        f"DACH inbound: signature {signature.pk}: name changed since event 3 (signed)"
    ]


def test_a_printed_head_is_found_or_missed(history):
    printed = history.events.get(number=5).mac
    assert "fit" in run("DACH inbound", head=f"{printed[:32].upper()}\n {printed[32:]}")
    with pytest.raises(CommandError, match="No event has the head"):
        run(head="0" * 64)


def test_triggers_that_are_missing_fail_the_command(history):
    with triggers_off(), pytest.raises(CommandError, match="triggers on frozen rows are missing or changed"):
        run()


@pytest.mark.parametrize("head", ["", " "])
def test_an_empty_head_is_no_head(head, history):
    with pytest.raises(CommandError, match="No event has the head"):
        run(head=head)


def test_an_unknown_agreement_is_said(history):
    with pytest.raises(CommandError, match="There is no agreement “Nordics”"):
        run("Nordics")


# --- Before there was a chain -------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_version_that_was_signed_before_there_was_a_chain_verifies_and_is_frozen_still(history):
    """The migrations go back to before, with signed rows in the tables, and forward again; ladders came later still.

    On SQLite they remake the tables, which takes the triggers along.
    """
    with triggers_off():
        as_in_schema(history, 2)
    before = terms.of(history.versions.get(number=1))
    call_command("migrate", "agreements", "0002", verbosity=0)
    with connection.cursor() as cursor:
        names = {
            column.name
            for column in connection.introspection.get_table_description(cursor, "agreements_agreementevent")
        }
    assert "mac" not in names
    call_command("migrate", verbosity=0)
    assert frozen.missing(connection) == []
    signed = history.versions.get(number=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Version.objects.filter(pk=signed.pk).update(note="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_step(signed.commitments.first())
    agreement = Agreement.objects.get(pk=history.pk)
    assert chain.verify(agreement) == []
    assert agreement.events.count() == 22
    assert terms.of(agreement.versions.get(number=1)) == before
    with triggers_off():
        Signature.objects.filter(version__number=1, party="sales").update(title="Head of Sales")
    assert chain.verify(agreement)
