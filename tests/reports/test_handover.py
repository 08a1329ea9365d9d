"""The hand-over as marketing sees it: the pace, what sales made of it with lists behind each number, and what waits."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from agreements import signoff
from agreements.models import Agreement
from leads import disputes, tracking
from leads.models import Disposition, Handoff, ReasonCode
from leads.periods import parse
from reports import handover, pace_chart, scorecards
from slaportal import roles
from slaportal.models import Party, Team
from tests.conftest import MONDAY, agree, make_user, receive
from tests.leads.conftest import text_of
from tests.reports.conftest import MARCH, MET, MISSED, make_clock, make_handoff

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def monday():
    """It is Monday, 10:00 in Berlin."""
    with time_machine.travel(MONDAY, tick=False):
        yield


# --- The pace, without a database ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delivered", "owed", "due", "is_over", "said"),
    [
        (18, 50, Fraction(91, 5), False, "Behind pace by 1: 19 were due by now."),
        (19, 50, Fraction(91, 5), False, "On pace: 19 were due by now."),
        (49, 50, Fraction(50), True, "Missed by 1: 50 were due."),
        (50, 50, Fraction(50), True, "Kept: 50 were due."),
        (7, None, Fraction(0), False, "No target is agreed."),
    ],
)
def test_the_verdict_counts_whole_leads(delivered, owed, due, is_over, said):
    assert handover.in_words(delivered, owed, due, is_over=is_over) == said


def test_both_lines_are_drawn_to_one_scale_and_end_where_they_are():
    chart = pace_chart.draw([5, 5, 10], [Fraction(5 * n) for n in range(1, 5)], days=4, passed=Fraction(5, 2))
    assert chart.expected == "0,1000 250,750 500,500 750,250 1000,0"
    assert chart.delivered == "0,1000 250,750 500,750 625,500"  # the running day is half over
    assert chart.area.endswith("625,500 625,1000")
    assert chart.now_x == 625
    assert [(tick.y, tick.text) for tick in chart.ticks] == [(0, "20"), (500, "10")]


def test_a_month_that_is_over_has_no_now_and_labels_never_lie_upon_each_other():
    chart = pace_chart.draw([49], [Fraction(50)], days=1, passed=Fraction(1))
    assert chart.now_x is None
    assert [tick.text for tick in chart.ticks] == ["50"]
    nothing = pace_chart.draw([], None, days=30, passed=Fraction(0))
    assert (nothing.expected, nothing.ticks) == ("", [])
    assert [mark.text for mark in nothing.marks] == ["1", "8", "15", "22", "29"]


# --- The pace, from clocks ----------------------------------------------------------------------------------------


def at(day: int, hour: int = 10) -> datetime:
    return datetime(2025, 3, day, hour, tzinfo=UTC)


MIDDLE = at(16, 11)


def of(version, now=MIDDLE, by="source", month=MARCH):
    return handover.of(version.agreement, month, by=by, now=now)


@pytest.mark.django_db
def test_the_line_counts_what_the_scorecard_counts_by_the_agreements_days(version):
    volume = version.commitments.get(kind="volume")
    for day, hour, state in ((3, 10, MET), (3, 22, MET), (3, 23, MET), (5, 10, MISSED), (5, 10, MET)):
        make_clock(make_handoff(version, qualified_at=at(day, hour)), volume, state)
    make_clock(make_handoff(version, qualified_at=at(1) - 2 * DAY), volume, MET)
    (pace,) = of(version).paces
    # 23:00 UTC is the next day in Berlin.
    assert [(one.day.day, one.delivered) for one in pace.days if one.delivered] == [(3, 2), (4, 1), (5, 1)]
    card = scorecards.compute(version.agreement, MARCH, now=at(16))
    assert pace.delivered == next(row["met"] for row in card["commitments"] if row["kind"] == "volume") == 4
    assert (pace.target, pace.is_behind) == ("50", True)
    assert pace.verdict == "Behind pace by 21: 25 were due by now."
    assert len(pace.days) == 16 and pace.days[-1].due == "25.8"


@pytest.mark.django_db
def test_two_versions_in_a_month_make_one_line_each_with_its_own_days(version, rita, max_, sofia):
    second = signoff.new_draft_from(version, by=rita, now=MONDAY)
    second.wanted_from = date(2025, 3, 17)
    second.save()
    second.commitments.filter(kind="volume").update(target=93)
    agree(second, by=rita, marketing=max_, sales=sofia)
    (pace,) = of(version, now=at(31, 23)).paces
    assert [number.name for number in pace.numbers] == ["version 1", "version 2"]
    assert [one.due for one in pace.days[15:17]] == ["25.8", "28.8"]
    assert pace.target == "70.8"  # 16 days of 50, and 15 of 93


@pytest.mark.django_db
def test_a_month_before_the_agreement_promises_nothing(version):
    shown = of(version, month=parse("2024-11"))
    assert (shown.paces, shown.groups, shown.total.total.count) == ([], [], 0)


# --- What sales made of it ----------------------------------------------------------------------------------------


def decide(handoff: Handoff, verdict: str, code: str = "", *, by, now=MONDAY, **fields) -> None:
    reason = ReasonCode.objects.get(code=code) if code else None
    tracking.dispose([tracking.Decision(handoff, verdict, reason, **fields)], by=by, now=now)
    handoff.refresh_from_db()


@pytest.fixture
def reasons(db) -> tuple[str, str]:
    """Two reasons that fit both verdicts and need no attempts; only the first is about quality."""
    for code, is_quality in (("unfit", True), ("timing", False)):
        ReasonCode.objects.create(code=code, label=code.title(), is_quality=is_quality, needs_contact=False)
    return "unfit", "timing"


@pytest.fixture
def month(version, ron, reasons):
    """Seven leads of March: of the demo two accepted, two rejected, one waits; one of a webinar recycled and one waits
    that is below the definition."""
    unfit, timing = reasons
    handoffs = receive(*"ABCDE", source="Demo", campaign="Spring & Co")
    handoffs += receive(*"FG", source="Webinar", campaign="")
    decide(handoffs[0], "accepted", by=ron)
    decide(handoffs[1], "accepted", by=ron)
    decide(handoffs[2], "rejected", unfit, by=ron)
    decide(handoffs[3], "rejected", by=ron)
    decide(handoffs[5], "recycled", timing, by=ron, back_on=MONDAY.date() + 20 * DAY)
    Handoff.objects.filter(pk=handoffs[6].pk).update(below_definition=True, failed_criteria=["score at least 80"])
    return handoffs


def numbers_of(shown: handover.Hand):
    for group in (shown.total, *shown.groups):
        yield from (group.total, *group.verdicts, *group.reasons)
    yield shown.below


def test_each_number_opens_to_exactly_its_rows(client, monday, month, version, vera):
    client.force_login(vera)
    for by in handover.DIMENSIONS:
        shown = of(version, by=by)
        assert shown.total.total.count == 7
        assert [number.count for number in shown.total.verdicts] == [2, 1, 2, 2]
        for number in numbers_of(shown):
            if number.count:
                listed = client.get(number.url)
                assert listed.status_code == 200, number.url
                assert listed.context["total"] == number.count, number.url
        page = client.get(reverse("handover"), {"by": by}).content.decode()
        assert all(escape(number.url) in page for number in numbers_of(shown) if number.count)


@pytest.mark.usefixtures("month")
def test_groups_come_with_their_reasons_the_largest_first_and_the_nameless_last(version):
    demo, webinar = of(version).groups
    assert (demo.value, demo.total.count, [one.count for one in demo.verdicts]) == ("Demo", 5, [2, 0, 2, 1])
    assert sorted((one.name, one.count) for one in demo.reasons) == [("Unfit", 1), ("no reason", 1)]
    assert [one.count for one in webinar.verdicts] == [0, 1, 0, 1]
    assert [one.value for one in of(version, by="campaign").groups] == ["Spring & Co", ""]


# --- What waits ---------------------------------------------------------------------------------------------------


def test_what_waits_between_the_two_stands_there_with_its_doors(
    client,
    monday,
    month,
    version,
    ron,
    max_,
    rita,
):
    question = disputes.ask(month[0], comment="Which product?", by=ron, now=MONDAY)
    client.force_login(max_)
    said = client.get(reverse("handover"))
    page = said.content.decode()
    assert "Which product?" in page and f"{month[0].get_absolute_url()}#answer_question" in page
    assert f"{month[2].get_absolute_url()}#dispute_decision" in page
    assert f"{month[3].get_absolute_url()}#dispute_decision" not in page  # not about quality
    assert "score at least 80" in page
    assert [one.handoff for one in of(version).back] == [month[5]]
    row = disputes.dispute(month[2], comment="It fits.", by=max_, now=MONDAY + HOUR)
    shown = of(version, now=MONDAY + HOUR)
    assert (shown.waiting, shown.disputable) == ([row], [])
    disputes.decide(row, answer="True.", upheld=True, by=rita, now=MONDAY + 2 * HOUR)
    disputes.answer(question, answer="Both.", by=max_, now=MONDAY + 2 * HOUR)
    shown = of(version, now=MONDAY + 3 * HOUR)
    assert (shown.waiting, shown.questions, shown.upheld, shown.stands) == ([], [], 1, 0)


@pytest.mark.usefixtures("month")
def test_what_was_decided_too_long_ago_or_came_back_is_left_out(version):
    assert len(of(version, now=MONDAY + DAY).disputable) == 1
    assert of(version, now=MONDAY + 40 * DAY).disputable == []
    recycled = Disposition.objects.get(verdict="recycled")
    assert of(version, now=MONDAY - 11 * DAY).back == []  # more than thirty days ahead
    Handoff.objects.create(
        lead=recycled.handoff.lead, number=2, agreement=version.agreement, version=version, qualified_at=MONDAY + DAY
    )
    assert of(version, now=MONDAY + DAY).back == []


# --- Whose, and the page ------------------------------------------------------------------------------------------


@pytest.fixture
def other(agreement, sales) -> Agreement:
    """An agreement of another marketing team."""
    team = Team.objects.create(name="Partners", party=Party.MARKETING)
    return Agreement.objects.create(name="Partner referrals", marketing_team=team, sales_team=sales)


def test_a_marketing_leader_sees_the_own_teams_agreements(client, monday, version, other, max_, vera):
    assert [one.name for one in handover.agreements(max_)] == ["DACH inbound"]
    Agreement.objects.filter(pk=version.agreement_id).update(marketing_team=other.marketing_team)
    assert not handover.agreements(max_).exists()
    assert [one.name for one in handover.agreements(vera)] == ["DACH inbound"]
    address = reverse("handover_month", args=[version.agreement_id, "2025-03"])
    client.force_login(max_)
    assert client.get(address).status_code == 404
    assert "No agreement is signed yet" in text_of(client.get(reverse("handover")))
    client.force_login(vera)
    assert client.get(address).status_code == 200


def test_earlier_months_have_an_address_and_others_have_none(client, monday, version, vera):
    client.force_login(vera)

    def page(key):
        return client.get(reverse("handover_month", args=[version.agreement_id, key]))

    assert "February 2025" in text_of(page("2025-02"))
    assert "No lead was handed over in February 2025" in text_of(page("2025-02"))
    assert "No number of leads was promised for this month" in text_of(page("2024-02"))
    for key in ("2025-04", "2025-Q1", "nonsense", "2025-13"):
        assert page(key).status_code == 404


def test_reps_and_managers_have_no_hand_over(client, version, ron, mona):
    for person in (ron, mona):
        client.force_login(person)
        assert client.get(reverse("handover")).status_code == 403
        assert "Handover" not in text_of(client.get(reverse("home")))


def test_the_page_asks_as_much_for_few_as_for_many(client, monday, version, ron, max_, reasons):
    client.force_login(max_)
    counts = []
    for number in range(2):
        for one in range(2 + 6 * number):
            rejected, open_, recycled, asked = receive(*(f"{number}-{one}-{n}" for n in range(4)), source=f"S{one}")
            decide(rejected, "rejected", reasons[0], by=ron)
            if one % 2:
                disputes.dispute(rejected, comment="It fits.", by=max_, now=MONDAY)
            decide(recycled, "recycled", reasons[1], by=ron, back_on=MONDAY.date() + DAY)
            disputes.ask(asked, comment="Which?", by=ron, now=MONDAY)
            Handoff.objects.filter(pk=open_.pk).update(below_definition=True, failed_criteria=["score"])
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("handover")).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] < 40


def test_roles_of_the_page_are_those_who_see_every_handoff(client, monday, version, rita, sofia, vera):
    for person in (rita, sofia, vera, make_user("new@example.com", roles.MARKETING_LEADER)):
        client.force_login(person)
        assert client.get(reverse("handover")).status_code == 200
