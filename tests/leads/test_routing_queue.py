"""What waits in a team's queue: who is told, how it gets out again, and what reassigning does."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from leads import clocks, forms, routing, routing_notices, ticking, tracking, worklist
from leads.models import Assignment, Clock, Handoff
from slaportal import roles
from slaportal.models import Absence, Notice, Party, Team, User
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_commitment, make_user, receive
from tests.leads.routed import at_once, make_away, make_rule, owners, told, whys

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def waiting(version, mona, ron, ruth) -> Handoff:
    """A handoff that waits, because Ron is away and Ruth may have none."""
    make_away(ron)
    User.objects.filter(pk=ruth.pk).update(most_open=0)
    (handoff,) = receive()
    handoff.refresh_from_db()
    return handoff


def later(handoff: Handoff) -> Handoff:
    handoff.refresh_from_db()
    return handoff


def letters(kind: str) -> list:
    """What the portal's notices of a kind say now."""
    rows = list(Notice.objects.filter(channel="portal", kind=kind).select_related("recipient").order_by("pk"))
    words = {row.letter.rpartition(".")[2] for row in rows}
    return [letter and letter.subject for word in words for letter in getattr(routing_notices, word)(rows)]


# --- Nobody is left -----------------------------------------------------------------------------------------------


def test_it_waits_with_the_reason_and_the_manager_is_told(waiting, sales):
    assert (waiting.owner, waiting.team) == (None, sales)
    assert whys() == ["nobody of Sales DACH is free: 1 away, 1 full"]
    assert told("queue") == [("manager", "Mona")]
    assert letters("queue") == ["Nobody is free: Ines Albrecht in the queue of Sales DACH"]


def test_the_time_of_routing_runs_on_until_somebody_has_it(draft, rita, max_, sofia, mona, ron):
    make_commitment(draft, "routing")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    absence = make_away(ron)
    (handoff,) = receive()
    clock = Clock.objects.get(commitment__kind="routing")
    assert (clock.state, clock.stopped_at) == (clocks.OPEN, None)
    absence.delete()
    assert routing.route_waiting(now=MONDAY + HOUR) == 1
    clock.refresh_from_db()
    assert (clock.state, clock.elapsed_seconds, later(handoff).owner) == (clocks.MET, 3600, ron)


def test_without_a_manager_revops_is_told(version, rita, ron, sales):
    make_away(ron)
    receive()
    assert told("queue") == [(f"person:{rita.pk}", "Rita")]


def test_a_hundred_at_once_are_one_notice(version, mona, ron):
    make_away(ron)
    receive(*(f"L{number}" for number in range(100)))
    assert told("queue") == [("manager", "Mona")]
    assert letters("queue") == ["Nobody is free: 100 leads in the queue of Sales DACH"]


def test_who_manages_the_team_by_then_is_told_and_nobody_once_it_is_given_out(waiting, mona, sales, ron):
    other = make_user("boss@example.com", roles.SALES_MANAGER)
    Team.objects.filter(pk=sales.pk).update(manager=other)
    notices = list(Notice.objects.filter(kind="queue", channel="portal"))
    assert routing_notices.managers(notices) == [other]
    routing.assign([(waiting, ron)], why="by hand", by=mona, now=MONDAY + HOUR)
    assert routing_notices.waiting(notices) == [None]


@pytest.mark.parametrize("gone", [{"manager": None}, {}])
def test_where_the_team_has_no_manager_any_more_somebody_of_revops_is_told(waiting, rita, mona, sales, gone):
    mona.is_active = False
    mona.save()
    Team.objects.filter(pk=sales.pk).update(name="Sales", **gone)
    assert routing_notices.managers(list(Notice.objects.filter(kind="queue", channel="portal"))) == [rita]


# --- Out of the queue ---------------------------------------------------------------------------------------------


def test_as_soon_as_somebody_is_free_it_is_given_out(waiting, ron):
    assert ticking.tick(now=MONDAY + HOUR) == 0
    Absence.objects.all().delete()
    assert routing.route_waiting(now=MONDAY + 2 * HOUR) == 1
    assert (later(waiting).owner, Assignment.objects.last().at) == (ron, MONDAY + 2 * HOUR)
    assert told("assignment") == [(f"person:{ron.pk}", "Ron")]


def test_waiting_is_neither_written_nor_told_again_each_minute(waiting):
    rows, notices = Assignment.objects.count(), Notice.objects.count()
    for minute in range(5):
        assert routing.route_waiting(now=MONDAY + timedelta(minutes=minute)) == 0
    assert (Assignment.objects.count(), Notice.objects.count()) == (rows, notices)


def test_who_waits_longest_is_given_out_first(version, mona, ron):
    absence = make_away(ron)
    receive("new", name="New", received_at=MONDAY, now=MONDAY)
    receive("old", name="Old", received_at=MONDAY - HOUR, now=MONDAY)
    absence.delete()
    User.objects.filter(pk=ron.pk).update(most_open=1)
    assert routing.route_waiting(now=MONDAY + HOUR) == 1
    assert str(Handoff.objects.get(owner=ron)) == "Old"


def test_looking_where_nothing_waits_is_one_question(version, ron, django_assert_num_queries):
    receive()
    with django_assert_num_queries(1):
        assert routing.route_waiting(now=MONDAY) == 0


def test_where_nobody_at_all_is_free_nothing_is_locked(waiting, django_assert_max_num_queries):
    with django_assert_max_num_queries(8) as asked:
        routing.route_waiting(now=MONDAY)
    assert not any("UPDATE" in query["sql"] or "SAVEPOINT" in query["sql"] for query in asked.captured_queries)


def test_nobody_gets_back_what_was_taken_from_them_by_waiting(version, mona, ron, ruth):
    (handoff,) = receive(owner="Ron")
    make_away(ruth)
    routing.reassign([later(handoff)], why="too slow", by=None, now=MONDAY + HOUR)
    assert whys()[-1] == "too slow: nobody of Sales DACH is free: 1 away, 1 had it before"
    assert routing.route_waiting(now=MONDAY + 2 * HOUR) == 0
    Absence.objects.all().delete()
    assert routing.route_waiting(now=MONDAY + 3 * HOUR) == 1
    assert later(handoff).owner == ruth


def test_an_offer_is_left_to_whoever_takes_it(version, mona, ron, ruth):
    (handoff,) = receive(owner="Ron")
    routing.return_to_queue([later(handoff)], why="too slow", by=None, now=MONDAY + HOUR)
    assert routing.route_waiting(now=MONDAY + 2 * HOUR) == 0
    assert later(handoff).owner is None
    assert told("assignment")[-1] == (f"person:{ron.pk}", "Ron")


def test_of_an_offer_the_manager_hears_that_it_waits_for_somebody_to_take_it(version, mona, ron, ruth):
    handoffs = receive("A", "B", owner="Ron")
    routing.return_to_queue(handoffs, why="too slow", by=None, now=MONDAY + HOUR)
    assert told("queue") == [("manager", "Mona")]
    (notice,) = Notice.objects.filter(kind="queue", channel="portal")
    (letter,) = routing_notices.offered([notice])
    assert letter.subject == "To be taken: 2 leads in the queue of Sales DACH"
    assert letter.paragraphs == (
        "Ines Albrecht, Ines Albrecht wait in the queue of Sales DACH: too slow.",
        "They wait until somebody of the team takes them; nothing gives them out by itself. The time that was promised "
        "runs on.",
    )
    routing.take(handoffs[0], by=ruth, now=MONDAY + 2 * HOUR)
    (letter,) = routing_notices.offered([notice])
    assert letter.subject == "To be taken: Ines Albrecht in the queue of Sales DACH"
    assert letter.paragraphs[1].startswith("It waits until somebody of the team takes it; nothing gives it out")
    assert letter.link == handoffs[1].get_absolute_url()
    routing.take(handoffs[1], by=ruth, now=MONDAY + 2 * HOUR)
    assert routing_notices.offered([notice]) == [None]


def test_without_a_manager_revops_hears_of_an_offer(version, rita, ron):
    routing.return_to_queue(receive(owner="Ron"), why="too slow", by=None, now=MONDAY + HOUR)
    assert told("queue") == [(f"person:{rita.pk}", "Rita")]


def test_a_clock_of_another_machine_that_is_behind_takes_nothing_back(version, ron, ruth):
    (handoff,) = receive(owner="Ron")
    routing.assign([(handoff, ruth)], why="", by=None, now=MONDAY + HOUR)
    routing.reassign([later(handoff)], why="", by=None, now=MONDAY + HOUR / 2)
    assert later(handoff).owner is None
    assert Assignment.objects.last().at == MONDAY + HOUR


# --- Taking -------------------------------------------------------------------------------------------------------


def test_a_rep_takes_what_waits_for_the_own_team(waiting, sales):
    rolf = make_user("rolf@example.com", roles.REP, team=sales)
    routing.take(waiting, by=rolf, now=MONDAY + HOUR)
    assert (later(waiting).owner, whys()[-1]) == (rolf, "taken from the queue")
    assert told("assignment") == []


def test_of_two_who_take_it_the_second_is_told_who_was_quicker(waiting, sales):
    rolf, rosa = (make_user(f"{name}@example.com", roles.REP, team=sales) for name in ("rolf", "rosa"))
    routing.take(waiting, by=rolf, now=MONDAY + HOUR)
    with pytest.raises(Refused, match="Ines Albrecht is Rolf’s already"):
        routing.take(waiting, by=rosa, now=MONDAY + HOUR)
    with pytest.raises(Refused, match="is yours already"):
        routing.take(waiting, by=rolf, now=MONDAY + HOUR)


def test_nobody_takes_what_is_another_teams_what_has_ended_or_more_than_the_cap(waiting, ruth, mona, vera):
    stranger = make_user("x@example.com", roles.REP, team=Team.objects.create(name="N", party=Party.SALES))
    for who in (stranger, mona, vera):
        with pytest.raises(Refused, match="waits for the reps of Sales DACH"):
            routing.take(waiting, by=who, now=MONDAY)
    ruth.refresh_from_db()
    with pytest.raises(Refused, match="You have 0 of 0 open"):
        routing.take(waiting, by=ruth, now=MONDAY)
    tracking.dispose([tracking.Decision(waiting, "recycled")], by=None, now=MONDAY)
    with pytest.raises(Refused, match="has ended"):
        routing.take(waiting, by=ruth, now=MONDAY)


def refusal(handoff: Handoff, who: User) -> str:
    """Why somebody may not take it; blank where they have it now."""
    try:
        routing.take(handoff, by=who, now=MONDAY + 5 * HOUR)
    except Refused as refused:
        return str(refused)
    return ""


def test_who_lost_it_for_a_miss_does_not_take_it_back(version, mona, ron, ruth, sales):
    """Ron had it and was ill, Ruth missed it; then Rolf had it and is away (rule L5)."""
    rolf, at = make_user("rolf@example.com", roles.REP, team=sales), MONDAY + HOUR
    (handoff,) = receive(owner="Ron")
    routing.assign([(handoff, ruth)], why="Ron is ill", by=mona, now=at)
    routing.return_to_queue([handoff], why="missed", by=None, now=at)
    gone = "Ines Albrecht was taken from you, so somebody else has to take it."
    assert [refusal(handoff, who) for who in (ron, ruth)] == [gone, gone]
    assert not any(forms.may_take(who, later(handoff)) for who in (ron, ruth))
    queues = [worklist.queue(who, now=at, zone=ZoneInfo("UTC")) for who in (ron, ruth, rolf)]
    assert [row.is_lost for queue in queues for row in queue.rows] == [True, True, False]
    assert forms.may_take(rolf, later(handoff)) and refusal(handoff, rolf) == ""
    for who in (ron, ruth):
        make_away(who)
    routing.reassign([later(handoff)], why="Rolf is away", by=mona, now=at)
    assert later(handoff).owner is None
    assert [refusal(handoff, who) for who in (ron, ruth)] == [gone, gone]
    assert refusal(handoff, rolf) == ""


def test_who_was_away_takes_back_what_nobody_missed(version, mona, ron, ruth):
    make_away(ruth)
    (handoff,) = receive(owner="Ron")
    routing.reassign([later(handoff)], why="Ron is away", by=mona, now=MONDAY + HOUR)
    assert forms.may_take(ron, later(handoff)) and refusal(handoff, ron) == ""


# --- Who is told --------------------------------------------------------------------------------------------------


def test_a_new_owner_and_the_former_one_are_told_and_not_who_did_it(version, mona, ron, ruth):
    (handoff,) = receive(owner="Ron")
    Notice.objects.all().delete()
    routing.assign([(handoff, ruth)], why="holiday", by=mona, now=MONDAY + HOUR)
    assert sorted(told("assignment")) == [(f"person:{ron.pk}", "Ron"), (f"person:{ruth.pk}", "Ruth")]
    yours, gone = (
        routing_notices.assigned(Notice.objects.filter(key__startswith="assigned:", channel="portal"))[0],
        routing_notices.taken(Notice.objects.filter(key__startswith="taken:", channel="portal"))[0],
    )
    assert yours.subject == "Yours now: Ines Albrecht"
    assert yours.paragraphs[0] == "Ines Albrecht is yours, from Mona: holiday."
    assert yours.paragraphs[2].startswith("Due first: first_response, Mon 3 Mar, ")
    assert (gone.subject, gone.paragraphs[0]) == (
        "No longer yours: Ines Albrecht",
        "Ines Albrecht is not yours any more. Ruth has it now: holiday.",
    )
    Notice.objects.all().delete()
    routing.assign([(handoff, mona)], why="mine", by=mona, now=MONDAY + 2 * HOUR)
    assert [who for _, who in told("assignment")] == ["Ruth"]


def test_what_no_longer_holds_is_not_sent(version, mona, ron, ruth):
    (handoff,) = receive(owner="Ron")
    notices = list(Notice.objects.filter(key__startswith="assigned:", channel="portal"))
    routing.assign([(handoff, ruth)], why="", by=mona, now=MONDAY + HOUR)
    assert routing_notices.assigned(notices) == [None]
    taken = list(Notice.objects.filter(key__startswith="taken:", channel="portal"))
    routing.assign([(handoff, ron)], why="", by=mona, now=MONDAY + 2 * HOUR)
    assert routing_notices.taken(taken) == [None]


def test_of_history_that_is_imported_nobody_is_told(version, ron):
    receive("A", owner="Ron", now=MONDAY + 2 * DAY)
    assert told("assignment") == []
    receive("B", owner="Ron", now=MONDAY + HOUR)
    assert told("assignment") == [(f"person:{ron.pk}", "Ron")]


# --- Two workers --------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_workers_that_receive_at_once_take_turns_and_fill_nobody_over_the_cap(version, mona, ron, ruth, sales):
    rolf = make_user("rolf@example.com", roles.REP, team=sales, most_open=5)
    make_rule("All", team=sales)

    def work(name: str) -> None:
        for number in range(12):
            receive(f"{name}{number}", f"{name}{number}b", email=f"{name}{number}@x.example")

    assert at_once(*(lambda name=name: work(name) for name in "abc")) == []
    counts = {name: owners().count(name) for name in ("Ron", "Ruth", "Rolf")}
    assert sum(counts.values()) == 72
    assert counts["Rolf"] == 5 == Handoff.objects.filter(owner=rolf).count()
    assert abs(counts["Ron"] - counts["Ruth"]) <= 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_sweeps_imports_and_managers_at_once_neither_stop_each_other_nor_give_anything_twice(
    version, mona, ron, ruth, sales
):
    make_rule("All", team=sales)
    absences = [make_away(ron), make_away(ruth)]
    waiting = receive(*(f"W{number}" for number in range(40)))
    Absence.objects.filter(pk__in=[absence.pk for absence in absences]).delete()
    owned = receive(*(f"O{number}" for number in range(20)))
    now = MONDAY + HOUR

    def moving() -> None:
        for handoff in owned:
            routing.reassign([handoff], why="slow", by=None, now=now)

    def receiving() -> None:
        for number in range(10):
            receive(f"N{number}", received_at=now, now=now)

    sweeps = [lambda: routing.route_waiting(now=now)] * 2
    assert at_once(*sweeps, moving, receiving) == []
    rows = Assignment.objects.filter(handoff__in=waiting)
    assert rows.filter(owner=None).count() == rows.exclude(owner=None).count() == 40
    assert not Handoff.objects.filter(owner=None).exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_reps_who_take_one_in_the_same_instant_one_gets_a_sentence(version, mona, ron, ruth):
    (handoff,) = receive(owner="Ron")
    routing.return_to_queue([handoff], why="", by=None, now=MONDAY)
    rolf = make_user("rolf@example.com", roles.REP, team=ron.team)
    calls = [lambda who=who: routing.take(handoff, by=who, now=MONDAY + HOUR) for who in (rolf, ruth)]
    (refusal,) = at_once(*calls)
    assert isinstance(refusal, Refused) and "already" in str(refusal)
    assert Assignment.objects.filter(why="taken from the queue").count() == 1
