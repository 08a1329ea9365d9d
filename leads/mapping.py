"""Turns rows of another system's export into records of ours, as a mapping file (TOML) says.

The file is declarative: which column or constant fills which field, in which format, with which words translated.
`docs/importing.md` explains it. A mapping that makes no sense is a `MappingError`; a value that does not fit is a
`Refusal` with line, column, value and reason, and a row may have several. Nothing here knows the database.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache, partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints
from zoneinfo import ZoneInfo, available_timezones

from django.utils.translation import gettext

from leads import csvfile
from leads.cells import AMOUNTS, Cells, Format, Unfit, at_most, clean, date_format, folded, plain
from leads.csvfile import Refusal, Row
from leads.records import (
    LONGEST,
    LONGEST_ATTRIBUTE,
    AttemptRecord,
    DispositionRecord,
    LeadRecord,
    OutcomeRecord,
    Record,
)

Condition = tuple[tuple[str, frozenset[str]], ...]


class MappingError(ValueError):
    """The mapping cannot be used, by itself or with this file; the message is a sentence for who wrote it."""


class Skip(NamedTuple):
    """A row that is left out on purpose: its physical line and why."""

    line: int
    reason: str


_TARGETS = {"leads": LeadRecord, "attempts": AttemptRecord}
_FACTS = {
    "disposition": (DispositionRecord, "verdict", "reason", ""),
    "outcome": (OutcomeRecord, "kind", "amount", None),
}
_NOT_MAPPED = ("line", "source_system", "attributes", "dispositions", "outcomes", "notes")


class _Reader(NamedTuple):
    """Where a value comes from: its column (blank for a constant), and what a cell means or why it does not fit."""

    column: str
    read: Callable[[str], tuple[Any, str]]


def load(path: str | PathLike[str], time_zone: str | None = None, **known: Any) -> "Mapping":
    """The mapping in a TOML file; the other arguments are those of `Mapping`. Raises `MappingError`."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise MappingError(f"{path} is not valid TOML: {error}.") from error
    return Mapping(document, time_zone, **known)


class Mapping:
    """A checked mapping: its `target` ("leads" or "attempts") and `source_system`.

    `time_zone` (an IANA name) overrides the one that it names. With `now` a later moment is refused; with `reasons`
    (codes, each with the verdicts that it fits) so is any other code. Raises `MappingError`.
    """

    def __init__(
        self,
        document: dict[str, Any],
        time_zone: str | None = None,
        *,
        now: datetime | None = None,
        reasons: dict[str, frozenset[str]] | None = None,
    ):
        self._columns: dict[str, str] = {}
        self.target = _one_of("target", document.get("target"), _TARGETS)
        leads = self.target == "leads"
        keys = ("target", "source_system", "time_zone", "dates", "decimal", "fields", "skip")
        _known("The mapping", document, keys + (("attributes", *_FACTS) if leads else ()))
        self.source_system = _text("source_system", document)
        if len(self.source_system) > LONGEST["source_system"]:
            raise MappingError(f"source_system is longer than {LONGEST['source_system']} characters.")
        self._reasons = reasons
        self._cells = Cells(
            zone=_zone(time_zone or _text("time_zone", document)),
            formats=_formats(document),
            amounts=AMOUNTS[_one_of("decimal", document.get("decimal", "point"), AMOUNTS)],
            now=now,
            reasons=reasons,
        )

        self._record_class = _TARGETS[self.target]
        types = {n: t for n, t in get_type_hints(self._record_class).items() if n not in _NOT_MAPPED}
        parts = dataclass_fields(self._record_class)
        needed = types.keys() & {part.name for part in parts if part.default is part.default_factory is MISSING}
        fields = _table("fields", document)
        _known("fields", fields, types)
        for name in sorted(needed - fields.keys()):
            raise MappingError(f"fields.{name} is missing: {self.target} cannot be imported without it.")
        if not leads and not fields.keys() & {"lead_external_id", "contact_id", "email"}:
            raise MappingError("fields names no lead_external_id, contact_id or email: whose attempts are they?")
        self._fields = {
            name: self._reader(f"fields.{name}", spec, self._cells.converter(name, types[name]), name in needed)
            for name, spec in fields.items()
        }
        attributes = _table("attributes", document)
        if clash := sorted(attributes.keys() & types.keys()):
            raise MappingError(f"attributes.{clash[0]} is the name of a field: it belongs under fields.")
        free = partial(at_most, longest=LONGEST_ATTRIBUTE)
        self._attributes = {name: self._reader(f"attributes.{name}", spec, free) for name, spec in attributes.items()}
        self._skips = [self._skip(block) for block in _blocks("skip", document)]
        self._facts = {noun: [self._fact(noun, block) for block in _blocks(noun, document)] for noun in _FACTS}

    def column(self, name: str) -> str:
        """The column that fills one of our fields; blank when it is a constant or not mapped."""
        return self._fields[name].column if name in self._fields else ""

    def records(self, table: csvfile.Table) -> Iterator[Record | Refusal | Skip]:
        """A record for each row, or why there is none. Raises `MappingError` for a column that the table lacks.

        A row whose id stands in an earlier one is skipped when it says the same, and refused when it says otherwise.
        """
        for column, key in self._columns.items():
            if column not in table.header:
                raise MappingError(
                    f"The file has no column “{column}”, which {key} names.{_suggestion(column, table.header)}"
                )
        return self._records(table.rows)

    def _records(self, rows: Iterable[Row | Refusal]) -> Iterator[Record | Refusal | Skip]:
        seen: dict[str, Record] = {}
        for row in rows:
            if isinstance(row, Refusal):
                yield row
                continue
            if reason := next((reason for when, reason in self._skips if _holds(when, row.cells)), ""):
                yield Skip(row.line, reason)
                continue
            refusals: list[Refusal] = []
            record = self._record(row, refusals)
            if record is None:
                yield from refusals
                continue
            first = seen.setdefault(record.external_id, record)
            if first is record:
                yield record
            elif first == record:
                yield Skip(row.line, gettext("repeats an earlier line"))
            else:
                reason = gettext("is already the id of line %(line)s, which says something else") % {"line": first.line}
                yield Refusal(row.line, self._fields["external_id"].column, record.external_id, reason)

    def _record(self, row: Row, refusals: list[Refusal]) -> Record | None:
        values = _values(self._fields, row, refusals) | {"line": row.line, "source_system": self.source_system}
        if self.target == "attempts":
            if not values.keys() & {"lead_external_id", "contact_id", "email"}:
                refusals.append(
                    Refusal(row.line, gettext(""), gettext(""), gettext("names neither a lead nor a person"))
                )
        else:
            notes: list[str] = []
            values["attributes"] = _values(self._attributes, row, refusals)
            for noun in _FACTS:
                values[f"{noun}s"] = self._happened(noun, row, values.get("received_at"), refusals, notes)
            values["notes"] = tuple(notes)
            if len({outcome.kind for outcome in values["outcomes"]}) < len(values["outcomes"]):
                refusals.append(Refusal(row.line, gettext(""), gettext(""), gettext("has the same outcome twice")))
        return None if refusals else self._record_class(**values)

    def _happened(
        self, noun: str, row: Row, arrival: Any, refusals: list[Refusal], notes: list[str]
    ) -> tuple[DispositionRecord | OutcomeRecord, ...]:
        """What the blocks that apply to the row say, in the order of time."""
        record, _, detail, unknown = _FACTS[noun]
        happened = []
        for condition, readers in self._facts[noun]:
            if not _holds(condition, row.cells):
                continue
            if _read(readers["at"], row) == (None, ""):
                # A block without a condition speaks of the rows that have its date, so others need no remark.
                if condition:
                    notes.append(gettext("%(noun)s without a past date: left out") % {"noun": noun})
                continue
            values = {detail: unknown} | _values(readers, row, refusals)
            if refusals:
                continue
            if values["at"] < arrival:
                values["at"] = arrival
                notes.append(gettext("%(noun)s dated before the lead arrived: taken at its arrival") % {"noun": noun})
            if values.get("verdict") == "accepted":
                values["reason"] = ""
            elif self._reasons and values.get("reason") and values["verdict"] not in self._reasons[values["reason"]]:
                why = gettext("becomes %(reason)s, which is no reason for %(verdict)s") % {
                    "reason": values["reason"],
                    "verdict": values["verdict"],
                }
                column = readers["reason"].column
                refusals.append(Refusal(row.line, column, row.cells.get(column, ""), why))
                continue
            happened.append(record(**values))
        return tuple(sorted(happened, key=lambda record: record.at))

    def _skip(self, block: dict[str, Any]) -> tuple[Condition, str]:
        _known("skip", block, ("when", "reason"))
        if not block.get("when"):
            raise MappingError("skip.when is missing: every row would be skipped.")
        return self._condition("skip.when", block), _text("reason", block, "skip.")

    def _fact(self, noun: str, block: dict[str, Any]) -> tuple[Condition, dict[str, _Reader]]:
        record, word, detail, _ = _FACTS[noun]
        _known(noun, block, ("when", word, detail, "at"))
        for key in (word, "at"):
            if key not in block:
                raise MappingError(f"{noun}.{key} is missing.")
        # The verdict or kind is a word of ours; everywhere else a bare text is the name of a column.
        specs = {key: spec for key, spec in block.items() if key != "when"}
        if isinstance(specs[word], str):
            specs[word] = {"constant": specs[word]}
        types = get_type_hints(record)
        readers = {
            key: self._reader(f"{noun}.{key}", spec, self._cells.converter(key, types[key]), key == word)
            for key, spec in specs.items()
        }
        return self._condition(f"{noun}.when", block), readers

    def _condition(self, key: str, block: dict[str, Any]) -> Condition:
        condition = []
        for name, words in _table("when", block, key.removesuffix("when")).items():
            column = self._column(key, name)
            listed = words if isinstance(words, list) else [words]
            if not all(isinstance(word, str) for word in listed):
                raise MappingError(f"{key}: column “{column}” needs a text or a list of texts.")
            condition.append((column, frozenset(map(folded, listed))))
        return tuple(condition)

    def _reader(self, key: str, spec: Any, convert: Callable[[str], Any], needed: bool = False) -> _Reader:
        spec = {"column": spec} if isinstance(spec, str) else spec
        if not isinstance(spec, dict) or ("column" in spec) == ("constant" in spec):
            raise MappingError(f"{key} needs the name of a column, or a table with either a column or a constant.")
        _known(key, spec, ("constant",) if "constant" in spec else ("column", "default", "translate", "required"))
        table = _table("translate", spec, f"{key}.")
        translate = {folded(word): plain(value) for word, value in table.items()}
        if len(translate) < len(table):
            raise MappingError(f"{key}.translate lists a word twice; upper and lower case count as one.")
        default = plain(spec.get("constant", spec.get("default", "")))
        if "constant" in spec and not default:
            raise MappingError(f"{key}.constant is blank.")
        for word in sorted({*translate.values(), default} - {"", "*"}):
            try:
                convert(word)
            except Unfit as error:
                raise MappingError(f"{key}: “{word}” {error}.") from error
        if not isinstance(spec.get("required", False), bool):
            raise MappingError(f"{key}.required is true or false, without quotes.")
        needed = needed or spec.get("required", False)

        @lru_cache(maxsize=1 << 16)
        def read(cell: str) -> tuple[Any, str]:
            text = clean(cell)
            if translate:
                word = translate.get(text.casefold(), translate.get("*"))
                if word is None and text:
                    return None, gettext("is not in the table “translate”")
                text = text if word == "*" else word or ""
            text = text or default
            if not text:
                return None, gettext("is blank, but needed") if needed else gettext("")
            try:
                value = convert(text)
            except Unfit as error:
                return None, str(error)
            return value, gettext(
                "is a day that is not over yet, without a time"
            ) if value is None and needed else gettext("")

        return _Reader(self._column(key, spec["column"]) if "column" in spec else "", read)

    def _column(self, key: str, name: Any) -> str:
        if not isinstance(name, str) or not clean(name):
            raise MappingError(f"{key} needs the name of a column, as a text.")
        column = clean(name)
        self._columns.setdefault(column, key)
        return column


def _read(reader: _Reader, row: Row) -> tuple[Any, str]:
    return reader.read(row.cells[reader.column] if reader.column else "")


def _values(readers: dict[str, _Reader], row: Row, refusals: list[Refusal]) -> dict[str, Any]:
    """What the readers make of the row, without the blanks; what does not fit is added to the refusals."""
    values = {}
    for name, reader in readers.items():
        value, reason = _read(reader, row)
        if reason:
            refusals.append(Refusal(row.line, reader.column, row.cells[reader.column], reason))
        elif value is not None:
            values[name] = value
    return values


def _holds(condition: Condition, cells: dict[str, str]) -> bool:
    return all(folded(cells[column]) in words for column, words in condition)


def _known(key: str, table: dict[str, Any], known: Iterable[str]) -> None:
    for name in table:
        if name not in known:
            raise MappingError(f"{key} has “{name}”, which is unknown.{_suggestion(name, known)}")


def _one_of(key: str, word: Any, known: Iterable[str]) -> str:
    if word not in tuple(known):
        raise MappingError(f"{key} is missing or unknown.{_suggestion(str(word), known)}")
    return word


def _suggestion(name: str, known: Iterable[str]) -> str:
    return f"{_nearest(name, known)} Known: {', '.join(known)}."


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), 1)
    return f" Did you mean “{near[0]}”?" if near else ""


def _text(name: str, table: dict[str, Any], path: str = "") -> str:
    if not isinstance(text := table.get(name), str) or not text.strip():
        raise MappingError(f"{path}{name} is missing: it needs a text.")
    return clean(text)


def _table(name: str, table: dict[str, Any], path: str = "") -> dict[str, Any]:
    if not isinstance(found := table.get(name, {}), dict):
        raise MappingError(f"{path}{name} needs a table of names and values.")
    return found


def _blocks(name: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = document.get(name, [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise MappingError(f"{name} needs double brackets: [[{name}]].")
    return blocks


def _formats(document: dict[str, Any]) -> tuple[Format, ...]:
    forms = document.get("dates")
    if not forms or not isinstance(forms, list):
        raise MappingError("dates is missing: it needs a list of formats, such as [“iso”].")
    formats = []
    for form in forms:
        try:
            formats.append(date_format(form))
        except Unfit as error:
            raise MappingError(f"dates: “{form}” {error}.") from error
    return tuple(formats)


def _zone(name: str) -> ZoneInfo:
    if name not in (names := available_timezones()):
        raise MappingError(f"The time zone “{name}” is unknown.{_nearest(name, names)}")
    return ZoneInfo(name)
