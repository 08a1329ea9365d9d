"""Outcomes beside compliance: counted as a plain loop counts, compared within the same source and segment (N11)."""

import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements.models import Version
from leads.filters import VERDICTS, HandoffFilter
from leads.models import Clock, Handoff, Outcome
from reports import beside
from tests.conftest import agree, make_commitment
from tests.reports.conftest import (
    EXCLUDED,
    MARCH,
    MET,
    MIDMARCH,
    MISSED,
    NOW,
    OPEN,
    make_clock,
    make_handoff,
    make_outcome,
)

pytestmark = pytest.mark.django_db


def march(version: Version) -> list[dict]:
    zone = version.agreement.zone
    return beside.measure(version.agreement, MARCH.start(zone), MARCH.end(zone))


def deliver(version, response, state, number, *, meetings=0, **overrides) -> list[Handoff]:
    """So many handoffs of one verdict, of which the first had a meeting."""
    handoffs = [make_handoff(version, **overrides) for _ in range(number)]
    for place, handoff in enumerate(handoffs):
        make_clock(handoff, response, state)
        if place < meetings:
            make_outcome(handoff, "meeting")
    return handoffs


def test_met_and_missed_stand_side_by_side_with_their_rates_and_intervals(version, response):
    deliver(version, response, MET, 10, meetings=4)
    deliver(version, response, MISSED, 20, meetings=2)
    deliver(version, response, OPEN, 3, meetings=3)
    deliver(version, response, EXCLUDED, 3, meetings=3)

    (found,) = march(version)

    assert (found["pk"], found["code"], found["version"]) == (response.pk, "first-response", 1)
    met, missed = found["rows"]
    assert [met[key] for key in ("state", "count", "meetings", "meeting_rate")] == ["met", 10, 4, 0.4]
    assert [missed[key] for key in ("state", "count", "meetings", "meeting_rate")] == ["missed", 20, 2, 0.1]
    assert (met["low"], met["high"]) == (pytest.approx(0.1682, abs=1e-4), pytest.approx(0.6873, abs=1e-4))
    assert found["difference"]["meeting_rate"]["value"] == pytest.approx(0.3)
    assert found["difference"]["meeting_rate"]["low"] < 0.3 < found["difference"]["meeting_rate"]["high"]
    assert json.loads(json.dumps(found)) == found


def test_where_kept_promises_lie_in_better_sources_the_crude_difference_is_not_what_is_said(version, response):
    """Within each source it makes no difference; over both it seems to."""
    for source, rate, met, missed in (("Demo", 0.5, 40, 10), ("List", 0.1, 10, 40)):
        deliver(version, response, MET, met, meetings=int(met * rate), source=source)
        deliver(version, response, MISSED, missed, meetings=int(missed * rate), source=source)

    (found,) = march(version)

    assert [row["meeting_rate"] for row in found["rows"]] == [21 / 50, 9 / 50]
    assert found["difference"]["meeting_rate"]["value"] == pytest.approx(0)
    assert [row["source"] for row in found["strata"]] == ["Demo", "List"]
    assert [row["difference"]["meeting_rate"]["value"] for row in found["strata"]] == [pytest.approx(0)] * 2
    assert found["compared"] == {"strata": 2, "met": 50, "missed": 50, "left_out": 0}


def test_a_stratum_that_is_too_small_or_has_only_one_verdict_says_so_and_is_not_compared(version, response):
    minimum = version.minimum_group
    deliver(version, response, MET, minimum, meetings=1, source="One verdict")
    deliver(version, response, MET, minimum - 2, meetings=1, source="Small")
    deliver(version, response, MISSED, 1, source="Small")
    nothing = dict.fromkeys(beside.RATES.values())

    (found,) = march(version)

    assert [(row["source"], row["too_few"], row["difference"]) for row in found["strata"]] == [
        ("One verdict", True, nothing),
        ("Small", True, nothing),
    ]
    assert found["difference"] == nothing
    assert found["compared"] == {"strata": 0, "met": 0, "missed": 0, "left_out": 2 * minimum - 1}
    assert [row["too_few"] for row in found["rows"]] == [False, True]

    deliver(version, response, MISSED, 1, source="Small")
    (found,) = march(version)
    assert [row["too_few"] for row in found["strata"]] == [True, False]
    assert found["difference"]["meeting_rate"]["value"] == pytest.approx(1 / (minimum - 2))


def test_each_stage_is_of_all_and_of_those_that_came_to_the_one_before(version, response):
    handoffs = deliver(version, response, MET, 8, meetings=4)
    for handoff in handoffs[:6]:
        Handoff.objects.filter(pk=handoff.pk).update(stage="sal")
    for handoff in (*handoffs[2:4], handoffs[7]):  # the last came to an opportunity without a meeting
        make_outcome(handoff, "opportunity", amount=Decimal("1000.10"))
    make_outcome(handoffs[2], "won", amount=Decimal("900"))

    (found,) = march(version)
    met, _ = found["rows"]

    assert [(one["stage"], one["count"], one["of"]) for one in met["stages"]] == [
        ("accepted", 6, 8),
        ("meeting", 4, 8),
        ("opportunity", 3, 8),
        ("won", 1, 8),
    ]
    assert [(one["step_count"], one["step_of"]) for one in met["stages"]] == [(6, 8), (4, 6), (2, 4), (1, 2 + 1)]
    assert met["pipeline"] == 3000.3
    assert met["won_rate"] == 1 / 8


def test_what_was_voided_counts_for_nothing(version, response):
    (handoff,) = deliver(version, response, MET, 1)
    make_outcome(handoff, "opportunity", amount=Decimal(5), voided_at=NOW)
    (found,) = march(version)
    assert (found["rows"][0]["opportunities"], found["rows"][0]["pipeline"]) == (0, 0)


def test_only_timed_promises_of_sales_are_compared(draft, rita, max_, sofia):
    make_commitment(draft, "acceptance")
    make_commitment(draft, "reasons_documented")
    make_commitment(draft, "routing")
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    handoff = make_handoff(version)
    for commitment in version.commitments.all():
        make_clock(handoff, commitment, MET)
    assert [row["code"] for row in march(version)] == ["first-response", "acceptance"]


def test_of_handoffs_of_another_period_or_clocks_that_do_not_decide_nothing_is_said(version, response):
    make_clock(make_handoff(version, qualified_at=MIDMARCH + timedelta(days=30)), response, MET)
    handoff = make_handoff(version)
    make_clock(handoff, response, MET, decides=False)
    make_clock(handoff, response, MISSED, subject=1)
    (found,) = march(version)
    assert [row["count"] for row in found["rows"]] == [0, 1]


def test_no_handoffs_are_no_figures(version):
    assert march(version) == []


def test_each_number_opens_to_as_many_handoffs(version, response, vera):
    handoffs = deliver(version, response, MET, 5, meetings=2) + deliver(version, response, MISSED, 4, meetings=1)
    for handoff, stage in zip(handoffs, ("sql", "sal", "rejected", "mql", "won", "lost"), strict=False):
        Handoff.objects.filter(pk=handoff.pk).update(stage=stage)
    (found,) = march(version)
    base = {"agreement": version.agreement_id, "period": MARCH.key, "commitment": response.pk}
    for row in found["rows"]:
        for asked, count in (
            ({}, row["count"]),
            ({"outcome": "meeting"}, row["meetings"]),
            ({"verdict": "accepted"}, row["accepted"]),
        ):
            data = {**base, "state": row["state"], **asked}
            assert HandoffFilter(data, queryset=Handoff.objects.all(), user=vera).qs.count() == count
    assert [row["accepted"] for row in found["rows"]] == [3, 1]


# Any history ---------------------------------------------------------------------------------------------------------

KINDS = ("meeting", "opportunity", "won", "lost")
histories = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(["", "Demo", "List"]),
            "segment": st.sampled_from(["", "Large"]),
            "state": st.sampled_from([MET, MISSED, OPEN, EXCLUDED]),
            "stage": st.sampled_from(["mql", "sal", "sql", "won", "rejected"]),
            "came": st.sets(st.sampled_from(KINDS)),
            "cents": st.integers(0, 10**9) | st.none(),
        }
    ),
    max_size=15,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=histories)
def test_a_plain_loop_counts_the_same(version, response, told):
    for model in (Clock, Outcome, Handoff):
        model.objects.all().delete()
    for one in told:
        handoff = make_handoff(version, source=one["source"], segment=one["segment"], stage=one["stage"])
        make_clock(handoff, response, one["state"])
        for kind in one["came"]:
            amount = None if one["cents"] is None else Decimal(one["cents"]) / 100
            make_outcome(handoff, kind, amount=amount)
    expected: dict[tuple, Counter] = {}
    for one in told:
        if one["state"] not in (MET, MISSED):
            continue
        state = Clock.State(one["state"]).label
        counts = expected.setdefault((one["source"] or None, one["segment"] or None, state), Counter())
        counts["count"] += 1
        counts["accepted"] += one["stage"] in VERDICTS["accepted"]
        for kind, name in (("meeting", "meetings"), ("opportunity", "opportunities"), ("won", "won")):
            counts[name] += kind in one["came"]
        counts["cents"] += (one["cents"] or 0) if "opportunity" in one["came"] else 0

    found = march(version)

    if not expected:
        assert found == []
        return
    (said,) = found
    names = ("count", "accepted", "meetings", "opportunities", "won")
    plain = {
        key: {**{name: counts[name] for name in names}, "pipeline": counts["cents"] / 100}
        for key, counts in expected.items()
    }
    cells = {
        (row["source"], row["segment"], state): row[state] for row in said["strata"] for state in ("met", "missed")
    }
    assert {key: cell for key, cell in cells.items() if cell["count"]} == plain
    for row in said["rows"]:
        mine = [counts for (*_, state), counts in expected.items() if state == row["state"]]
        assert [row[name] for name in names] == [sum(counts[name] for counts in mine) for name in names]
        assert row["pipeline"] == sum(counts["cents"] for counts in mine) / 100
