"""What changed, on the page that is read and signed: marked in the document, and in a table before and after."""

import re
from datetime import UTC, date, datetime
from html import unescape

import pytest
import time_machine
from django.template.loader import render_to_string

from agreements import signoff
from agreements.marks import marked
from agreements.models import Version
from tests.agreements.test_marks import page as document
from tests.conftest import MONDAY, agree, make_commitment

LATER = datetime(2025, 4, 1, 9, tzinfo=UTC)


@pytest.fixture
def second(version, rita) -> Version:
    """Version 2, drafted from version 1, which is in force; it asks for fewer leads."""
    draft = signoff.new_draft_from(version, by=rita, now=LATER)
    draft.commitments.filter(kind="volume").update(target=45)
    return draft


@pytest.fixture
def shown(client):
    """The page of a version as somebody reads it in April 2025, with plain blanks."""

    def read(user, version: Version, on: datetime = LATER) -> str:
        client.force_login(user)
        with time_machine.travel(on, tick=False):
            response = client.get(version.get_absolute_url())
        assert response.status_code == 200
        return response.content.decode().replace("\xa0", " ")

    return read


MARKED = '<del><span class="unseen">was </span>50</del> <ins><span class="unseen">now </span>45</ins>'


def test_what_is_to_be_signed_is_marked_against_what_is_in_force(second, rita, sofia, shown):
    second = signoff.propose(second, by=rita, now=LATER)
    text = shown(sofia, second)
    assert re.search(r'Changes since <a href="[^"]*/versions/1/">version 1</a>, in force, are marked\.', text)
    assert f"hand over at least {MARKED} qualified leads a month" in text
    table = text[text.index("What changes") :]
    assert '<span class="was" lang="en">50 a month</span>' in table
    assert '<span class="now" lang="en">45 a month</span>' in table
    assert table.index("Version 1") < table.index("Version 2")


def test_a_draft_is_marked_for_revops(second, rita, shown):
    assert MARKED in shown(rita, second)


def test_a_version_that_is_agreed_is_marked_until_it_is_in_force(second, rita, max_, sofia, shown):
    second.wanted_from = date(2025, 6, 1)
    second.save()
    second = agree(second, by=rita, marketing=max_, sales=sofia, now=LATER)
    assert MARKED in shown(sofia, second)
    for version in (second, second.based_on):
        text = shown(sofia, version, on=datetime(2025, 7, 1, tzinfo=UTC))
        assert "<del>" not in text
        assert "What changes" not in text


def test_where_nothing_is_in_force_nothing_is_marked(draft, rita, sofia, shown):
    text = shown(sofia, signoff.propose(draft, by=rita, now=MONDAY))
    assert "<del>" not in text
    assert "<ins>" not in text
    assert "Changes since" not in text


def test_a_draft_that_changes_nothing_says_so(version, rita, shown):
    draft = signoff.new_draft_from(version, by=rita, now=LATER)
    draft.wanted_from, draft.note = date(2025, 1, 1), version.note
    draft.save()
    text = shown(rita, draft)
    assert "It says the same as <a" in text
    assert "What changes" not in text


def test_a_new_and_a_dropped_promise_say_so_in_a_word(second, rita, shown):
    second.commitments.filter(kind="first_response").update(code="other", title="Call at once")
    text = shown(rita, second)
    assert '<li id="other" class="added"><span class="chip ok" lang="en">New</span> <ins><b>Call at once</b>' in text
    assert '<li class="removed"><span class="chip" lang="en">Dropped</span> <del><b>first_response</b>' in text
    assert text.count('id="first-response"') == 0


def test_what_people_wrote_is_escaped_in_marks_and_in_the_table(second, rita, shown):
    second.commitments.update(title="<i>Soon</i>", consequence="<script>alert(1)</script>")
    second.note = "<b>Why</b>"
    second.save()
    make_commitment(second, "acceptance", title="<u>New</u>")
    text = shown(rita, second)
    assert not re.search(r"<(i|u|script)>", text)
    assert "&lt;script&gt;alert(1)" in text[text.index("What changes") :]
    assert "&lt;u&gt;New" in text


def test_a_line_is_either_text_to_the_letter_but_for_the_blank_between_the_two():
    before, after = "(at 9:00, “Office”) for all & each.", "(at 8:00) for all & some of each."
    line = marked(document(covers=before), document(covers=after)).covers
    html = render_to_string("agreements/_line.html", {"line": line})
    text = re.sub(r'<span class="unseen">\w+ </span>', "", html).replace("</del> <ins>", "</del><ins>")
    assert unescape(re.sub("<del>.*?</del>|</?ins>", "", text)) == after
    assert unescape(re.sub("<ins>.*?</ins>|</?del>", "", text)) == before
