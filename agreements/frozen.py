"""Rows that never change again, and the triggers that see to it, whoever asks: a form, a bulk call, a cascade, raw SQL.

A version is free while it is a draft. From the proposal on only its status moves, forward; its commitments, their
steps and its criteria stand with it. Signatures and events are free never. The calendars of a version are frozen inside
its terms. Rooms above name tables of their own to which rows are only added (settings.APPEND_ONLY).

The triggers are made anew after each migrate, because SQLite drops them whenever Django remakes a table. Only
migrations lift them, and the tests when they empty the tables between two tests.
"""

from collections.abc import Iterable, Mapping

from django.apps import apps
from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, UniqueConstraint

from agreements.models import AgreementEvent, Commitment, Criterion, Signature, Step, Version

PREFIX = "frozen_"
FROZEN = (Version, Commitment, Criterion, Step, Signature, AgreementEvent)
# Tables of this room that may change; what was agreed keeps its own copy of what it needs of them.
FREE = ("agreement", "businesscalendar", "closure", "specialday", "workinghours")

SAID = {
    "version": "What was proposed never changes: only the status of a version moves, and only forward.",
    "commitment": "What was proposed never changes: this commitment belongs to a version that is no draft.",
    "criterion": "What was proposed never changes: this criterion belongs to a version that is no draft.",
    "step": "What was proposed never changes: this step belongs to a version that is no draft.",
    "signature": "A signature never changes and never goes.",
    "agreementevent": "What happened to an agreement never changes and never goes.",
}
# What else is written when the second signature completes a version.
WITH_AGREEMENT = ("agreed_at", "effective_from", "ends_at")


def unknown_tables() -> list[str]:
    """Tables of this room of which nobody has said whether they freeze; none may be forgotten."""
    known = {model._meta.model_name for model in FROZEN} | set(FREE)
    return sorted(m._meta.label for m in apps.get_app_config("agreements").get_models()
                  if m._meta.model_name not in known)  # fmt: skip


def install(connection: BaseDatabaseWrapper) -> None:
    """Make every trigger anew, all or none; the same again changes nothing."""
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        for statement in [*_removal(connection), *_creation(connection)]:
            cursor.execute(statement)


def lift(connection: BaseDatabaseWrapper) -> None:
    """Remove every trigger: for migrations, and for tests when they empty the tables. `install` brings them back."""
    with connection.cursor() as cursor:
        for statement in _removal(connection):
            cursor.execute(statement)


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of triggers that should stand in the database and do not, or say something else than this release does.

    None while the tables are not there.
    """
    if not _has_tables(connection):
        return []
    wanted = _triggers(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            path = _search_path(connection)
            functions = {name: (body, [path]) for name, body in _bodies(connection).items()}
            cursor.execute(
                "SELECT tgname, pg_get_triggerdef(pg_trigger.oid, true), proname, prosrc, proconfig "
                "FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
                "WHERE tgenabled IN ('O', 'A') AND tgname LIKE %s",
                [f"{PREFIX}%"],
            )
            found = {
                name
                for name, definition, function, body, config in cursor.fetchall()
                if wanted.get(name) == definition and functions.get(function) == (body, config)
            }
        else:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            found = {name for name, sql in cursor.fetchall() if wanted.get(name) == sql}
    return sorted(wanted.keys() - found)


def mend(connection: BaseDatabaseWrapper) -> list[str]:
    """Make the triggers anew if any is missing, as after a migration on SQLite that broke off. Returns which were."""
    found = missing(connection)
    if found:
        install(connection)
    return found


def before_migrate(*, using: str, plan: list, **kwargs: object) -> None:
    """Make way on SQLite, which cannot remake a table that a trigger of another one asks."""
    connection = connections[using]
    if connection.vendor == "sqlite" and plan:
        lift(connection)


def after_migrate(*, using: str, **kwargs: object) -> None:
    """Install the triggers once all tables of this room are there."""
    if _has_tables(connections[using]):
        install(connections[using])


def _has_tables(connection: BaseDatabaseWrapper) -> bool:
    """Whether all tables are there, as this release wants them: the chain came last."""
    with connection.cursor() as cursor:
        if not {model._meta.db_table for model in FROZEN} <= set(connection.introspection.table_names(cursor)):
            return False
        columns = connection.introspection.get_table_description(cursor, AgreementEvent._meta.db_table)
        return "mac" in {column.name for column in columns}


def _appended(connection: BaseDatabaseWrapper) -> dict[type[Model], str]:
    """Tables of rooms above whose rows never change, with what is said; those that are there yet."""
    with connection.cursor() as cursor:
        there = connection.introspection.table_names(cursor)
    named = {apps.get_model(label): said for label, said in settings.APPEND_ONLY.items()}
    return {model: said for model, said in named.items() if model._meta.db_table in there}


def _removal(connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor == "postgresql":
        return [f"DROP FUNCTION IF EXISTS {name}() CASCADE" for name in _bodies(connection)]  # and its triggers
    return [f"DROP TRIGGER IF EXISTS {name}" for name in _triggers(connection)]


def _creation(connection: BaseDatabaseWrapper) -> list[str]:
    made = []
    if connection.vendor == "postgresql":
        path = _search_path(connection).replace("=", " = ", 1)
        made = [
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET {path} AS $body${body}$body$"
            for name, body in _bodies(connection).items()
        ]
    return [*made, *_triggers(connection).values()]


def _search_path(connection: BaseDatabaseWrapper) -> str:
    """Where the functions look for tables: not in temporary ones, with which somebody could answer for them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        return f"search_path={cursor.fetchone()[0]}, pg_temp"


def _triggers(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Every trigger by its name."""
    appended = _appended(connection)
    return _on_postgresql(appended) if connection.vendor == "postgresql" else _on_sqlite(appended)


# --- PostgreSQL ---------------------------------------------------------------------------------------------------


def _bodies(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """The body of each table's function, by its name; a TRUNCATE, which has no row, is always refused."""
    version, commitment = Version._meta.db_table, Commitment._meta.db_table
    # FOR SHARE: who proposes in this instant is waited for, and then the answer is no.
    still_free = f"coalesce((SELECT status = 'draft' FROM {version} WHERE id = {{}} FOR SHARE), true)"
    of_commitment = f"(SELECT version_id FROM {commitment} WHERE id = {{0}}.commitment_id)"
    parent = f"coalesce({{0}}.version_id, {of_commitment})"
    bodies = {
        "version": _version_on_postgresql(),
        "commitment": _both_rows(still_free.format("{0}.version_id")),
        "criterion": _both_rows(still_free.format(parent)),
        "step": _both_rows(still_free.format(of_commitment)),
        "signature": "RAISE restrict_violation USING MESSAGE = said;",
        "agreementevent": "RAISE restrict_violation USING MESSAGE = said;",
    }
    appended = {model._meta.model_name: said for model, said in _appended(connection).items()}
    bodies |= dict.fromkeys(appended, "RAISE restrict_violation USING MESSAGE = said;")
    said_of = SAID | appended
    return {
        f"{PREFIX}{name}": f"""
DECLARE said CONSTANT text := '{said_of[name]}';
BEGIN
  IF TG_OP = 'TRUNCATE' THEN RAISE restrict_violation USING MESSAGE = said; END IF;
  {body}
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END """
        for name, body in bodies.items()
    }


def _both_rows(free: str) -> str:
    """The row as it was and as it will be must both belong to a draft; one whose parent is gone goes with it."""
    refuse = "RAISE restrict_violation USING MESSAGE = said; END IF;"
    return (
        f"IF TG_OP <> 'INSERT' THEN IF NOT {free.format('OLD')} THEN {refuse} END IF;\n"
        f"  IF TG_OP <> 'DELETE' THEN IF NOT {free.format('NEW')} THEN {refuse} END IF;"
    )


def _version_on_postgresql() -> str:
    completing = " - ".join(f"'{column}'" for column in ("status", *WITH_AGREEMENT))
    refuse = "RAISE restrict_violation USING MESSAGE = said; END IF;"
    return f"""IF TG_OP = 'DELETE' THEN
    IF OLD.status <> 'draft' THEN {refuse}
    RETURN OLD;
  END IF;
  IF OLD.status = 'draft' THEN
    IF NEW.status NOT IN ('draft', 'proposed', 'withdrawn') THEN {refuse}
  ELSIF OLD.status = 'proposed' AND NEW.status = 'agreed' THEN
    IF to_jsonb(OLD) - {completing} <> to_jsonb(NEW) - {completing} THEN {refuse}
  ELSIF OLD.status = 'proposed' AND NEW.status IN ('declined', 'withdrawn') THEN
    IF to_jsonb(OLD) - 'status' <> to_jsonb(NEW) - 'status' THEN {refuse}
  ELSIF to_jsonb(OLD) <> to_jsonb(NEW) THEN {refuse}"""


def _on_postgresql(appended: Iterable[type[Model]]) -> dict[str, str]:
    found = {}
    only_kept = {Version, Signature, AgreementEvent, *appended}
    for model in (*FROZEN, *appended):
        name, table = model._meta.model_name, model._meta.db_table
        # Written as PostgreSQL itself writes them, so that `missing` can compare.
        rows = "DELETE OR UPDATE" if model in only_kept else "INSERT OR DELETE OR UPDATE"
        for each, when in (("ROW", rows), ("STATEMENT", "TRUNCATE")):
            trigger = f"{PREFIX}{name}_{each.lower()}"
            found[trigger] = (
                f"CREATE TRIGGER {trigger} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {PREFIX}{name}()"
            )
    return found


# --- SQLite -------------------------------------------------------------------------------------------------------


def _on_sqlite(appended: Mapping[type[Model], str]) -> dict[str, str]:
    version, commitment = Version._meta.db_table, Commitment._meta.db_table

    def taken(parent: str) -> str:
        return f"EXISTS (SELECT 1 FROM {version} WHERE id = {parent} AND status <> 'draft')"

    def of_commitment(row: str) -> str:
        return f"(SELECT version_id FROM {commitment} WHERE id = {row}.commitment_id)"

    def by_parent(row: str) -> str:
        return taken(f"coalesce({row}.version_id, {of_commitment(row)})")

    def of_step(row: str) -> str:
        return taken(of_commitment(row))

    columns = [field.column for field in Version._meta.concrete_fields if field.column != "status"]
    changed = _any_changed(columns)
    changed_otherwise = _any_changed(column for column in columns if column not in WITH_AGREEMENT)
    update_of_version = (
        "CASE WHEN OLD.status = 'draft' THEN NEW.status NOT IN ('draft', 'proposed', 'withdrawn') "
        f"WHEN OLD.status = 'proposed' AND NEW.status = 'agreed' THEN {changed_otherwise} "
        f"WHEN OLD.status = 'proposed' AND NEW.status IN ('declined', 'withdrawn') THEN {changed} "
        f"ELSE NEW.status <> OLD.status OR {changed} END"
    )
    always, another_id = "1", "NEW.id IS NOT OLD.id"
    tables = {model._meta.model_name: model._meta.db_table for model in (*FROZEN, *appended)}
    said_of = SAID | {model._meta.model_name: said for model, said in appended.items()}

    def replaces(name: str, *columns: str, frozen: str = "1") -> str:
        """Whether a row stands there already, by its id or these columns, that a REPLACE would take away."""
        same = " AND ".join(f"{column} = NEW.{column}" for column in columns)
        rows = f"(id = NEW.id OR ({same}))" if columns else "id = NEW.id"
        return f"EXISTS (SELECT 1 FROM {tables[name]} AS there WHERE {rows} AND {frozen})"

    frozen_version = "there.status <> 'draft'"
    # Another frozen version with the number, or from the moment, that is now to be this one's.
    same_place = (
        f"EXISTS (SELECT 1 FROM {version} AS there WHERE there.id IS NOT NEW.id AND {frozen_version} "
        "AND there.agreement_id = NEW.agreement_id "
        "AND (there.number = NEW.number OR (there.status = 'agreed' AND NEW.status = 'agreed' "
        "AND there.effective_from = NEW.effective_from)))"
    )
    when = {
        ("version", "INSERT"): f"{replaces('version', frozen=frozen_version)} OR {same_place}",
        ("signature", "INSERT"): (
            f"{replaces('signature', 'version_id', 'party')} OR {replaces('signature', 'version_id', 'signer_id')}"
        ),
        ("agreementevent", "INSERT"): replaces("agreementevent", "agreement_id", "number"),
        ("version", "UPDATE"): f"{another_id} OR {same_place} OR {update_of_version}",
        ("version", "DELETE"): "OLD.status <> 'draft'",
        ("signature", "UPDATE"): always,
        ("signature", "DELETE"): always,
        ("agreementevent", "UPDATE"): always,
        ("agreementevent", "DELETE"): always,
        ("commitment", "INSERT"): (
            f"{taken('NEW.version_id')} OR {replaces('commitment', frozen=taken('there.version_id'))}"
        ),
        ("commitment", "UPDATE"): f"{another_id} OR {taken('OLD.version_id')} OR {taken('NEW.version_id')}",
        ("commitment", "DELETE"): taken("OLD.version_id"),
        ("criterion", "INSERT"): f"{by_parent('NEW')} OR {replaces('criterion', frozen=by_parent('there'))}",
        ("criterion", "UPDATE"): f"{another_id} OR {by_parent('OLD')} OR {by_parent('NEW')}",
        ("criterion", "DELETE"): by_parent("OLD"),
        ("step", "INSERT"): f"{of_step('NEW')} OR {replaces('step', frozen=of_step('there'))}",
        ("step", "UPDATE"): f"{another_id} OR {of_step('OLD')} OR {of_step('NEW')}",
        ("step", "DELETE"): of_step("OLD"),
    }
    for model in appended:
        name, unique = model._meta.model_name, [one for one in model._meta.constraints if type(one) is UniqueConstraint]
        places = [replaces(name, *(model._meta.get_field(field).column for field in one.fields)) for one in unique]
        places += [replaces(name, field.column) for field in model._meta.concrete_fields if field.unique]
        when |= {(name, "INSERT"): " OR ".join(places), (name, "UPDATE"): always, (name, "DELETE"): always}
    return {
        f"{PREFIX}{name}_{step.lower()}": (
            f"CREATE TRIGGER {PREFIX}{name}_{step.lower()} BEFORE {step} ON {tables[name]} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{said_of[name]}'); END"
        )
        for (name, step), condition in when.items()
    }


def _any_changed(columns: Iterable[str]) -> str:
    return "(" + " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns) + ")"
