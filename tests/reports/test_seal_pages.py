"""The pages of sealed months: what stands, what was open, what would now read otherwise, and the handoffs behind it."""

import csv
import io
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from leads import answers, timekeeping
from leads.models import Clock, Handoff
from leads.periods import parse
from leads.tracking import NewOutcome, record_outcomes
from reports import drawing, rendering, sealed_editions, sealing
from reports.sealed_evidence import SealedEvidence
from reports.sealed_lists import SealedList
from reports.seals import Seal
from slaportal.refusal import Refused
from tests.conftest import MONDAY, receive
from tests.reports.sealed import DAY, HOUR, LATER, MARCH, called, promise_more, seal_march, tell_march

pytestmark = pytest.mark.django_db

STATES = ("met", "missed", "open", "excluded")


@pytest.fixture
def draft(draft):
    return promise_more(draft)


@pytest.fixture
def handoffs(version, ron, ruth) -> list[Handoff]:
    return tell_march(ron, ruth)


@pytest.fixture
def march(handoffs) -> Seal:
    return seal_march()


def text_of(response) -> str:
    return re.sub(r"\s+", " ", strip_tags(response.content.decode().replace("\N{NO-BREAK SPACE}", " ")))


def seals_url(agreement) -> str:
    return reverse("seals", args=[agreement.pk, "2025-03"])


def test_every_number_of_a_sealed_card_opens_to_as_many_handoffs_whatever_became_of_them(march, handoffs, version):
    called(handoffs[3], MONDAY + HOUR, now=LATER)
    evidence = SealedEvidence(march.agreement_id, march.key, march.number)

    def count(**chosen) -> int:
        query = evidence.url(**chosen).partition("?")[2]
        asked = dict(part.split("=") for part in query.split("&")) if query else {}
        return len(SealedList(march, {name: value.replace("+", " ") for name, value in asked.items()}).ids)

    assert count() == march.data["handoffs"] == 4
    for row in march.data["commitments"]:
        pk = row["pk"]
        for state in STATES:
            assert count(commitment=pk, state=state) == row[state]
        for rule, number in row["excluded_by"].items():
            assert count(commitment=pk, state="excluded", rule=rule) == number
        assert count(commitment=pk, state="missed", answered="no") == row["unanswered"]
        for dimension, groups in row["by"].items():
            for group in groups:
                for state in STATES:
                    assert count(commitment=pk, state=state, **{dimension: group["id"]}) == group[state], dimension
        for source in row["weeks"]:
            for cell in source["cells"]:
                assert count(commitment=pk, state="met", source=source["id"], week=cell["week"]) == cell["met"]
    assert count(outcome="opportunity") == march.data["outcomes"]["opportunities"] == 1
    assert count(version=1) == 4
    assert [count(verdict=word) for word in ("accepted", "rejected", "undecided")] == [1, 1, 2]


def test_what_was_answered_before_the_sealing_is_sealed_as_answered(handoffs, version, ruth):
    clock = Clock.objects.get(handoff=handoffs[3], commitment=version.commitments.get(kind="first_response"))
    answers.answer(clock, cause="Ill", action="Cover", by=ruth, now=LATER)
    march = seal_march(now=LATER + 4 * HOUR)
    row = next(row for row in march.data["commitments"] if row["kind"] == "first_response")
    asked = {"commitment": str(row["pk"]), "state": "missed"}
    assert row["missed"] - row["unanswered"] == 1
    assert SealedList(march, {**asked, "answered": "yes"}).ids == [handoffs[3].pk]
    assert len(SealedList(march, {**asked, "answered": "no"}).ids) == row["unanswered"]


@pytest.mark.parametrize(
    "chosen",
    [{"nonsense": "1"}, {"state": "lost"}, {"rule": "none"}, {"week": "soon"}, {"version": "x"}, {"verdict": "won"},
     {"outcome": "fame"}, {"commitment": "all"}, {"rep": "him"}, {"weekday": "Monday"}],
    ids=str,
)  # fmt: skip
def test_a_choice_that_no_sealed_list_knows_is_refused_with_a_sentence(chosen, march, client, vera):
    with pytest.raises(Refused):
        SealedList(march, chosen)
    client.force_login(vera)
    place = reverse("sealed_handoffs", args=[march.agreement_id, march.key, 1])
    response = client.get(f"{place}?{urlencode(chosen)}")
    assert response.status_code == 400
    assert "Show all of the month" in text_of(response)


def test_the_list_of_a_sealed_number_says_what_each_was_and_would_now_be(march, handoffs, version, client, vera):
    promise = version.commitments.get(kind="first_response")
    called(handoffs[3], None, now=LATER)
    Clock.objects.filter(handoff=handoffs[1], commitment=promise).update(state=Clock.State.MET)
    client.force_login(vera)
    evidence = SealedEvidence(march.agreement_id, march.key, 1)
    said = text_of(client.get(evidence.url(commitment=promise.pk, state="missed")))
    assert "3 handoffs" in said
    assert said.count("cancelMissed") == 3
    assert said.count("would now be met") == 1
    assert "Ron" in said and "Ruth" in said


def test_a_manager_sees_of_a_sealed_number_the_handoffs_of_the_own_teams(march, client, mona, sales):
    client.force_login(mona)
    place = reverse("sealed_handoffs", args=[march.agreement_id, march.key, 1])
    assert "You may see" not in text_of(client.get(place))
    Handoff.objects.update(team=None)
    said = text_of(client.get(place))
    assert "You may see 0 of 4" in said


def test_a_rep_sees_no_seal(march, client, ron):
    client.force_login(ron)
    place = [march.agreement_id, march.key, 1]
    places = [seals_url(march.agreement), march.get_absolute_url(), SealedEvidence(*place).url(),
              reverse("sealed_changes", args=place)]  # fmt: skip
    assert {client.get(place).status_code for place in places} == {403}


def test_the_page_of_a_month_that_is_not_sealed_says_when_it_closes(version, client, vera):
    client.force_login(vera)
    said = text_of(client.get(seals_url(version.agreement)))
    assert "Not sealed yet" in said
    assert "It closes on 7 Apr 2025, 17:30" in said
    assert "Restate" not in said


def test_a_quarter_is_never_sealed_and_says_so(march, client, vera):
    client.force_login(vera)
    assert "Months are sealed" in text_of(client.get(reverse("seals", args=[march.agreement_id, "2025-Q1"])))


def test_revops_restates_on_the_page_and_both_are_readable_with_what_changed(
    march, handoffs, client, rita, time_machine
):
    time_machine.move_to(LATER, tick=False)
    called(handoffs[1], MONDAY + HOUR, now=MONDAY + HOUR)
    client.force_login(rita)
    assert "Why it is restated" in text_of(client.get(seals_url(march.agreement)))
    place = reverse("restate_scorecard", args=[march.agreement_id, march.key])
    refused = client.post(place, {"reason": " "})
    assert refused.status_code == 422

    response = client.post(place, {"reason": "The telephone system lost a call"}, follow=True)

    said = text_of(response)
    assert "restated on" in said and "by Rita" in said
    assert "The telephone system lost a call" in said
    assert "What the restatement changed" in said
    assert "first_response, met12" in said  # before and after, in two cells
    old = text_of(client.get(march.get_absolute_url()))
    assert "This month was restated since" in old
    both = text_of(client.get(seals_url(march.agreement)))
    assert "2 seals" in both and "by itself" in both and march.digest in both


def test_two_clicks_restate_once(march, client, rita, time_machine):
    time_machine.move_to(LATER, tick=False)
    client.force_login(rita)
    assert 'name="after" value="1"' in client.get(seals_url(march.agreement)).content.decode()
    place = reverse("restate_scorecard", args=[march.agreement_id, march.key])
    first, second = (client.post(place, {"reason": "A lost call", "after": "1"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (302, 422)
    assert "Somebody has restated March 2025 meanwhile; look at it first." in text_of(second)
    assert 'name="after" value="2"' in second.content.decode()
    assert Seal.objects.count() == 2


def test_the_trend_of_a_later_month_says_what_an_earlier_one_was_restated_to(march, handoffs, rita, ron):
    (begun,) = receive(
        "L9", now=MONDAY + 35 * DAY, received_at=MONDAY + 35 * DAY, owner=ron.email, email="9@example.com"
    )
    begun.refresh_from_db()
    called(begun, MONDAY + 35 * DAY + HOUR)
    sealing.seal_due(now=datetime(2025, 5, 20, tzinfo=UTC))
    april = sealed_editions.standing(march.agreement, parse("2025-04"), now=LATER)

    def drawn() -> bytes:
        return rendering.parts(april, [drawing.HEAD], draw=drawing.part, now=LATER)[drawing.HEAD]

    before = drawn()
    called(handoffs[1], MONDAY + HOUR, now=MONDAY + HOUR)
    timekeeping.tick(now=LATER)
    sealing.restate(march.agreement, march.period, reason="A lost call", by=rita, now=LATER)
    assert drawn() != before


def test_only_revops_may_restate(march, client, sofia):
    client.force_login(sofia)
    place = reverse("restate_scorecard", args=[march.agreement_id, march.key])
    assert client.post(place, {"reason": "x"}).status_code == 403
    assert "Why it is restated" not in text_of(client.get(seals_url(march.agreement)))


def test_the_notice_names_what_was_open_and_what_would_now_read_otherwise_with_the_handoffs(
    march, handoffs, client, vera, version
):
    called(handoffs[3], LATER, now=LATER)
    from reports import scorecards

    scorecards.store(march.agreement, MARCH, now=LATER)
    notice = sealed_editions.notice(march.agreement, MARCH, user=vera, now=LATER)
    assert {one.title: one.number.count for one in notice.open} == {
        row["title"]: row["open"] for row in march.data["commitments"] if row["open"]
    }
    change = next(one for one in notice.changes if one.why)
    client.force_login(vera)
    said = text_of(client.get(change.why[0].url))
    assert f"{change.why[0].count} handoff" in said
    assert change.why[0].words in said


def test_addresses_of_what_is_not_there_are_404(march, client, vera):
    client.force_login(vera)
    for place in (
        reverse("seal", args=[march.agreement_id, "2025-03", 9]),
        reverse("seal", args=[march.agreement_id, "2025-02", 1]),
        reverse("seals", args=[march.agreement_id, "soon"]),
        reverse("seals", args=[999, "2025-03"]),
    ):
        assert client.get(place).status_code == 404


def test_trends_show_what_was_sealed_of_the_months_before(march, handoffs, rita):
    from reports import scorecards

    agreement = march.agreement
    scorecards.store(agreement, MARCH, now=LATER)
    called(handoffs[3], MONDAY + HOUR, now=LATER)
    scorecards.store(agreement, MARCH, now=LATER)
    assert sealed_editions.earlier(agreement, MARCH.next)[-1] == march.data
    assert sealed_editions.standing(agreement, MARCH, now=LATER).read() == march.data
    assert sealing.latest(agreement, MARCH.previous) is None


def exported(client, march, **chosen: object) -> list[dict[str, str]]:
    place = reverse("export_sealed", args=[march.agreement_id, march.key, 1, "csv"])
    response = client.get(place, chosen)
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_sealed_list_leaves_as_it_was_sealed_and_says_what_would_be_now(march, version, client, vera, mona, handoffs):
    promise = version.commitments.get(kind="first_response")
    Clock.objects.filter(handoff=handoffs[1], commitment=promise).update(state=Clock.State.MET)
    client.force_login(vera)
    rows = exported(client, march, commitment=promise.pk, state="missed")
    assert [row["Sealed as"] for row in rows] == ["missed"] * 3
    assert sorted(row["Would now be"] for row in rows) == ["", "", "met"]
    assert {row["Id there"] for row in rows} == {"L2", "L3", "L4"}
    assert len(exported(client, march)) == 4
    client.force_login(mona)
    Handoff.objects.update(team=None)
    assert exported(client, march) == []
    place = reverse("export_sealed", args=[march.agreement_id, march.key, 1, "csv"])
    assert client.get(place, {"nonsense": 1}).status_code == 302


def test_who_waited_and_how_long_it_took_open_to_what_was_sealed(march, handoffs, version):
    called(handoffs[3], MONDAY + HOUR, now=LATER)

    def count(**chosen) -> int:
        return len(SealedList(march, {name: str(value) for name, value in chosen.items()}).ids)

    for delay in ("system", "human", "felt"):
        for wait, key in (("over", "count"), ("waiting", "waiting"), ("not_started", "not_started"),
                          ("excluded", "excluded")):  # fmt: skip
            assert count(delay=delay, wait=wait) == march.data["delays"][delay][key], (delay, wait)
    evidence = SealedEvidence(march.agreement_id, march.key, 1)
    row = next(row for row in march.data["commitments"] if row["kind"] == "first_response")
    numbers = [*evidence.took(row), evidence.unstopped(row)]
    assert sum(number.count for number in numbers) == 4 - row["excluded"] and row["distribution"]
    for number in numbers:
        assert count(**dict(parse_qsl(urlsplit(number.url).query))) == number.count


def test_months_of_a_sealed_card_open_to_what_was_known_then(march, handoffs, client, vera):
    late = NewOutcome(handoffs[1], "opportunity", at=MONDAY + HOUR, amount=5)
    record_outcomes([late], by=None, now=LATER, from_system=True)
    month = SealedEvidence(march.agreement_id, march.key, 1, march.known_at).of_period(march.key)
    client.force_login(vera)
    url = month.url(outcome="opportunity", within=30)
    assert client.get(url).context["shown"] == 1
    assert client.get(re.sub("&known=[^&]*", "", url)).context["shown"] == 2
