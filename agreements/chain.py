"""The chain of an agreement's events: each is sealed with a key over itself, its evidence and the seal before it.

An event's *evidence* is the rows that it vouches for, as they stood. Whoever changes a signed row, swaps two, takes the
last event away or writes one of their own would have to seal anew, and for that the key is missing: it stands in the
environment (`AGREEMENT_KEYS`), never in the database. `verify` recomputes everything.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils.module_loading import import_string

from agreements import terms
from agreements.models import Agreement, AgreementEvent, Status, Version
from slaportal.models import User

# What an event says of its version, as columns.
ORIGIN = ("id", "agreement_id", "number", "based_on_id", "created_by_id", "created_at")
IN_FORCE = ("agreed_at", "effective_from", "ends_at")
NOT_CONTENT = ("status", *IN_FORCE)
# Events that move a version, and the status that each leads to.
STEPS = {
    "drafted": Status.DRAFT,
    "proposed": Status.PROPOSED,
    "agreed": Status.AGREED,
    "declined": Status.DECLINED,
    "withdrawn": Status.WITHDRAWN,
}


@dataclass(frozen=True)
class Misfit:
    """A row that is not what was signed, and why one can tell."""

    row: str
    why: str

    def __str__(self) -> str:
        return f"{self.row}: {self.why}"


def record(version: Version, what: str, *, by: User | None, now: datetime, detail: str = "") -> AgreementEvent:
    """Append what happened to a version. The caller holds the agreement's lock and has written the rows already."""
    return _append(version.agreement_id, version, what, by=by, now=now, detail=detail)


def record_beyond(agreement: Agreement, what: str, *, by: User | None, now: datetime, detail: str) -> AgreementEvent:
    """Append what happened to a row of a room above that `detail` names (settings.VOUCHED_FOR); see `record`."""
    return _append(agreement.pk, None, what, by=by, now=now, detail=detail)


def _append(
    agreement_id: int, version: Version | None, what: str, *, by: User | None, now: datetime, detail: str
) -> AgreementEvent:
    last = AgreementEvent.objects.filter(agreement=agreement_id).order_by("number").last()
    key_id = next(iter(settings.AGREEMENT_KEYS))
    event = AgreementEvent(
        agreement_id=agreement_id,
        number=last.number + 1 if last else 1,
        version=version,
        what=what,
        detail=detail,
        actor=by,
        at=now,
        key_id=key_id,
    )
    event.evidence = terms.canonical(Rows(pk=version and version.pk).vouched_for(event))
    event.mac = seal(event, before=last.mac if last else "")
    event.save(force_insert=True)
    Agreement.objects.filter(pk=agreement_id).update(last_seal=last_seal(event))
    return event


def chain_up(model: Callable[[str, str], type[Model]]) -> None:
    """Number and seal events that were written before there was a chain; for the migration that brought it."""
    key_id = next(iter(settings.AGREEMENT_KEYS))
    for agreement in model("agreements", "Agreement")._base_manager.all():
        rows, before, number = Rows(model, agreement=agreement), "", 0
        for number, event in enumerate(agreement.events.order_by("pk"), start=1):
            if event.mac:
                before = event.mac  # sealed already: whatever stands there now is not sealed anew
                continue
            event.number, event.key_id = number, key_id
            event.evidence = terms.canonical(rows.vouched_for(event))
            event.mac = before = seal(event, before=before)
            event.save(update_fields=["number", "key_id", "evidence", "mac"])
        if number:
            agreement.last_seal = last_seal(event)
            agreement.save(update_fields=["last_seal"])


def seal(event: AgreementEvent, *, before: str) -> str:
    """The event's keyed hash; `before` is that of the event before it. `KeyError` when its key is not known."""
    return _hmac(
        event.key_id,
        {
            "agreement": event.agreement_id,
            "number": event.number,
            "version": event.version_id,
            "what": event.what,
            "detail": event.detail,
            "actor": event.actor_id,
            "at": _plain(event.at),
            "evidence": event.evidence,
            "before": before,
        },
    )


def last_seal(event: AgreementEvent) -> str:
    """What stands on the agreement while this is its last event, so that the last one cannot be taken away."""
    return _hmac(event.key_id, {"agreement": event.agreement_id, "last": event.number, "mac": event.mac})


def _hmac(key_id: str, facts: Mapping[str, Any]) -> str:
    text = terms.canonical({**facts, "key": key_id})
    return hmac.new(settings.AGREEMENT_KEYS[key_id].encode(), text.encode(), hashlib.sha256).hexdigest()


# --- Evidence -----------------------------------------------------------------------------------------------------


class Rows:
    """The rows of an agreement's versions, or of one of them, as they stand in the database now; each table read once.

    `model` finds a model by app and name; a migration passes that of its own moment. `which` chooses the versions.
    """

    def __init__(
        self, model: Callable[[str, str], type[Model]] = apps.get_model, *, deep: bool = True, **which: object
    ) -> None:
        self._model, self._deep = model, deep
        self._versions = Q(**which)
        self._theirs = Q(**{f"version__{name}": value for name, value in which.items()})
        self._their_commitments = Q(**{f"commitment__version__{name}": value for name, value in which.items()})

    @cached_property
    def versions(self) -> list[dict[str, Any]]:
        return self._read("Version", self._versions)

    @cached_property
    def commitments(self) -> list[dict[str, Any]]:
        return self._read("Commitment", self._theirs)

    @cached_property
    def criteria(self) -> list[dict[str, Any]]:
        return self._read("Criterion", self._theirs | self._their_commitments)

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        try:
            return self._read("Step", self._their_commitments)
        except LookupError:  # in a migration from before there were any
            return []

    @cached_property
    def signatures(self) -> list[dict[str, Any]]:
        return self._read("Signature", self._theirs)

    @cached_property
    def _beyond(self) -> dict[tuple[str, int], dict[str, dict[str, Any]]]:
        return {}

    def beyond(self, what: str, agreement_id: int) -> dict[str, dict[str, dict[str, Any]]]:
        """Rows of a room above that events of this kind vouch for, by what each event says in detail."""
        asked = (settings.VOUCHED_FOR[what], agreement_id)
        if asked not in self._beyond:
            self._beyond[asked] = import_string(asked[0])(agreement_id, deep=self._deep)
        return self._beyond[asked]

    def _read(self, name: str, which: Q) -> list[dict[str, Any]]:
        table = self._model("agreements", name)
        # The terms themselves are vouched for by their hash.
        columns = [field.attname for field in table._meta.concrete_fields if field.attname != "terms"]
        found = table._base_manager.filter(which).order_by("pk").values(*columns)
        return [{column: _plain(value) for column, value in row.items()} for row in found]

    def vouched_for(self, event: Model) -> dict[str, dict[str, Any]]:
        """The rows that an event of this kind vouches for, each under its table and id."""

        def version(**columns: Collection[str]) -> dict[str, dict[str, Any]]:
            return _named("version", [row for row in self.versions if row["id"] == event.version_id], **columns)

        match event.what:
            case "drafted":
                return version(only=ORIGIN)
            case "proposed" | "withdrawn":
                commitments = [row for row in self.commitments if row["version_id"] == event.version_id]
                ids = {row["id"] for row in commitments}
                criteria = [row for row in self.criteria
                            if row["version_id"] == event.version_id or row["commitment_id"] in ids]  # fmt: skip
                return {
                    **version(without=NOT_CONTENT),
                    **_named("commitment", commitments),
                    **_named("criterion", criteria),
                    **_named("step", [row for row in self.steps if row["commitment_id"] in ids]),
                }
            case "signed":
                by = (event.version_id, event.actor_id)
                return _named("signature", [r for r in self.signatures if (r["version_id"], r["signer_id"]) == by])
            case "agreed":
                return version(only=("id", *IN_FORCE))
            case what if what in settings.VOUCHED_FOR:
                return self.beyond(what, event.agreement_id).get(event.detail, {})
        return {}


def _named(
    table: str, rows: Iterable[dict[str, Any]], *, only: Collection[str] = (), without: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    return {
        f"{table} {row['id']}": {
            column: value for column, value in row.items() if (not only or column in only) and column not in without
        }
        for row in rows
    }


def _plain(value: Any) -> Any:
    """A column's value as JSON that is the same on every database."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case Decimal():
            return terms.plain_number(value)
    return value


# --- Verification -------------------------------------------------------------------------------------------------


def verify(agreement: Agreement, *, deep: bool = True) -> list[Misfit]:
    """Everything about the agreement that does not fit, in the order in which it happened; empty means untouched.

    What is found is looked at again under the lock that every verb takes, so a step just being taken is no misfit.
    Large rows of rooms above are hashed anew only where `deep`; else what they say of their own hash is believed.
    """
    chosen = Agreement.objects.filter(pk=agreement.pk)
    if not _misfits(chosen.get(), deep=deep):
        return []
    with transaction.atomic():
        return _misfits(chosen.select_for_update(no_key=True).get(), deep=deep)


def verify_version(version: Version) -> list[Misfit]:
    """Everything about one version that does not fit, without the agreement's others; for whoever holds the lock."""
    events = list(version.events.order_by("number"))
    numbers = [event.number - 1 for event in events]
    before = dict(
        AgreementEvent.objects.filter(agreement=version.agreement_id, number__in=numbers).values_list("number", "mac")
    )
    rows = Rows(pk=version.pk)
    return _collected(
        *(_misfits_of_event(event, before.get(event.number - 1, ""), rows) for event in events),
        _misfits_of_versions(Version.objects.filter(pk=version.pk), events),
    )


def _misfits(agreement: Agreement, *, deep: bool) -> list[Misfit]:
    events = list(agreement.events.order_by("number"))
    rows = Rows(deep=deep, agreement=agreement)
    return _collected(
        _misfits_of_events(agreement, events, rows),
        _misfits_of_versions(Version.objects.filter(agreement=agreement), events),
        _misfits_beyond(agreement, events, rows),
    )


def _collected(*searches: Iterable[Misfit]) -> list[Misfit]:
    found: list[Misfit] = []
    try:
        for search in searches:
            found += search
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as problem:
        # A column holds what it cannot hold; what was found before it stands.
        found.append(Misfit("a row", f"it cannot be read ({type(problem).__name__})"))
    return found


def holds(mac: str, agreements: Iterable[Agreement]) -> bool:
    """Whether a hash that was printed or sent as the head of a chain is still one of its events."""
    return AgreementEvent.objects.filter(agreement__in=agreements, mac="".join(mac.split()).lower()).exists()


def _misfits_of_events(agreement: Agreement, events: list[AgreementEvent], rows: Rows) -> Iterator[Misfit]:
    """Numbers without a gap, each seal over what stands there, and the evidence as it was."""
    before = ""
    for expected, event in enumerate(events, start=1):
        if event.number != expected:
            yield Misfit(f"event {expected}", "it is missing")
            return
        yield from _misfits_of_event(event, before, rows)
        if event.key_id not in settings.AGREEMENT_KEYS:
            return
        before = event.mac
    if agreement.last_seal != (last_seal(events[-1]) if events else ""):
        yield Misfit(f"event {len(events) + 1}", "it is missing: the agreement’s last seal is not of its last event")


def _misfits_of_event(event: AgreementEvent, before: str, rows: Rows) -> Iterator[Misfit]:
    """Its seal over what stands there and over the hash before it, and the rows that it vouches for."""
    name = f"event {event.number} ({event.what})"
    if event.key_id not in settings.AGREEMENT_KEYS:
        yield Misfit(name, f"AGREEMENT_KEYS has no key “{event.key_id}”")
        return
    if seal(event, before=before) != event.mac:
        yield Misfit(name, "its keyed hash does not fit what stands there")
    yield from _misfits_of_evidence(event, rows)


def _misfits_of_evidence(event: AgreementEvent, rows: Rows) -> Iterator[Misfit]:
    """Rows that the event vouches for and that are others now. Columns that came later were not signed."""
    was, now = _evidence(event), rows.vouched_for(event)
    since = f"since event {event.number} ({event.what})"
    for name in sorted(was.keys() | now.keys()):
        if name not in now:
            yield Misfit(name, f"it is missing {since}")
        elif name not in was:
            yield Misfit(name, f"it was added {since}")
        else:
            columns = was[name].keys() & now[name].keys()
            changed = sorted(column for column in columns if now[name][column] != was[name][column])
            if changed:
                yield Misfit(name, f"{', '.join(changed)} changed {since}")


def _misfits_of_versions(versions: QuerySet[Version], events: list[AgreementEvent]) -> Iterator[Misfit]:
    """Rows that no event vouches for, states that no event led to, and frozen bytes that the rows do not say."""
    vouched = {name for event in events for name in _evidence(event)}
    status = {event.version_id: event.what for event in events if event.what in STEPS}
    related = ("signatures", "criteria", "commitments__calendar", "commitments__scope", "commitments__steps__team")
    for version in versions.order_by("number").prefetch_related(*related):
        name = f"version {version.pk}"
        for row in (name, *(f"signature {signature.pk}" for signature in version.signatures.all())):
            if row not in vouched:
                yield Misfit(row, "no event vouches for it")
        reached = STEPS.get(status.get(version.pk))
        if version.status != reached:
            yield Misfit(name, f"it reads {version.status}, but its events made it {reached or 'nothing'}")
        if version.status != Status.AGREED and any(getattr(version, column) for column in IN_FORCE):
            yield Misfit(name, "it says when it is in force, but was not agreed")
        if not version.terms and not version.terms_hash:
            continue
        if terms.digest(version.terms) != version.terms_hash:
            yield Misfit(name, "its frozen terms have another hash")
        elif wrong := terms.unlike_rows(version):
            yield Misfit(name, f"its frozen terms and its rows disagree on {', '.join(wrong)}")
        for signature in version.signatures.all():
            if signature.terms_hash != version.terms_hash:
                yield Misfit(f"signature {signature.pk}", "it stands under other terms than the version’s")


def _misfits_beyond(agreement: Agreement, events: list[AgreementEvent], rows: Rows) -> Iterator[Misfit]:
    """Rows of rooms above that somebody wrote past the chain."""
    vouched = {name for event in events if event.what in settings.VOUCHED_FOR for name in _evidence(event)}
    for what in sorted(settings.VOUCHED_FOR):
        for named in rows.beyond(what, agreement.pk).values():
            yield from (Misfit(name, "no event vouches for it") for name, row in named.items()
                        if row["what"] == what and name not in vouched)  # fmt: skip


def _evidence(event: AgreementEvent) -> dict[str, dict[str, Any]]:
    """The rows as they stood at the event; nothing where somebody made the text unreadable, which the seal tells."""
    try:
        kept = json.loads(event.evidence or "{}")
    except (ValueError, RecursionError):
        return {}
    return {name: row for name, row in kept.items() if isinstance(row, dict)} if isinstance(kept, dict) else {}
