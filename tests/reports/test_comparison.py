"""Two scorecards side by side: what belongs together, and what cannot be compared."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from agreements.models import Agreement
from leads.periods import parse
from reports import comparison
from reports.evidence import Evidence
from reports.rendering import Edition
from tests.reports.conftest import MET, MISSED, NOW, make_clock, make_handoff
from tests.reports.test_sheet import ROW, VOLUME, card

LATER = {**ROW, "attainment": 0.95, "met": 19, "missed": 1, "kept": True, "median_seconds": 30.0}


def edition(*rows, agreement=1, key="2025-03", **overrides) -> Edition:
    return Edition(
        agreement=Agreement(pk=agreement, name="DACH inbound"),
        period=parse(key),
        name="",
        computed_at=datetime(2025, 5, 1, tzinfo=UTC),
        evidence=Evidence(agreement, key),
        read=lambda: card(*rows, **overrides),
        read_earlier=list,
    )


def pairs(here: Edition, there: Edition) -> list[comparison.Pair]:
    return [pair for _party, rows in comparison.compare(here, there).sides for pair in rows]


@pytest.mark.parametrize(
    ("here", "there", "difference", "tone"),
    [
        (LATER, ROW, "+7.5 points", "ok-text"),
        (ROW, LATER, "−7.5 points", "bad-text"),
        (ROW, ROW, "±0 points", ""),
        ({**ROW, "attainment": None, "kept": None}, ROW, "no data", ""),
        (ROW, {**ROW, "attainment": None, "kept": None}, "no data", ""),
        (ROW, {**ROW, "too_few": True}, "too few", ""),
        ({**VOLUME, "attainment": 1.06}, {**VOLUME, "attainment": 0.94}, "+12 points", "ok-text"),
    ],
)
def test_shares_differ_in_points_or_cannot_be_compared(here, there, difference, tone):
    (pair,) = pairs(edition(here), edition(there, key="2025-02"))

    assert (pair.difference, pair.tone) == (difference, tone)


def test_it_says_which_was_faster():
    (pair,) = pairs(edition(LATER), edition(ROW, key="2025-02"))
    (other,) = pairs(edition(ROW), edition(LATER, key="2025-02"))

    assert [one.faster.replace("\xa0", " ") for one in (pair, other)] == ["30 s faster", "30 s slower"]


def test_a_promise_of_one_side_only_stands_alone():
    found = pairs(edition(ROW), edition({**ROW, "code": "new", "kind": "acceptance", "pk": 9}, key="2025-02"))

    assert [(pair.difference, bool(pair.here), bool(pair.there)) for pair in found] == [
        ("not promised there", True, False),
        ("not promised here", False, True),
    ]


def test_promises_of_another_agreement_belong_together_by_their_kind():
    theirs = {**ROW, "code": "their-response", "title": "Call in an hour"}

    (pair,) = pairs(edition(ROW), edition(theirs, agreement=2))

    assert (pair.title, pair.their_title) == ("Contact within 4 hours", "Call in an hour")
    assert len(pairs(edition(ROW), edition(theirs, key="2025-02"))) == 2  # in one agreement the code decides


def test_of_two_versions_the_later_one_is_compared_first():
    old, new = {**ROW, "version": 1, "pk": 1}, {**ROW, "version": 2, "pk": 2}

    first, second = pairs(edition(old, new), edition({**ROW, "pk": 3}, key="2025-02"))

    assert (first.here.row["pk"], first.there, first.difference) == (1, None, "stands beside another version")
    assert [pair.title for pair in (first, second)] == [
        "Contact within 4 hours (version 1)", "Contact within 4 hours (version 2)"
    ]  # fmt: skip
    assert (second.here.row["pk"], second.there.row["pk"]) == (2, 3)


def test_what_came_of_the_handoffs_opens_to_the_lists_of_both():
    one = edition(ROW, handoffs=12)
    found = comparison.compare(one, replace(edition(ROW, key="2025-02"), evidence=Evidence(1, "2025-02"))).counted

    assert (found[0].here.count, found[0].there.count, found[0].difference) == (12, 10, "+2")
    assert found[1].there.url == "/handoffs/?agreement=1&period=2025-02&outcome=meeting"


@pytest.mark.parametrize(
    ("key", "before"),
    [
        ("2025-03", "2024-03"),
        ("2024-02", "2023-02"),
        ("2025-Q1", "2024-Q1"),
        ("2025-W10", "2024-W10"),
        ("2020-W53", "2019-W52"),
        ("2024-02-29..2024-03-02", "2023-02-28..2023-03-02"),
    ],
)
def test_a_year_earlier_is_the_same_part_of_the_year(key, before):
    assert comparison.year_before(parse(key)).key == before


@pytest.mark.django_db
class TestPages:
    """The pages of both."""

    @pytest.fixture(autouse=True)
    def fifth_of_may(self, time_machine):
        time_machine.move_to(NOW, tick=False)

    @pytest.fixture
    def history(self, version, response, ron):
        for state in (MET, MET, MISSED, MET, MET):
            make_clock(make_handoff(version, ron), response, state)
        return version.agreement

    def test_it_is_compared_with_the_period_before_a_year_earlier_and_other_agreements(
        self, client, vera, history, version
    ):
        other = Agreement.objects.create(
            name="Partners", marketing_team=history.marketing_team, sales_team=history.sales_team
        )
        make_handoff(version, agreement=other)
        address = reverse("compare_scorecards", args=[history.pk, "2025-03"])
        client.force_login(vera)

        said = [client.get(address, {"with": chosen}).content.decode() for chosen in ("previous", "year", other.pk)]

        assert "March 2025 beside February 2025" in said[0] and "no data" in said[0]
        assert "March 2025 beside March 2024" in said[1]
        assert "DACH inbound beside Partners" in said[2] and "not promised there" in said[2]
        assert client.get(address, {"with": "nobody"}).status_code == 404

    def test_two_dimensions_are_crossed_as_the_address_says_and_every_cell_opens(
        self, client, vera, history, response, ron
    ):
        address = reverse("cross", args=[history.pk, "2025-03"])
        client.force_login(vera)

        asked = {"commitment": response.pk, "rows": "weekday", "columns": "rep"}
        table = client.get(address, asked).context["table"]

        assert table.columns == [ron.name]
        ((day, (cell,), total),) = table.rows
        assert (day, cell.attained.replace("\xa0", " "), total.attained) == ("Wednesday", "80 %", cell.attained)
        for number in [*cell.numbers, *total.numbers, *table.total.numbers]:
            assert client.get(number.url).context["shown"] == number.count

    def test_a_cross_that_makes_no_sense_is_explained(self, client, vera, history):
        client.force_login(vera)
        address = reverse("cross", args=[history.pk, "2025-03"])

        same = client.get(address, {"rows": "rep", "columns": "rep"})
        unknown = client.get(address, {"rows": "colour"})

        assert (same.status_code, unknown.status_code) == (422, 422)
        assert "two different dimensions" in same.content.decode()

    @pytest.mark.parametrize("name", ["compare_scorecards", "cross", "scorecard_pdf"])
    def test_a_rep_sees_none_of_it(self, client, ron, history, name):
        client.force_login(ron)
        assert client.get(reverse(name, args=[history.pk, "2025-03"])).status_code == 403
