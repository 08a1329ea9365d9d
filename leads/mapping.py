"""Turns rows of another system's export into records of ours, as a mapping file (TOML) says.

The file is declarative: which column or constant fills which field, in which format, with which words translated.
`docs/importing.md` explains it. A mapping that makes no sense is a `MappingError`; a value that does not fit is a
`Refusal` with line, column, value and reason, and a row may have several. Nothing here knows the database.

Times are local to the file's zone unless they carry an offset. One that does not exist moves forward by the length of
the gap; of a repeated one the first counts (T3). A date without a time is the start of its day where it begins
something (`received_at`, `engaged_at`) and the last second of it where it ends something: attempts, dispositions and
outcomes stop clocks (A6).
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache, partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, available_timezones

from leads.csvfile import Refusal, Row, Table

Channel = Literal["call", "email", "message", "meeting", "note", "other"]
Direction = Literal["outbound", "inbound"]
AttemptOutcome = Literal["connected", "replied", "no_answer", "voicemail", "busy", "sent", "invalid", "other"]
Verdict = Literal["accepted", "recycled", "rejected"]
OutcomeKind = Literal["meeting", "opportunity", "won", "lost"]
TWO_WAY: tuple[AttemptOutcome, ...] = ("connected", "replied")

LONGEST = {
    **dict.fromkeys(("source_system", "phone", "seniority", "country"), 60),
    **dict.fromkeys(("external_id", "lead_external_id", "contact_id", "industry", "source", "segment"), 120),
    **dict.fromkeys(("name", "company", "title", "campaign", "owner", "team"), 200),
    "email": 254,
    "reason": 40,
}
"""Characters that a text of this name may have; an attribute, whatever its name, may have 2,000."""

_LONGEST_ATTRIBUTE = 2_000
_LARGEST = 2**31 - 1
_YEARS = range(1970, 2101)
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_AMOUNTS = {
    "comma": re.compile(r"(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d{1,2}))?"),
    "point": re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{1,2}))?"),
}
_AMOUNT_TRIMMINGS = re.compile(r"[\s'’$£¥\u20a0-\u20cf]|^[A-Z]{3}|[A-Z]{3}$")

Condition = tuple[tuple[str, frozenset[str]], ...]


class MappingError(ValueError):
    """The mapping cannot be used, by itself or with this file; the message is a sentence for who wrote it."""


class Skip(NamedTuple):
    """A row that is left out on purpose: its physical line and why."""

    line: int
    reason: str


class DispositionRecord(NamedTuple):
    """What sales said, the reason code (or blank), and when (UTC)."""

    verdict: Verdict
    reason: str
    at: datetime


class OutcomeRecord(NamedTuple):
    """What came of it, when (UTC), and the amount if one is known."""

    kind: OutcomeKind
    at: datetime
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRecord:
    """One lead as the source system knows it; blank text means unknown, times are UTC. Equal whatever its line.

    `notes` say what the mapping had to decide about this row; they are few different sentences, to be counted.
    """

    line: int = field(default=0, compare=False)
    source_system: str
    external_id: str
    received_at: datetime
    engaged_at: datetime | None = None
    contact_id: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    company: str = ""
    title: str = ""
    seniority: str = ""
    company_size: int | None = None
    industry: str = ""
    country: str = ""
    score: int | None = None
    source: str = ""
    campaign: str = ""
    segment: str = ""
    handed_over: bool = False
    owner: str = ""
    team: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    dispositions: tuple[DispositionRecord, ...] = ()
    outcomes: tuple[OutcomeRecord, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try at contact; it names its lead or, by contact id or e-mail, only the person. Equal whatever its line."""

    line: int = field(default=0, compare=False)
    source_system: str
    external_id: str
    at: datetime
    channel: Channel
    direction: Direction
    outcome: AttemptOutcome
    lead_external_id: str = ""
    contact_id: str = ""
    email: str = ""
    automated: bool = False
    owner: str = ""


Record = LeadRecord | AttemptRecord

_TARGETS = {"leads": LeadRecord, "attempts": AttemptRecord}
_FACTS = {
    "disposition": (DispositionRecord, "verdict", "reason", ""),
    "outcome": (OutcomeRecord, "kind", "amount", None),
}
_NOT_MAPPED = ("line", "source_system", "attributes", "dispositions", "outcomes", "notes")


class _Unfit(ValueError):
    """A value does not fit its field; the message completes the sentence “this value …”."""


class _Reader(NamedTuple):
    """Where a value comes from: its column (blank for a constant), and what a cell means or why it does not fit."""

    column: str
    read: Callable[[str], tuple[Any, str]]
    words: frozenset[str]


def load(path: str | PathLike[str], time_zone: str | None = None) -> "Mapping":
    """The mapping in a TOML file; `time_zone` (an IANA name) overrides the one it names. Raises `MappingError`."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise MappingError(f"{path} is not valid TOML: {error}.") from error
    return Mapping(document, time_zone)


class Mapping:
    """A checked mapping: its `target` ("leads" or "attempts"), `source_system`, and the `reason_codes` it names."""

    def __init__(self, document: dict[str, Any], time_zone: str | None = None):
        self._columns: dict[str, str] = {}
        self.target = _one_of("target", document.get("target"), _TARGETS)
        leads = self.target == "leads"
        keys = ("target", "source_system", "time_zone", "dates", "decimal", "fields", "skip")
        _known("The mapping", document, keys + (("attributes", *_FACTS) if leads else ()))
        self.source_system = _text("source_system", document)
        if len(self.source_system) > LONGEST["source_system"]:
            raise MappingError(f"source_system is longer than {LONGEST['source_system']} characters.")
        self._zone = _zone(time_zone or _text("time_zone", document))
        forms = document.get("dates")
        if not forms or not isinstance(forms, list):
            raise MappingError("dates is missing: it needs a list of formats, such as [“iso”].")
        self._formats = [self._format(form) for form in forms]
        self._amounts = _AMOUNTS[_one_of("decimal", document.get("decimal", "point"), _AMOUNTS)]

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
            name: self._reader(f"fields.{name}", spec, self._converter(name, types[name]), name in needed)
            for name, spec in fields.items()
        }
        attributes = _table("attributes", document)
        if clash := sorted(attributes.keys() & types.keys()):
            raise MappingError(f"attributes.{clash[0]} is the name of a field: it belongs under fields.")
        free = partial(_short, longest=_LONGEST_ATTRIBUTE)
        self._attributes = {name: self._reader(f"attributes.{name}", spec, free) for name, spec in attributes.items()}
        self._skips = [self._skip(block) for block in _blocks("skip", document)]
        self._facts = {noun: [self._fact(noun, block) for block in _blocks(noun, document)] for noun in _FACTS}
        reasons = [readers["reason"].words for _, readers in self._facts["disposition"] if "reason" in readers]
        self.reason_codes = frozenset[str]().union(*reasons)

    def records(self, table: Table) -> Iterator[Record | Refusal | Skip]:
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
                yield Skip(row.line, "repeats an earlier line")
            else:
                reason = f"is already the id of line {first.line}, which says something else"
                yield Refusal(row.line, self._fields["external_id"].column, record.external_id, reason)

    def _record(self, row: Row, refusals: list[Refusal]) -> Record | None:
        values = _values(self._fields, row, refusals) | {"line": row.line, "source_system": self.source_system}
        if self.target == "attempts":
            if not values.keys() & {"lead_external_id", "contact_id", "email"}:
                refusals.append(Refusal(row.line, "", "", "names neither a lead nor a person"))
        else:
            notes: list[str] = []
            values["attributes"] = _values(self._attributes, row, refusals)
            for noun in _FACTS:
                values[f"{noun}s"] = self._happened(noun, row, values.get("received_at"), refusals, notes)
            values["notes"] = tuple(notes)
            if len({outcome.kind for outcome in values["outcomes"]}) < len(values["outcomes"]):
                refusals.append(Refusal(row.line, "", "", "has the same outcome twice"))
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
                    notes.append(f"{noun} without a date: left out")
                continue
            values = {detail: unknown} | _values(readers, row, refusals)
            if refusals:
                continue
            if values["at"] < arrival:
                values["at"] = arrival
                notes.append(f"{noun} dated before the lead arrived: taken at its arrival")
            if values.get("verdict") == "accepted":
                values["reason"] = ""
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
            key: self._reader(f"{noun}.{key}", spec, self._converter(key, types[key]), key == word)
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
            condition.append((column, frozenset(map(_folded, listed))))
        return tuple(condition)

    def _reader(self, key: str, spec: Any, convert: Callable[[str], Any], needed: bool = False) -> _Reader:
        spec = {"column": spec} if isinstance(spec, str) else spec
        if not isinstance(spec, dict) or ("column" in spec) == ("constant" in spec):
            raise MappingError(f"{key} needs the name of a column, or a table with either a column or a constant.")
        _known(key, spec, ("constant",) if "constant" in spec else ("column", "default", "translate", "required"))
        table = _table("translate", spec, f"{key}.")
        translate = {_folded(word): _plain(value) for word, value in table.items()}
        if len(translate) < len(table):
            raise MappingError(f"{key}.translate lists a word twice; upper and lower case count as one.")
        default = _plain(spec.get("constant", spec.get("default", "")))
        if "constant" in spec and not default:
            raise MappingError(f"{key}.constant is blank.")
        words = frozenset({*translate.values(), default} - {"", "*"})
        for word in sorted(words):
            try:
                convert(word)
            except _Unfit as error:
                raise MappingError(f"{key}: “{word}” {error}.") from error
        if not isinstance(spec.get("required", False), bool):
            raise MappingError(f"{key}.required is true or false, without quotes.")
        needed = needed or spec.get("required", False)

        @lru_cache(maxsize=1 << 16)
        def read(cell: str) -> tuple[Any, str]:
            text = _clean(cell)
            if translate:
                word = translate.get(text.casefold(), translate.get("*"))
                if word is None and text:
                    return None, "is not in the table “translate”"
                text = text if word == "*" else word or ""
            text = text or default
            if not text:
                return None, "is blank, but needed" if needed else ""
            try:
                return convert(text), ""
            except _Unfit as error:
                return None, str(error)

        return _Reader(self._column(key, spec["column"]) if "column" in spec else "", read, words)

    def _column(self, key: str, name: Any) -> str:
        if not isinstance(name, str) or not _clean(name):
            raise MappingError(f"{key} needs the name of a column, as a text.")
        column = _clean(name)
        self._columns.setdefault(column, key)
        return column

    def _converter(self, name: str, hint: Any) -> Callable[[str], Any]:
        """What turns a text that is not blank into the type of a record's field, or raises `_Unfit`."""
        if get_origin(hint) is Literal:
            return partial(_word, known=get_args(hint))
        converters = {
            str: partial(_short, longest=LONGEST.get(name, 0)),
            bool: _yes_no,
            datetime: partial(self._moment, ends=name == "at"),
            Decimal: self._amount,
            int: self._count if name == "company_size" else self._number,
        }
        return next(convert for kind, convert in converters.items() if hint is kind or kind in get_args(hint))

    def _format(self, form: Any) -> Callable[[str], tuple[datetime, bool]]:
        """What reads a text in one format, or raises `ValueError`: the moment, and whether it has a time of day."""
        if form == "iso":
            return self._iso
        codes = set(re.findall("%(.)", form)) if isinstance(form, str) else set()
        if not codes <= set("YymdbBHIMSfpz") or not (codes & set("Yy") and codes & set("mbB") and "d" in codes):
            raise MappingError(f"dates: “{form}” is neither “iso” nor a format such as “%d.%m.%Y %H:%M”.")
        timed = bool(codes & set("HI"))
        if "z" in codes:
            return lambda text: (datetime.strptime(text, form).astimezone(UTC), timed)
        return lambda text: (datetime.strptime(text, form).replace(tzinfo=self._zone), timed)

    def _iso(self, text: str) -> tuple[datetime, bool]:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=self._zone), len(text) > len("2024-03-01")

    def _moment(self, text: str, ends: bool) -> datetime:
        for read in self._formats:
            try:
                moment, timed = read(text)
            except (ValueError, OverflowError):
                continue
            if moment.year not in _YEARS:
                raise _Unfit(f"is not a date from {_YEARS[0]} to {_YEARS[-1]}")
            if timed or not ends:
                return moment.astimezone(UTC)
            # From the next day's start, so that a day which the clocks lengthen at midnight keeps its last hour.
            return (moment + timedelta(days=1)).astimezone(UTC) - timedelta(seconds=1)
        raise _Unfit("is not a date in any of the formats under “dates”")

    def _amount(self, text: str) -> Decimal:
        match = self._amounts.fullmatch(_AMOUNT_TRIMMINGS.sub("", text))
        whole = re.sub("[.,]", "", match[1]) if match else ""
        if not match or len(whole) > 12:
            raise _Unfit("is not an amount as “decimal” says, of at most 12 digits and 2 decimals")
        return Decimal(f"{whole}.{match[2] or 0}")

    def _count(self, text: str) -> int:
        match = self._amounts.fullmatch(text)
        if not match or int(match[2] or 0) or (count := int(re.sub("[.,]", "", match[1]))) > _LARGEST:
            raise _Unfit(f"is not a whole number up to {_LARGEST}")
        return count

    def _number(self, text: str) -> int:
        return -self._count(text[1:]) if text.startswith("-") else self._count(text)


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
    return all(_folded(cells[column]) in words for column, words in condition)


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


@lru_cache(maxsize=1 << 16)
def _folded(text: str) -> str:
    return _clean(text).casefold()


def _plain(value: Any) -> str:
    """A TOML value as the text that a cell would hold."""
    return str(value).lower() if isinstance(value, bool) else _clean(str(value))


def _word(text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise _Unfit(f"is none of {', '.join(known)}")
    return text


def _short(text: str, longest: int) -> str:
    if len(text) > longest:
        raise _Unfit(f"is longer than {longest} characters")
    return text


def _yes_no(text: str) -> bool:
    if text.casefold() not in _YES_NO:
        raise _Unfit(f"is none of {', '.join(_YES_NO)}")
    return _YES_NO[text.casefold()]


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
    return _clean(text)


def _table(name: str, table: dict[str, Any], path: str = "") -> dict[str, Any]:
    if not isinstance(found := table.get(name, {}), dict):
        raise MappingError(f"{path}{name} needs a table of names and values.")
    return found


def _blocks(name: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = document.get(name, [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise MappingError(f"{name} needs double brackets: [[{name}]].")
    return blocks


def _zone(name: str) -> ZoneInfo:
    if name not in (names := available_timezones()):
        raise MappingError(f"The time zone “{name}” is unknown.{_nearest(name, names)}")
    return ZoneInfo(name)
