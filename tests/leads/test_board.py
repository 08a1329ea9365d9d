"""The manager's board: what comes due, what was missed and why, what waits and who is free; and notes to reps."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads import answers, board, handovers, misses, notes, routing, ticking, tracking
from leads.misses import Circumstances
from leads.models import Clock, Handoff
from slaportal import bell, outbox, roles
from slaportal.models import Notice, Party, Team, User
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_commitment, make_user, receive
from tests.leads.conftest import clock_of, page, text_of
from tests.leads.routed import make_away, works

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def shown(user: User, now: datetime = MONDAY, **overrides) -> board.Board:
    return board.of(handovers.managed_teams(user), now=now, zone=BERLIN, **overrides)


def names(part: board.Part) -> list[str]:
    return [row.handoff.lead.external_id for row in part.rows]


# --- What comes due -----------------------------------------------------------------------------------------------


def test_due_is_what_comes_due_within_four_business_hours_of_the_clocks_own_calendar(version, mona, ron):
    receive("A", now=MONDAY)  # due 14:00
    receive("B", now=MONDAY + 6 * HOUR, received_at=MONDAY + 6 * HOUR)  # Mon 16:00, due Tue 11:30
    assert names(shown(mona).due) == ["A"]  # until 14:00, the last minute with it
    later = shown(mona, MONDAY + 7 * HOUR + 29 * MINUTE)  # 17:29: three more hours and 59 minutes on Tuesday
    assert names(later.due) == ["A", "B"]
    assert later.due.rows[0].owed.due.tone == "bad"  # used up, and the tick has not said so yet
    assert names(shown(mona, MONDAY + 6 * HOUR).due) == ["A", "B"]
    assert names(shown(mona, MONDAY - 2 * DAY).due) == []


def test_a_limit_that_runs_by_night_is_seen_while_somebody_is_at_work_to_keep_it(draft, rita, max_, sofia, mona, ron):
    draft.commitments.filter(kind="first_response").update(limit=24, unit="hours")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    friday = MONDAY + 4 * DAY
    receive("A", now=friday, received_at=friday)  # due on Saturday at 10:00
    assert names(shown(mona, friday + 3 * HOUR).due) == []  # 13:00: the four hours end at 17:00
    assert names(shown(mona, friday + 4 * HOUR).due) == ["A"]  # 14:00: they end on Monday


def test_a_row_is_amber_by_the_business_time_that_is_left(version, mona, ron):
    at = MONDAY + 4 * DAY + 3 * HOUR + 40 * MINUTE
    receive("A", now=at, received_at=at)  # Fri 13:40, due Mon 9:10
    sixteen_25, sixteen_50 = (at + minutes * MINUTE for minutes in (165, 190))
    assert [shown(mona, now).due.rows[0].owed.due.tone for now in (sixteen_25, sixteen_50)] == ["", "warn"]


def test_each_names_who_is_on_shift_and_free_the_least_busy_first(version, mona, ron, ruth, sales):
    busy, asleep, away = (make_user(f"{name}@example.com", roles.REP, team=sales) for name in ("rolf", "rosa", "rhea"))
    works(asleep, monday="14:00-18:00")
    make_away(away)
    receive("Own", owner="Ron")
    receive("B1", "B2", owner="Rolf")
    row = next(row for row in shown(mona).due.rows if row.handoff.owner == ron)
    assert [one.person for one in row.free] == [ruth, busy]
    User.objects.filter(pk=ruth.pk).update(most_open=0)
    row = next(row for row in shown(mona).due.rows if row.handoff.owner == ron)
    assert [one.person for one in row.free] == [busy]


def test_a_handoff_with_two_promises_is_one_row_and_what_is_held_is_none(draft, rita, max_, sofia, mona, ron):
    make_commitment(draft, "acceptance", position=9, limit=3)
    agree(draft, by=rita, marketing=max_, sales=sofia)
    _a, b = receive("A", "B")
    tracking.hold([b], reason="on holiday", by=ron, now=MONDAY)
    due = shown(mona).due
    assert (due.count, names(due)) == (1, ["A"])
    assert due.rows[0].more == 1 and due.rows[0].owed.due.at == MONDAY + 3 * HOUR


# --- What was missed ----------------------------------------------------------------------------------------------


def test_missed_today_are_those_of_the_managers_own_day(version, mona, ron):
    receive("A")  # due Monday 14:00
    ticking.tick(now=MONDAY + 5 * HOUR)
    assert shown(mona, MONDAY + 5 * HOUR).missed.count == 1
    tuesday = shown(mona, MONDAY + DAY)
    assert tuesday.missed.count == 0
    assert [clock.handoff.lead.external_id for clock in tuesday.unanswered.rows] == ["A"]


def test_what_is_used_up_at_fridays_bell_is_missed_on_monday(version, mona, ron):
    friday = MONDAY + 4 * DAY + timedelta(hours=3, minutes=30)  # 13:30, due at 17:30
    receive("A", now=friday, received_at=friday)
    monday = MONDAY + 7 * DAY
    ticking.tick(now=monday)
    on_monday = shown(mona, monday)
    assert [miss.clock.handoff.lead.external_id for miss in on_monday.missed.rows] == ["A"]
    assert on_monday.unanswered.count == 0
    assert shown(mona, monday + DAY).missed.count == 0


def test_a_miss_says_who_had_how_much_and_what_was_tried_and_whether_it_is_answered(version, mona, ron):
    first, *_ = receive("A", "B", "C", owner="Ron")
    tracking.log_attempts([tracking.NewAttempt(lead=first.lead)], by=ron, now=MONDAY + 5 * HOUR)
    ticking.tick(now=MONDAY + 5 * HOUR)
    now = MONDAY + 5 * HOUR
    late = next(miss for miss in shown(mona, now).missed.rows if miss.clock.handoff == first)
    assert late.facts == ["nobody called", "Ron had 3 open", "it came 1\N{NO-BREAK SPACE}h later"]
    assert (late.owner, late.rule[1], late.is_answered) == ("Ron", "C4", False)
    assert shown(mona, now).missed_unanswered == 3
    answers.answer(clock_of(first), cause="at a fair", action="a stand-in", by=mona, now=now)
    again = shown(mona, now)
    assert again.missed_unanswered == 2
    assert next(miss for miss in again.missed.rows if miss.clock.handoff == first).is_answered


def test_the_load_is_what_the_owner_had_when_it_was_missed(version, mona, ron, ruth):
    first, second, *_ = receive("A", "B", "C", owner="Ron")
    tracking.dispose([tracking.Decision(second, "recycled")], by=ron, now=MONDAY + HOUR)
    receive("D", owner="Ron", now=MONDAY + 6 * HOUR, received_at=MONDAY + 6 * HOUR)
    ticking.tick(now=MONDAY + 6 * HOUR)
    make_away(ron)
    miss = next(miss for miss in shown(mona, MONDAY + 6 * HOUR).missed.rows if miss.clock.handoff == first)
    assert miss.facts[1:] == ["Ron was away", "Ron had 2 open"]


ATTEMPT = SimpleNamespace(get_outcome_display=lambda: "No answer")


@pytest.mark.parametrize(
    ("kind", "around", "said"),
    [
        ("first_response", Circumstances(owner="Ron", load=12), ["nobody called", "Ron had 12 open"]),
        ("first_touch", Circumstances(owner="Ron", load=1, most=9, tries=[ATTEMPT, ATTEMPT]),
         ["2 attempts, the last: no answer", "Ron had 1 open (cap 9)"]),
        ("acceptance", Circumstances(owner="Ron", load=2, is_away=True),
         ["nobody called, nobody decided", "Ron was away", "Ron had 2 open"]),
        ("disposition", Circumstances(owner="Ron", load=2, tries=[ATTEMPT]),
         ["1 attempt, the last: no answer; nobody decided", "Ron had 2 open"]),
        ("attempts", Circumstances(owner="Ron", load=2, tries=[ATTEMPT]), ["1 of 5 attempts", "Ron had 2 open"]),
        ("first_response", Circumstances(team="Sales DACH", was_held=True),
         ["nobody called", "it waited in the queue of Sales DACH", "it was on hold for a while"]),
        ("first_response", Circumstances(), ["nobody called", "nobody owned it"]),
    ],
)  # fmt: skip
def test_why_in_words(kind, around, said):
    clock = SimpleNamespace(commitment=SimpleNamespace(kind=kind, attempts=5), stopped_at=None, due_at=MONDAY)
    assert misses.in_words(clock, around) == said


# --- Whose, and the page ------------------------------------------------------------------------------------------


def test_a_manager_sees_the_own_teams_and_revops_all_of_sales(client, travel, version, mona, ron, rita):
    receive("A")
    other = Team.objects.create(name="Sales Nordics", party=Party.SALES)
    make_user("rune@example.com", roles.REP, team=other)
    assert names(shown(mona).due) == ["A"] and [one.team.name for one in shown(mona).staff] == ["Sales DACH"]
    assert len(shown(rita).staff) == 2
    client.force_login(rita)
    of_other = client.get(reverse("team"), {"team": other.pk})
    assert "Ines Albrecht" not in text_of(of_other) and "Rune" in text_of(of_other)
    assert "Ines Albrecht" in text_of(client.get(reverse("team")))
    nobody = make_user("new@example.com", roles.SALES_MANAGER)
    client.force_login(nobody)
    assert "You manage no team" in text_of(client.get(reverse("team")))
    client.force_login(ron)
    assert client.get(reverse("team")).status_code == 403


def test_the_page_shows_the_queue_who_is_away_and_the_load(client, travel, version, mona, ron, ruth):
    make_away(ron, 1, 2, note="fair")
    make_away(ruth, 2, 3)
    User.objects.filter(pk__in=[ron.pk, ruth.pk]).update(most_open=1)
    receive("A", "B", "C", name="Ines", company="Nord")
    client.force_login(mona)
    said = text_of(client.get(reverse("team")))
    assert "1 lead waits for somebody to take it" in said
    assert "Away today and tomorrow Ron 4 Mar – 5 Mar · fair" in said.replace(" ,", ",")
    assert "Ruth 5 Mar" not in said
    assert "Full 1 of 1" in said


def test_who_manages_and_is_a_rep_takes_from_the_queue_and_others_assign(client, travel, version, mona, ron, sales):
    make_away(ron)
    (handoff,) = receive("A")
    client.force_login(mona)
    assert f'href="{page(handoff)}#assign"' in client.get(reverse("team")).content.decode()
    mona.groups.add(Group.objects.get(name=roles.REP))
    assert f'action="{page(handoff, "take")}"' in client.get(reverse("team")).content.decode()


def test_a_long_list_says_how_many_there_are_and_leads_to_all(client, travel, version, mona, ron):
    receive(*(f"L{number}" for number in range(board.SHOWN + 2)))
    client.force_login(mona)
    few = text_of(client.get(reverse("team")))
    assert f"{board.SHOWN} of {board.SHOWN + 2} · Show all" in few
    whole = text_of(client.get(reverse("team"), {"all": ""}))
    assert f"{board.SHOWN + 2} of {board.SHOWN + 2} · Show fewer" in whole


def test_a_quiet_board_reads_well_and_asks_as_much_for_one_as_for_thirty(client, travel, version, mona, ron, ruth):
    client.force_login(mona)
    assert "nothing was missed today, and nothing waits" in text_of(client.get(reverse("team")))
    counts = []
    for number in range(2):
        ids = [f"{number}-{one}" for one in range(2 + 12 * number)]
        early, bell = MONDAY - 3 * DAY - HOUR, MONDAY - 3 * DAY + 3 * HOUR + 30 * MINUTE
        receive(*(f"bell-{one}" for one in ids), owner="Ron", now=bell, received_at=bell)
        receive(*(f"old-{one}" for one in ids), owner="Ron", now=early, received_at=early)
        receive(*(f"new-{one}" for one in ids), owner="Ruth")
        for one in Handoff.objects.filter(owner=ruth, lead__external_id__endswith="1"):
            routing.return_to_queue([one], why="nobody is free", by=mona, now=MONDAY)
        ticking.tick(now=MONDAY)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("team"), {"all": ""}).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] < 45


def test_the_chosen_are_reassigned_from_the_board_and_one_is_back_on_it(client, travel, version, mona, ron, ruth):
    (handoff,) = receive("A", owner="Ron")
    client.force_login(mona)
    given = {"handoff": handoff.pk, "owner": ruth.pk, "why": "Ron is at a customer’s", "next": reverse("team")}
    answer = client.post(reverse("reassign"), given, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("team")
    assert "1 reassigned: 1 to Ruth." in text_of(answer)
    assert Handoff.objects.get().owner == ruth


# --- Notes --------------------------------------------------------------------------------------------------------


def send(client, **fields):
    return client.post(reverse("send_note"), {"token": str(uuid4()), **fields}, follow=True)


def test_a_note_comes_once_and_stands_in_the_bell(client, travel, version, mona, ron, mailoutbox):
    (handoff,) = receive("A", owner="Ron")
    Notice.objects.all().delete()
    client.force_login(mona)
    token = str(uuid4())
    for _ in range(2):  # a double click
        answer = send(client, person=ron.pk, text="Call her\nbefore noon, please.", about=handoff.pk, token=token)
        assert "Ron is told." in text_of(answer)
    outbox.send_due(now=MONDAY + MINUTE)
    assert bell.unread(ron) == 1
    (told,) = bell.shown_to(ron)
    assert (told.subject, told.summary) == ("Note from Mona: Ines Albrecht", "Call her before noon, please.")
    assert told.link == page(handoff)
    (mail,) = mailoutbox
    assert mail.subject == "Note from Mona: Ines Albrecht" and "Call her before noon, please." in mail.body
    client.force_login(ron)
    assert "Call her before noon, please." in text_of(client.get(reverse("notices")))


def test_what_cannot_be_said_is_refused_and_nothing_typed_is_lost(client, travel, version, mona, ron, ruth):
    (handoff,) = receive("A", owner="Ruth")
    client.force_login(mona)
    answer = send(client, person=ron.pk, text="Look at this", about=handoff.pk)
    assert answer.status_code == 422
    assert "Ron does not see Ines Albrecht." in text_of(answer) and "Look at this" in text_of(answer)
    assert "About Ines Albrecht" in text_of(answer)
    stranger = make_user("rune@example.com", roles.REP, team=Team.objects.create(name="Nordics", party=Party.SALES))
    assert send(client, person=stranger.pk, text="Hello").status_code == 422
    assert send(client, person=ron.pk, text="x" * (notes.LONGEST + 1)).status_code == 422
    client.force_login(ron)
    assert send(client, person=ruth.pk, text="Hello").status_code == 403
    assert not Notice.objects.filter(kind="note").exists()


def test_a_note_is_only_for_people_of_managed_teams_who_can_log_in(mona, ron, ruth, sofia):
    User.objects.filter(pk=ruth.pk).update(is_active=False)
    ruth.refresh_from_db()
    for person, by, why in ((ruth, mona, "cannot log in"), (ron, sofia, "none of your teams"), (ron, ron, "none of")):
        with pytest.raises(Refused, match=why):
            notes.send(person, text="Hello", token=uuid4(), by=by, now=MONDAY)
    with pytest.raises(Refused, match="Write what"):
        notes.send(ron, text=" \n", token=uuid4(), by=mona, now=MONDAY)


def test_a_note_is_asked_for_by_a_link_that_names_whom_and_about_what(client, travel, version, mona, ron):
    (handoff,) = receive("A")
    client.force_login(mona)
    asked = {"person": ron.pk, "about": handoff.pk}
    shown_page = client.get(reverse("team"), asked)
    assert "About Ines Albrecht" in text_of(shown_page)
    assert f'value="{ron.pk}" selected' in shown_page.content.decode()
    for nonsense in ("x", "9" * 30, "-1"):
        assert client.get(reverse("team"), {"person": nonsense, "about": nonsense}).status_code == 200


def test_clocks_are_left_as_they_are(version, mona, ron):
    """Reading the board decides nothing."""
    receive("A")
    before = list(Clock.objects.values())
    shown(mona, MONDAY + 5 * HOUR)
    assert list(Clock.objects.values()) == before
