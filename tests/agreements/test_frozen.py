"""Frozen rows: whoever asks, by whatever way, the database says no; and it says so in a sentence."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import ProtectedError, RestrictedError

from agreements import checks, frozen, signoff, tasks
from agreements.models import AgreementEvent, Commitment, Criterion, Signature, Status, Step, Version
from slaportal.models import User
from tests.conftest import MONDAY, make_commitment, make_step, triggers_off
from tests.kept import kept

pytestmark = pytest.mark.django_db
LATER = "2025-03-03 09:00:01+00:00"
REFUSED = (IntegrityError, ProtectedError, RestrictedError)


@pytest.fixture
@kept
def signed(draft, rita, max_, sofia) -> Version:
    """Version 1, agreed, with a criterion of its definition, one of a commitment, and a step of a ladder."""
    from tests.conftest import agree

    Criterion.objects.create(version=draft, field="score", operator="at least", value="80")
    Criterion.objects.create(commitment=draft.commitments.first(), field="source", value="Webinar")
    make_step(draft.commitments.get(kind="first_response"), "tell team", share=80, team=draft.agreement.marketing_team)
    return agree(draft, by=rita, marketing=max_, sales=sofia)


# For each table: a row of it, a column that somebody would like to change, and the parent whose deletion would take it.
ROWS: dict[str, tuple[Callable[[Version], models.Model], str, object, Callable[[models.Model], models.Model]]] = {
    "version": (lambda v: v, "note", "Another one", lambda row: row.agreement),
    "commitment": (lambda v: v.commitments.first(), "target", 1, lambda row: row.version),
    "criterion of the definition": (lambda v: v.criteria.first(), "value", "1", lambda row: row.version),
    "criterion of a commitment": (
        lambda v: Criterion.objects.get(commitment__version=v), "value", "Fair", lambda row: row.commitment
    ),
    "step": (lambda v: Step.objects.get(commitment__version=v), "share", 90, lambda row: row.commitment),
    "step's team": (lambda v: Step.objects.get(commitment__version=v), "action", "tell chat", lambda row: row.team),
    "calendar snapshot": (lambda v: v, "terms", "{}", lambda row: row.agreement),
    "signature": (lambda v: v.signatures.first(), "name", "Somebody else", lambda row: row.version),
    "signature's time": (lambda v: v.signatures.first(), "signed_at", LATER, lambda row: row.signer),
    "event": (lambda v: v.events.first(), "detail", "It was otherwise", lambda row: row.version),
    "event's agreement": (lambda v: v.events.last(), "at", LATER, lambda row: row.agreement),
}  # fmt: skip


def _save(row, column, value, parent):
    setattr(row, column, value)
    row.save()


def _bulk_update(row, column, value, parent):
    setattr(row, column, value)
    type(row).objects.bulk_update([row], [column])


def _raw_update(row, column, value, parent):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {column} = %s WHERE id = %s", [value, row.pk])


def _raw_delete(row, column, value, parent):
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {row._meta.db_table} WHERE id = %s", [row.pk])


def _raw_replace(row, column, value, parent):
    """SQLite's way to delete a row by inserting another one."""
    names = [field.column for field in row._meta.concrete_fields]
    values = ", ".join("%s" if name == column else f'"{name}"' for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            table = row._meta.db_table
            cursor.execute(
                f"INSERT OR REPLACE INTO {table} ({columns}) SELECT {values} FROM {table} WHERE id = %s",
                [value, row.pk],
            )
        else:
            _raw_update(row, column, value, parent)


def _truncate(row, column, value, parent):
    connection.check_constraints()  # PostgreSQL truncates no table that still waits for one
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {row._meta.db_table} CASCADE")
        else:
            cursor.execute(f"DELETE FROM {row._meta.db_table}")  # SQLite's own way to empty a table


WAYS = {
    "save": _save,
    "update": lambda row, column, value, parent: type(row).objects.filter(pk=row.pk).update(**{column: value}),
    "bulk_update": _bulk_update,
    "delete": lambda row, column, value, parent: row.delete(),
    "queryset delete": lambda row, column, value, parent: type(row).objects.filter(pk=row.pk).delete(),
    "parent cascade": lambda row, column, value, parent: parent(row).delete(),
    "parent deleted raw": lambda row, column, value, parent: _raw_delete(parent(row), column, value, parent),
    "raw UPDATE": _raw_update,
    "raw DELETE": _raw_delete,
    "raw REPLACE": _raw_replace,
    "TRUNCATE": _truncate,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("table", ROWS)
def test_no_way_changes_or_removes_a_frozen_row(table, way, signed):
    find, column, value, parent = ROWS[table]
    row = find(signed)
    before = type(row).objects.values().get(pk=row.pk)
    with pytest.raises(REFUSED), transaction.atomic():
        WAYS[way](row, column, value, parent)
        connection.check_constraints()  # what SQLite and PostgreSQL look at when the transaction ends
    assert type(row).objects.values().get(pk=row.pk) == before


def table_of(model: type[models.Model]) -> str:
    return model._meta.db_table


@pytest.mark.skipif(connection.vendor != "sqlite", reason="REPLACE is SQLite's")
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("what", ["signature by id", "signature by side", "event by number", "version by number",
                                  "version by its beginning", "commitment by id", "criterion by id", "step by id",
                                  "an id that is taken over", "a number that is taken over"])  # fmt: skip
def test_replace_takes_no_frozen_row_away_whatever_the_connection_was_told(what, recursive, signed, rita):
    draft = signoff.new_draft_from(signed, by=rita, now=MONDAY)
    signature, event = signed.signatures.first(), signed.events.first()
    copies = {
        "signature by id": (Signature, signature, {"name": "X"}),
        "signature by side": (Signature, signature, {"id": None, "name": "X", "signer_id": rita.pk}),
        "event by number": (AgreementEvent, event, {"id": None, "detail": "X"}),
        "version by number": (Version, signed, {"id": None, "note": "X"}),
        "version by its beginning": (Version, signed, {"id": None, "number": 9, "note": "X"}),
        "commitment by id": (Commitment, signed.commitments.first(), {"version_id": draft.pk, "code": "x"}),
        "criterion by id": (Criterion, signed.criteria.first(), {"version_id": draft.pk}),
        "step by id": (
            Step,
            Step.objects.get(commitment__version=signed),
            {"commitment_id": draft.commitments.first().pk},
        ),
    }
    counts = [model.objects.count() for model in frozen.FROZEN]
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA recursive_triggers={recursive}")
        try:
            with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
                if what == "an id that is taken over":
                    theirs, ours = signed.commitments.first().pk, draft.commitments.last().pk
                    cursor.execute(
                        f"UPDATE OR REPLACE {table_of(Commitment)} SET id = %s WHERE id = %s", [theirs, ours]
                    )
                elif what == "a number that is taken over":
                    over = f"UPDATE OR REPLACE {table_of(Version)} SET number = %s WHERE id = %s"
                    cursor.execute(over, [signed.number, draft.pk])
                else:
                    model, row, changes = copies[what]
                    values = {**model.objects.values().get(pk=row.pk), **changes}
                    values = {f.column: f.get_db_prep_save(values[f.attname], connection)
                              for f in model._meta.concrete_fields}  # fmt: skip
                    names, marks = ", ".join(f'"{name}"' for name in values), ", ".join(["%s"] * len(values))
                    cursor.execute(f"REPLACE INTO {table_of(model)} ({names}) VALUES ({marks})", list(values.values()))
        finally:
            cursor.execute("PRAGMA recursive_triggers=ON")
    assert [model.objects.count() for model in frozen.FROZEN] == counts


@pytest.mark.postgresql
def test_a_temporary_table_answers_for_no_version(signed):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE agreements_version (id bigint, status text) ON COMMIT DROP")
        cursor.execute("UPDATE public.agreements_commitment SET target = 1")


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "change",
    [
        "BEFORE DELETE ON agreements_signature FOR EACH ROW",
        "BEFORE DELETE OR UPDATE OF title ON agreements_signature FOR EACH ROW",
        "BEFORE DELETE OR UPDATE ON agreements_signature FOR EACH ROW WHEN (false)",
        "BEFORE DELETE OR UPDATE ON agreements_specialday FOR EACH ROW",
    ],
)
def test_a_trigger_that_asks_less_is_missed(change):
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER frozen_signature_row ON agreements_signature")
        cursor.execute(f"CREATE TRIGGER frozen_signature_row {change} EXECUTE FUNCTION frozen_signature()")
    assert frozen.missing(connection) == ["frozen_signature_row"]


@pytest.mark.parametrize("table", ["version", "commitment", "step", "signature", "event"])
def test_the_refusal_is_a_sentence(table, signed):
    find, column, value, parent = ROWS[table]
    with pytest.raises(IntegrityError, match=r"never changes"), transaction.atomic():
        _raw_update(find(signed), column, value, parent)


@pytest.mark.parametrize("end", ["agreed", "declined", "withdrawn"])
@pytest.mark.parametrize("to", Status.values)
def test_the_status_of_a_version_moves_only_forward(end, to, draft, rita, max_, sofia):
    from tests.conftest import agree

    if end == "agreed":
        agree(draft, by=rita, marketing=max_, sales=sofia)
    else:
        signoff.propose(draft, by=rita, now=MONDAY)
        if end == "declined":
            signoff.decline(draft, by=max_, reason="No.", now=MONDAY)
        else:
            signoff.withdraw(draft, by=rita, reason="No.", now=MONDAY)
    change = Version.objects.filter(pk=draft.pk)
    if to == end:
        assert change.update(status=to) == 1
        return
    with pytest.raises(IntegrityError), transaction.atomic():
        change.update(status=to)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"status": "declined"}, True),
        ({"status": "withdrawn"}, True),
        ({"status": "agreed", "agreed_at": MONDAY, "effective_from": MONDAY}, True),
        ({"status": "draft"}, False),
        ({"status": "declined", "note": "x"}, False),
        ({"status": "declined", "agreed_at": MONDAY}, False),
        ({"status": "agreed", "agreed_at": MONDAY, "effective_from": MONDAY, "terms": "{}"}, False),
        ({"effective_from": MONDAY}, False),
    ],
    ids=str,
)
def test_with_the_status_of_a_proposal_nothing_else_moves_but_when_it_takes_effect(fields, allowed, draft, rita):
    signoff.propose(draft, by=rita, now=MONDAY)
    change = Version.objects.filter(pk=draft.pk)
    if allowed:
        assert change.update(**fields) == 1
    else:
        with pytest.raises(IntegrityError), transaction.atomic():
            change.update(**fields)


def test_a_draft_jumps_to_no_signature(draft):
    with pytest.raises(IntegrityError), transaction.atomic():
        Version.objects.filter(pk=draft.pk).update(
            status="agreed", agreed_at=MONDAY, effective_from=MONDAY, terms="{}", terms_hash="x"
        )


def test_a_draft_is_free(draft):
    step = make_step(draft.commitments.last())
    make_step(draft.commitments.first())
    Step.objects.filter(pk=step.pk).update(share=5)
    step.delete()
    draft.commitments.update(target=1)
    draft.commitments.first().delete()
    make_commitment(draft, "routing")
    Criterion.objects.create(version=draft, field="score", operator="at least", value="80")
    draft.criteria.all().delete()
    draft.note = "Another one"
    draft.save()


def test_nothing_can_be_added_to_a_frozen_version_nor_moved_into_it(signed, rita):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_commitment(signed, "routing")
    with pytest.raises(IntegrityError), transaction.atomic():
        Criterion.objects.create(version=signed, field="score", value="1")
    for commitment in signed.commitments.all():
        with pytest.raises(IntegrityError, match="this step belongs to a version"), transaction.atomic():
            make_step(commitment)
    draft = signoff.new_draft_from(signed, by=rita, now=MONDAY)
    with pytest.raises(IntegrityError), transaction.atomic():
        draft.commitments.filter(kind="volume").update(version=signed, code="more")
    with pytest.raises(IntegrityError), transaction.atomic():
        draft.criteria.update(version=signed)
    with pytest.raises(IntegrityError), transaction.atomic():
        Step.objects.filter(commitment__version=draft).update(commitment=signed.commitments.first())
    with pytest.raises(IntegrityError), transaction.atomic():
        Step.objects.filter(commitment__version=signed).update(commitment=draft.commitments.first())


def test_the_scope_of_an_agreement_stays_free(signed):
    scope = Criterion.objects.create(agreement=signed.agreement, field="country", value="DE")
    scope.value = "AT"
    scope.save()
    scope.delete()


def test_a_withdrawn_draft_stands_as_it_was(draft, rita):
    signoff.withdraw(draft, by=rita, reason="Obsolete.", now=MONDAY)
    with pytest.raises(IntegrityError), transaction.atomic():
        draft.commitments.update(target=1)


def test_who_signed_cannot_be_deleted_only_deactivated(signed, max_):
    signature = signed.signatures.get(party="marketing")
    with pytest.raises(ProtectedError):
        max_.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        _raw_delete(max_, "", "", None)
        connection.check_constraints()
    User.objects.filter(pk=max_.pk).update(is_active=False, name="Renamed", title="Gone")
    signature.refresh_from_db()
    assert (signature.name, signature.signer) == ("Max", max_)


@pytest.mark.parametrize("fields", [{"party": "marketing"}, {"signer": "max_"}], ids=str)
def test_one_signature_for_each_side_and_person_when_the_code_is_bypassed(fields, signed, request, ron):
    first = signed.signatures.get(party="marketing")
    values = {"party": "sales", "signer": ron, "name": "X", "meaning": "", "terms_hash": "", "signed_at": MONDAY}
    values |= {name: request.getfixturevalue(value) if name == "signer" else value for name, value in fields.items()}
    with triggers_off(), pytest.raises(IntegrityError), transaction.atomic():
        Signature.objects.bulk_create([Signature(version=signed, **values)])
    assert first in signed.signatures.all()


# --- The triggers themselves --------------------------------------------------------------------------------------


def test_installing_twice_changes_nothing_and_none_is_missing():
    for _ in range(2):
        frozen.install(connection)
        assert frozen.missing(connection) == []


def test_every_table_of_the_room_is_either_frozen_or_said_to_be_free():
    assert frozen.unknown_tables() == []
    assert {model._meta.model_name for model in frozen.FROZEN}.isdisjoint(frozen.FREE)


def test_a_table_of_which_nobody_has_said_whether_it_freezes_is_an_error(monkeypatch):
    monkeypatch.setattr(frozen, "FREE", tuple(name for name in frozen.FREE if name != "closure"))
    (found,) = checks.frozen_tables()
    assert (found.id, "agreements.Closure" in found.msg) == ("agreements.E001", True)


def test_a_missing_or_changed_trigger_is_warned_of_until_the_next_migrate():
    assert checks.triggers(databases=["default"]) == []
    assert checks.triggers(databases=None) == []  # no database may be asked then
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE agreements_signature DISABLE TRIGGER frozen_signature_row")
        else:
            cursor.execute("DROP TRIGGER frozen_signature_update")
    (found,) = checks.triggers(databases=["default"])
    assert found.id == "agreements.W002"
    assert "frozen_signature" in found.msg
    assert "migrate" in found.hint
    frozen.after_migrate(using="default")
    assert checks.triggers(databases=["default"]) == []


def test_the_hourly_task_mends_triggers_that_a_broken_off_migration_left_out(signed, caplog):
    frozen.lift(connection)
    assert tasks.verify_agreements() == 0
    assert frozen.missing(connection) == []
    assert "frozen rows were not guarded" in caplog.text
    assert frozen.mend(connection) == []


@pytest.mark.postgresql
def test_a_function_that_somebody_made_harmless_is_missed():
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION frozen_signature() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        )
    assert frozen.missing(connection) == ["frozen_signature_row", "frozen_signature_statement"]


def test_a_draft_that_is_edited_while_it_is_proposed_is_refused_in_a_sentence(draft, rita):
    loaded = Commitment.objects.filter(version=draft).first()
    signoff.propose(draft, by=rita, now=MONDAY)
    loaded.target = 1
    with pytest.raises(IntegrityError, match="belongs to a version that is no draft"), transaction.atomic():
        loaded.save()
