"""The document with its changes marked: what is struck out and what is new, and that nothing else was touched."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import terms, wording
from agreements.marks import Line, Mark, MarkedDocument, Piece, in_order, marked
from agreements.wording import Clause, Document, Hours
from slaportal.models import Party
from tests.agreements.test_differences import any_terms

CALL = Clause(
    "call",
    "Contact within 4 business hours",
    "call every lead within 4\xa0business hours.",
    "We talk.",
    "Until it is done: at 50\xa0% (2\xa0business hours) the owner is told, at the limit the manager.",
)
ASK = Clause("ask", "Reasons", "give a reason for every rejection.", "")
OFFICE = Hours("Office", "Mon–Fri 9:00–17:30, UTC", "8.5\xa0hours", (), ((2025, ("1 Jan New Year", "25 Dec Fair")),))
PAGE = Document(
    covers="This agreement covers every lead.",
    qualified=("A qualified lead scores 80 or more.",),
    promises=((Party.SALES, (CALL, ASK)),),
    both=("look at the scorecard together monthly;", "take a scorecard as final after a week."),
    notes=("An attempt is a call.", "Groups of fewer than 5 leads are too few."),
    calendars=(OFFICE,),
)


def page(**parts: object) -> Document:
    """The page above with other parts."""
    return Document(**{**vars(PAGE), **parts})


def shown(line: Line) -> str:
    """A line in one text: [was]{now}, with plain blanks."""

    def words(piece: Piece) -> str:
        marked = f"[{piece.before}]" * bool(piece.before) + f"{{{piece.after}}}" * bool(piece.after)
        return piece.after if piece.mark == Mark.KEPT else marked

    return "".join(map(words, line.pieces)).replace("\xa0", " ")


def covers(before: str, after: str) -> str:
    """How two texts of one sentence are shown."""
    return shown(marked(page(covers=before), page(covers=after)).covers)


def every_line(document: MarkedDocument) -> list[Line]:
    lines = [document.covers, *document.qualified, *document.both, *document.notes]
    for section in document.promises:
        for clause in section.clauses:
            lines += [clause.title, clause.text, clause.consequence, clause.ladder]
    for calendar in document.calendars:
        lines += [calendar.text, *(days for _, days in calendar.closed)]
    return lines


# --- Words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        # A number is one, and so is a span of time with its unit.
        ("a size of 50 to 500 people", "a size of 120 to 500 people", "a size of [50]{120} to 500 people"),
        (
            "within 4\xa0business hours after it qualifies",
            "within 40\xa0business minutes after it qualifies",
            "within [4 business hours]{40 business minutes} after it qualifies",
        ),
        ("for at least 95\xa0% of leads", "for at least 97.5\xa0% of leads", "for at least [95 %]{97.5 %} of leads"),
        ("open Mon–Fri 9:00–17:30, UTC", "open Mon–Fri 9:00–18:00, UTC", "open Mon–Fri [9:00–17:30]{9:00–18:00}, UTC"),
        # What follows a word is none of it.
        ("covers every lead.", "covers every lead scoring at least 80.", "covers every lead{ scoring at least 80}."),
        ("works in logistics, energy or health.", "works in logistics.", "works in logistics[, energy or health]."),
        # No scraps: a lone word between two changes changes with them,
        ("ends with 31 March 2027", "ends with 30 June 2027", "ends with [31 March]{30 June} 2027"),
        ("it goes to Ann and Bob now", "it goes to Cem and Dot now", "it goes to [Ann and Bob]{Cem and Dot} now"),
        # and a sentence that is mostly another is another.
        (
            "both sides talk about it on every second Monday",
            "Ann and Bob write a plan about it on every miss that they see",
            "[both sides talk about it on every second Monday]"
            "{Ann and Bob write a plan about it on every miss that they see}",
        ),
        ("every lead", "every lead", "every lead"),
    ],
)  # fmt: skip
def test_words_that_changed_are_marked_and_others_are_not(before, after, line):
    assert covers(before, after) == line


def test_sentences_that_are_mostly_the_same_are_one_and_others_stand_alone():
    before = ("look together monthly;", "dispute within 5\xa0business days;", "enter it at once;")
    after = ("dispute within 3\xa0business days;", "enter it at once;", "celebrate every year.")
    lines = marked(page(both=before), page(both=after)).both
    assert [shown(line) for line in lines] == [
        "[look together monthly;]",
        "dispute within [5 business days]{3 business days};",
        "enter it at once;",
        "{celebrate every year.}",
    ]


def test_what_is_gone_stands_before_what_is_new():
    lines = marked(page(notes=("Groups are small.",)), page(notes=("Sales’ speed counts for 200 leads.",))).notes
    assert [line.mark for line in lines] == [Mark.REMOVED, Mark.ADDED]


# --- Clauses, sections, calendars ------------------------------------------------------------------------------------


def test_clauses_are_paired_by_their_codes():
    ladder = "Until it is done: at 50\xa0% (1\xa0business hour) the owner is told, at the limit the manager."
    later = Clause("call", "Contact within 2 business hours", "call every lead within 2\xa0business hours.", "", ladder)
    (section,) = marked(PAGE, page(promises=((Party.SALES, (ASK, later)),))).promises
    ask, call = section.clauses
    assert [clause.mark for clause in section.clauses] == [Mark.KEPT, Mark.KEPT]
    assert shown(ask.text) == ASK.text
    assert shown(call.title) == "Contact within [4 business hours]{2 business hours}"
    assert shown(call.text) == "call every lead within [4 business hours]{2 business hours}."
    assert shown(call.consequence) == "[We talk.]"
    assert shown(call.ladder) == (
        "Until it is done: at 50 % ([2 business hours]{1 business hour}) the owner is told, at the limit the manager."
    )
    assert ask.ladder.pieces == ()


def test_a_new_clause_is_added_as_a_whole_and_a_dropped_one_stays_to_be_seen_where_it_was():
    new = Clause("try", "Tries", "try it five times.", "")
    (section,) = marked(PAGE, page(promises=((Party.SALES, (new, ASK)),))).promises
    assert [(clause.code, clause.mark) for clause in section.clauses] == [
        ("call", Mark.REMOVED),
        ("try", Mark.ADDED),
        ("ask", Mark.KEPT),
    ]
    dropped, added, _ = section.clauses
    lines = (dropped.title, dropped.text, dropped.consequence, dropped.ladder)
    assert {line.mark for line in lines} == {Mark.REMOVED}
    assert (added.text.mark, added.consequence.pieces) == (Mark.ADDED, ())


def test_a_side_that_promises_for_the_first_time_or_nothing_any_more_is_marked_as_a_whole():
    after = page(promises=((Party.MARKETING, (ASK,)),))
    sections = marked(PAGE, after).promises
    assert [(one.party, one.mark) for one in sections] == [
        (Party.SALES, Mark.REMOVED),
        (Party.MARKETING, Mark.ADDED),
    ]
    # A clause that went over to the other side is gone there and new here.
    assert [[(one.code, one.mark) for one in section.clauses] for section in sections] == [
        [("call", Mark.REMOVED), ("ask", Mark.REMOVED)],
        [("ask", Mark.ADDED)],
    ]


def test_of_the_closed_days_each_is_marked_as_a_whole():
    closed = ((2025, ("1 Jan New Year", "24 Dec Party", "25 Dec Party")), (2026, ("1 Jan New Year",)))
    after = page(calendars=(Hours("Office", "Mon–Fri 9:00–18:00, UTC", "9\xa0hours", (), closed),))
    (office,) = marked(PAGE, after).calendars
    assert shown(office.text) == ("Mon–Fri [9:00–17:30]{9:00–18:00}, UTC. One business day is [8.5 hours]{9 hours}.")
    assert [(year, shown(days)) for year, days in office.closed] == [
        (2025, "1 Jan New Year, [25 Dec Fair]{24 Dec Party, 25 Dec Party}"),
        (2026, "{1 Jan New Year}"),
    ]
    assert office.has_other_closed_days
    assert not marked(None, after).calendars[0].has_other_closed_days


def test_another_calendar_is_gone_and_new():
    after = page(calendars=(Hours("Berlin", "Mon–Fri 9:00–17:30, UTC", "8.5\xa0hours", (), ()),))
    assert [(one.name, one.mark) for one in marked(PAGE, after).calendars] == [
        ("Office", Mark.REMOVED),
        ("Berlin", Mark.ADDED),
    ]


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [
        ("abc", "abc", "abc"),
        ("abc", "ac", "abc"),
        ("abc", "cd", "abcd"),
        ("abc", "dca", "dcab"),
        ("", "ab", "ab"),
        ("ab", "", "ab"),
    ],
)
def test_what_is_gone_follows_what_it_followed(before, after, order):
    assert "".join(in_order(before, after)) == order


# --- Any two documents ----------------------------------------------------------------------------------------------

WORDS = st.lists(
    st.sampled_from(
        ["lead", "every", "4\xa0business hours", "95\xa0%", " ", " ", "and", "12", ",", ".", "’s", "(", "\n"]
    ),
    min_size=1,
    max_size=12,
).map("".join)
TEXTS = WORDS | st.text(min_size=1, max_size=6)
SENTENCES = st.lists(TEXTS, max_size=4).map(tuple)
CLAUSES = st.lists(
    st.builds(Clause, code=st.sampled_from("abcd"), title=TEXTS, text=TEXTS, consequence=TEXTS | st.just("")),
    max_size=3,
    unique_by=lambda clause: clause.code,
).map(tuple)
CLOSED = st.dictionaries(st.integers(2025, 2027), st.lists(TEXTS, min_size=1, max_size=3).map(tuple), max_size=2)
CALENDARS = st.lists(
    st.builds(
        Hours,
        name=st.sampled_from(["Office", "Berlin"]),
        open=TEXTS,
        working_day=TEXTS,
        special=SENTENCES,
        closed=CLOSED.map(lambda years: tuple(sorted(years.items()))),
    ),
    max_size=2,
    unique_by=lambda calendar: calendar.name,
).map(tuple)
DOCUMENTS = st.builds(
    Document,
    covers=TEXTS,
    qualified=SENTENCES,
    promises=st.dictionaries(st.sampled_from(Party), CLAUSES, max_size=3).map(lambda sides: tuple(sides.items())),
    both=SENTENCES,
    notes=SENTENCES,
    calendars=CALENDARS,
) | any_terms().map(lambda frozen: wording.document(terms.read(terms.canonical(frozen))))


def said(document: Document) -> dict[str, object]:
    """Everything that a document says; paragraphs in their order, whatever has a name by its name."""
    return {
        "covers": document.covers,
        "qualified": list(document.qualified),
        "both": list(document.both),
        "notes": list(document.notes),
        "promises": {
            party: {clause.code: (clause.title, clause.text, clause.consequence) for clause in clauses}
            for party, clauses in document.promises
        },
        "calendars": {
            one.name: (one.text, {year: ", ".join(days) for year, days in one.closed}) for one in document.calendars
        },
    }


def said_by(document: MarkedDocument, side: str, without: Mark) -> dict[str, object]:
    """The same of one side of a marked document: `before` without what was added, or `after` without what is gone."""

    def text(line: Line) -> str:
        return getattr(line, side)

    return {
        "covers": text(document.covers),
        "qualified": [text(line) for line in document.qualified if line.mark != without],
        "both": [text(line) for line in document.both if line.mark != without],
        "notes": [text(line) for line in document.notes if line.mark != without],
        "promises": {
            section.party: {
                clause.code: (text(clause.title), text(clause.text), text(clause.consequence))
                for clause in section.clauses
                if clause.mark != without
            }
            for section in document.promises
            if section.mark != without
        },
        "calendars": {
            one.name: (text(one.text), {year: text(days) for year, days in one.closed if days.mark != without})
            for one in document.calendars
            if one.mark != without
        },
    }


@given(DOCUMENTS, DOCUMENTS)
def test_without_what_was_removed_it_is_the_later_document_and_without_what_was_added_the_earlier(before, after):
    found = marked(before, after)
    assert said_by(found, "after", Mark.REMOVED) == said(after)
    assert said_by(found, "before", Mark.ADDED) == said(before)
    # And the later one in its order.
    sides = [section for section in found.promises if section.mark != Mark.REMOVED]
    codes = [(side.party, [one.code for one in side.clauses if one.mark != Mark.REMOVED]) for side in sides]
    assert codes == [(party, [clause.code for clause in clauses]) for party, clauses in after.promises]


@given(TEXTS, TEXTS)
def test_pieces_that_are_kept_and_others_take_turns_and_none_is_blank(before, after):
    pieces = marked(page(covers=before), page(covers=after)).covers.pieces
    assert all((one.mark == Mark.KEPT) != (other.mark == Mark.KEPT) for one, other in pairwise(pieces))
    assert all(piece.before or piece.after for piece in pieces)


@given(DOCUMENTS)
def test_nothing_is_marked_without_an_earlier_document_or_against_the_same_one(document):
    alone = marked(None, document)
    assert alone == marked(document, document)
    assert {piece.mark for line in every_line(alone) for piece in line.pieces} == {Mark.KEPT}
    assert all(clause.mark == Mark.KEPT for section in alone.promises for clause in section.clauses)
