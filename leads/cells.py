"""What the text of a cell means: moments, amounts, numbers, yes or no, words of ours. Pure.

Times are local to the file's zone unless they carry an offset. One that does not exist moves forward by the length of
the gap; of a repeated one the first counts (T3). A date without a time is the start of its day where it begins
something (`received_at`, `engaged_at`) and the last second of it where it ends something: attempts, dispositions and
outcomes stop clocks (A6).
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from leads.records import LONGEST, LONGEST_ATTRIBUTE

AMOUNTS = {
    "comma": re.compile(r"(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d{1,2}))?"),
    "point": re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{1,2}))?"),
}
"""How whole and decimal digits are written, by the sign before the decimals."""

_AMOUNT_TRIMMINGS = re.compile(r"[\s'’$£¥\u20a0-\u20cf]|^[A-Z]{3}|[A-Z]{3}$")
_LARGEST = 2**31 - 1
_YEARS = range(1970, 2101)
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Format = Callable[[str, ZoneInfo], tuple[datetime, bool]]


class Unfit(ValueError):
    """A text does not fit; the message completes the sentence “this value …”."""


@dataclass(frozen=True)
class Cells:
    """How one file writes things. Moments after `now` are refused; reasons are of these codes, or any where None."""

    zone: ZoneInfo
    formats: tuple[Format, ...]
    amounts: re.Pattern[str]
    now: datetime | None = None
    reasons: Collection[str] | None = None

    def converter(self, name: str, hint: Any) -> Callable[[str], Any]:
        """What turns a text that is not blank into a record's field of that name and type, or raises `Unfit`."""
        if get_origin(hint) is Literal:
            return partial(one_of, known=get_args(hint))
        if name == "reason":
            return str if self.reasons is None else partial(one_of, known=self.reasons)
        converters = {
            str: partial(at_most, longest=LONGEST.get(name, LONGEST_ATTRIBUTE)),
            bool: yes_no,
            datetime: partial(self.moment, ends=name == "at"),
            Decimal: self.amount,
            int: self.count if name == "company_size" else self.number,
        }
        return next(convert for kind, convert in converters.items() if hint is kind or kind in get_args(hint))

    def moment(self, text: str, ends: bool) -> datetime | None:
        """A moment in UTC by the first format that fits; None for the end of a day that is not over yet."""
        for read in self.formats:
            try:
                moment, timed = read(text, self.zone)
            except (ValueError, OverflowError):
                continue
            if moment.year not in _YEARS:
                raise Unfit(_("is not a date from %(first)s to %(last)s") % {"first": _YEARS[0], "last": _YEARS[-1]})
            if self.now and moment > self.now:
                raise Unfit(_("is in the future"))
            if timed or not ends:
                return moment.astimezone(UTC)
            # From the next day's start, so that a day which the clocks lengthen at midnight keeps its last hour.
            end = (moment + timedelta(days=1)).astimezone(UTC) - timedelta(seconds=1)
            return None if self.now and end > self.now else end
        raise Unfit(_("is not a date in any of the formats under “dates”"))

    def amount(self, text: str) -> Decimal:
        """An amount of money, whatever the currency."""
        match = self.amounts.fullmatch(_AMOUNT_TRIMMINGS.sub("", text))
        whole = re.sub("[.,]", "", match[1]) if match else ""
        if not match or len(whole) > 12:
            raise Unfit(_("is not an amount as “decimal” says, of at most 12 digits and 2 decimals"))
        return Decimal(f"{whole}.{match[2] or 0}")

    def count(self, text: str) -> int:
        """A whole number that is not negative."""
        match = self.amounts.fullmatch(text)
        if not match or int(match[2] or 0) or (count := int(re.sub("[.,]", "", match[1]))) > _LARGEST:
            raise Unfit(_("is not a whole number up to %(most)s") % {"most": _LARGEST})
        return count

    def number(self, text: str) -> int:
        """A whole number."""
        return -self.count(text[1:]) if text.startswith("-") else self.count(text)


def date_format(form: Any) -> Format:
    """What reads a text in one format, or raises `ValueError`: the moment, and whether it has a time of day."""
    if form == "iso":
        return _iso
    codes = set(re.findall("%(.)", form)) if isinstance(form, str) else set()
    if not codes <= set("YymdbBHIMSfpz") or not (codes & set("Yy") and codes & set("mbB") and "d" in codes):
        raise Unfit(_("is neither “iso” nor a format such as “%d.%m.%Y %H:%M”"))
    timed = bool(codes & set("HI"))
    if "z" in codes:
        return lambda text, zone: (datetime.strptime(text, form).astimezone(UTC), timed)
    return lambda text, zone: (datetime.strptime(text, form).replace(tzinfo=zone), timed)


def clean(text: str) -> str:
    """Trimmed, and accents composed."""
    return unicodedata.normalize("NFC", text.strip())


@lru_cache(maxsize=1 << 16)
def folded(text: str) -> str:
    """As words are compared: clean and without case."""
    return clean(text).casefold()


def plain(value: Any) -> str:
    """A TOML value as the text that a cell would hold."""
    return str(value).lower() if isinstance(value, bool) else clean(str(value))


def one_of(text: str, known: Iterable[str]) -> str:
    if text not in known:
        raise Unfit(_("is none of %(words)s") % {"words": ", ".join(known)})
    return text


def at_most(text: str, longest: int) -> str:
    if len(text) > longest:
        raise Unfit(_("is longer than %(most)s characters") % {"most": longest})
    return text


def yes_no(text: str) -> bool:
    if text.casefold() not in _YES_NO:
        raise Unfit(_("is none of %(words)s") % {"words": ", ".join(_YES_NO)})
    return _YES_NO[text.casefold()]


def _iso(text: str, zone: ZoneInfo) -> tuple[datetime, bool]:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone), len(text) > len("2024-03-01")
