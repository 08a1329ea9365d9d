"""The database as the portal knew it at a moment: what was written later is not there, what was changed is as it was.

Inside `as_known` this connection reads temporary views and tables in place of the tables of facts, so whatever counts
there counts by the code that counts everywhere: there is no second one for the past. Every fact says when it was
written down; where a row from an earlier release does not, it counts as known when it happened. All of it is gone with
the transaction, and nobody else sees it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import connection, models, transaction

from agreements.calendars import Closure
from agreements.models import Agreement
from leads import clock_rows, timekeeping
from leads.facts import is_postgresql
from leads.models import (
    Answer,
    Assignment,
    Attempt,
    Clock,
    Disposition,
    Dispute,
    ExclusionRequest,
    FormerPerson,
    Handoff,
    Hold,
    Lead,
    Outcome,
)

_VOIDED = {"voided_at": "CASE WHEN f.voided_at <= {at} THEN f.voided_at END"}
# Which rows of a table were known, and which of their columns have changed since: `{at}` is the moment.
FACTS: dict[type[models.Model], tuple[str, dict[str, str]]] = {
    Assignment: ("coalesce(f.entered_at, f.at) <= {at}", {}),
    Attempt: ("f.entered_at <= {at}", _VOIDED),
    Disposition: ("f.entered_at <= {at}", _VOIDED),
    Outcome: ("f.entered_at <= {at}", _VOIDED),
    Hold: (
        "coalesce(f.entered_at, f.started_at) <= {at}",
        {"ended_at": "CASE WHEN coalesce(f.release_entered_at, f.ended_at) <= {at} THEN f.ended_at END"},
    ),
    Dispute: (
        "f.opened_at <= {at}",
        {
            "answered_at": "CASE WHEN f.answered_at <= {at} THEN f.answered_at END",
            "upheld": "(f.upheld AND coalesce(f.answered_at <= {at}, false))",
        },
    ),
    ExclusionRequest: (
        "f.asked_at <= {at}",
        {
            "granted": "CASE WHEN f.decided_at <= {at} THEN f.granted END",
            "decided_at": "CASE WHEN f.decided_at <= {at} THEN f.decided_at END",
        },
    ),
    Answer: ("f.at <= {at}", {}),
    Closure: ("f.added_at <= {at}", {"withdrawn_at": "CASE WHEN f.withdrawn_at <= {at} THEN f.withdrawn_at END"}),
}
# What a lead has been before its source said otherwise.
PERSON = ("contact_id", "email", "engaged_at")


@contextmanager
def as_known(agreement: Agreement, *, at: datetime, start: datetime, end: datetime) -> Iterator[list[int]]:
    """Read the database as it was known `at` a moment: the agreement's handoffs that began before `end`, and the clocks
    of those of `[start, end)`, evaluated at that moment. Gives the ids of the latter. Whatever is written is undone.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            for statement in _in_place(agreement.pk, at, end):
                cursor.execute(statement)
        begun = Handoff.objects.filter(agreement=agreement).begun_in(start, end).order_by("pk")
        ids = list(begun.values_list("pk", flat=True))
        timekeeping.evaluate_handoffs(ids, now=at)
        if is_postgresql():
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE leads_clock")
        yield ids
        transaction.set_rollback(True)


def _in_place(agreement_id: int, at: datetime, end: datetime) -> Iterator[str]:
    """The statements that put views and tables in place of the tables of facts, for the rest of the transaction."""
    home, moment = "main", _literal(at)
    if is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(current_schema())")
            home = cursor.fetchone()[0]
        # Temporary ones come first anyway, unless somebody has set it otherwise.
        yield "SELECT set_config('search_path', 'pg_temp, ' || current_setting('search_path'), true)"
    for model, (condition, since) in FACTS.items():
        yield _view(model, home, {name: sql.format(at=moment) for name, sql in since.items()}, condition, moment)
    former = FormerPerson._meta.db_table
    was = (
        f"FROM {home}.{former} was WHERE was.lead_id = f.id AND was.until > {moment} ORDER BY was.until, was.id LIMIT 1"
    )
    changed = f"EXISTS (SELECT 1 FROM {home}.{former} was WHERE was.lead_id = f.id AND was.until > {moment})"
    person = {name: f"CASE WHEN {changed} THEN (SELECT was.{name} {was}) ELSE f.{name} END" for name in PERSON}
    yield _view(Lead, home, person, "1 = 1", moment)

    for model in (Handoff, Clock):
        yield _table(model)
    # By these a clock is found again when it is written.
    index = "known_clock" if is_postgresql() else "temp.known_clock"
    yield f"CREATE UNIQUE INDEX {index} ON {Clock._meta.db_table} ({', '.join(clock_rows.KEY)})"
    # What criteria were read from is not asked again, and it is most of a row.
    names = ", ".join(f'"{f.column}"' for f in Handoff._meta.concrete_fields if not isinstance(f, models.JSONField))
    yield (
        f"INSERT INTO {Handoff._meta.db_table} ({names}) SELECT {names} FROM {home}.{Handoff._meta.db_table} "
        f"WHERE agreement_id = {int(agreement_id)} AND qualified_at < {_literal(end)} "
        f"AND coalesce(known_at, qualified_at) <= {moment}"
    )
    if is_postgresql():
        yield f"ANALYZE {Handoff._meta.db_table}"


def _view(model: type[models.Model], home: str, since: dict[str, str], condition: str, moment: str) -> str:
    table = model._meta.db_table
    names = [field.column for field in model._meta.concrete_fields]
    columns = ['{} AS "{}"'.format(since.get(name, f'f."{name}"'), name) for name in names]
    return (
        f"CREATE TEMPORARY VIEW {table} AS SELECT {', '.join(columns)} FROM {home}.{table} f "
        f"WHERE {condition.format(at=moment)}"
    )


def _table(model: type[models.Model]) -> str:
    """An empty table with the columns of the model's."""
    columns = []
    for field in model._meta.concrete_fields:
        words = [f'"{field.column}"', field.db_type(connection)]
        if field.primary_key:
            words += ["GENERATED BY DEFAULT AS IDENTITY"] if is_postgresql() else []
            words += ["PRIMARY KEY"]
        columns.append(" ".join(words))
    return f"CREATE TEMPORARY TABLE {model._meta.db_table} ({', '.join(columns)})"


def _literal(moment: datetime) -> str:
    """A moment as SQL: views take no parameters."""
    if is_postgresql():
        return f"'{moment.astimezone(UTC).isoformat()}'::timestamptz"
    return f"'{connection.ops.adapt_datetimefield_value(moment)}'"
