"""What people see of notices: the bell, the list behind it, one click, how one wants to be told, and alarms."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from html import unescape
from types import SimpleNamespace

import hypothesis
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from slaportal import bell, chat, letters, preferences
from slaportal.letters import Letter
from slaportal.models import Notice, NoticePreference, User
from slaportal.preferences import Wish
from slaportal.wishes import Wishes
from tests.conftest import MONDAY, make_user

pytestmark = pytest.mark.django_db

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"
SETTINGS = "/notices/settings/"


def make_notice(reader: User | None, **overrides) -> Notice:
    fields = {"key": f"test:{Notice.objects.count()}", "slot": "owner", "channel": "portal", "kind": "miss",
              "recipient": reader, "letter": "x", "about": 1, "created_at": MONDAY, "due_at": MONDAY, "sent_at": MONDAY,
              "subject": "Missed: Ines", "summary": "It was due at 14:00.", "link": "/numbers/"}  # fmt: skip
    return Notice.objects.create(**{**fields, **overrides})


def make_notices(reader: User, count: int, **overrides) -> None:
    fields = {"slot": "owner", "channel": "portal", "kind": "miss", "recipient": reader, "letter": "x", "about": 1,
              "created_at": MONDAY, "due_at": MONDAY, "sent_at": MONDAY, "link": "/numbers/"}  # fmt: skip
    rows = [Notice(key=f"many:{n}", subject=f"Missed: {n}", **fields, **overrides) for n in range(count)]
    Notice.objects.bulk_create(rows, batch_size=1000)


@pytest.fixture
def door(client, ron):
    """Ron, logged in."""
    client.force_login(ron)
    return client


def page_of(door, path: str = "/notices/") -> str:
    response = door.get(path)
    assert response.status_code == 200
    return unescape(response.content.decode())


def counted(page: str) -> list[str]:
    """What the bells of a page say."""
    return re.findall(r'class="unread-count">([^<]+)<', page)


# --- The bell -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unread", "shown"), [(0, []), (1, ["1"]), (99, ["99"]), (100, ["99+"]), (240, ["99+"])])
def test_the_bell_counts_what_was_not_read(unread, shown, door, ron):
    make_notices(ron, unread)
    make_notice(ron, read_at=MONDAY)
    # In the side bar, and in the head of a phone.
    assert counted(page_of(door, "/numbers/")) == shown * 2


@pytest.mark.parametrize(
    "overrides",
    [
        {"channel": "email"},
        {"channel": "chat"},
        {"sent_at": None},
        {"sent_at": None, "cancelled_at": MONDAY},
        {"read_at": MONDAY},
    ],
)
def test_the_bell_leaves_out_what_is_not_in_the_portal_or_was_read(overrides, door, ron):
    make_notice(ron, **overrides)
    assert counted(page_of(door, "/numbers/")) == []


def test_the_bell_is_everybodys_own(door, ruth):
    make_notice(ruth)
    assert counted(page_of(door, "/numbers/")) == []


def test_the_bell_asks_once_and_as_little_for_thousands_read_as_for_none(door, ron, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert bell.unread(ron) == 0
    make_notices(ron, 2_000, read_at=MONDAY)
    with django_assert_num_queries(1) as asked:
        assert bell.unread(ron) == 0
    with connection.cursor() as cursor:
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE slaportal_notice")
        cursor.execute(f"{explain} {asked.captured_queries[0]['sql']}")
        assert "notice_unread" in str(cursor.fetchall())


def test_the_admin_asks_nothing_for_a_bell(client, rita):
    client.force_login(rita)
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/admin/").status_code == 200
    assert [query["sql"] for query in asked.captured_queries if "read_at" in query["sql"]] == []


# --- The list -----------------------------------------------------------------------------------------------------


def test_nothing_to_tell_is_said(door):
    page = page_of(door)
    assert "Nothing to tell you yet" in page
    assert "Mark all as read" not in page


def test_the_list_has_the_newest_first_by_day_of_the_reader(door, ron):
    late = datetime(2025, 3, 3, 23, 30, tzinfo=UTC)  # 00:30 of Tuesday in Berlin
    for subject, at in (("One", MONDAY), ("Two", late), ("Three", late + timedelta(hours=1))):
        make_notice(ron, subject=subject, created_at=at, sent_at=at)
    page = page_of(door)
    found = re.findall(r'<h2 class="section">([^<]+)|/notices/\d+/">.*?</span>(\w+)</a>', page)
    assert ["".join(one) for one in found] == ["Tuesday, 4 March 2025", "Three", "Two", "Monday, 3 March 2025", "One"]


@pytest.mark.parametrize(("days", "name"), [(0, "Today"), (1, "Yesterday")])
def test_the_last_two_days_are_called_as_people_call_them(days, name, door, ron):
    at = timezone.now() - timedelta(days=days)
    make_notice(ron, created_at=at, sent_at=at)
    assert f">{name}</h2>" in page_of(door)


def test_what_was_not_read_is_marked_for_the_eye_and_for_the_ear(door, ron):
    make_notice(ron, subject="Old", read_at=MONDAY)
    make_notice(ron, subject="New")
    items = re.findall(
        r'<li class="(unread|)">\s*<a [^>]*>(<span class="unseen">Unread: </span>)?(\w+)</a>', page_of(door)
    )
    assert [(css, bool(heard), subject) for css, heard, subject in items] == [
        ("unread", True, "New"),
        ("", False, "Old"),
    ]


def test_words_of_others_stay_words(door, ron):
    make_notice(ron, subject="<script>alert(1)</script>" + "x" * 200, summary="<img src=x onerror=y>" * 20)
    page = door.get("/notices/").content.decode()
    assert "&lt;script&gt;" in page and "<script>alert" not in page and "<img" not in page


def test_ten_thousand_are_shown_by_pages_with_as_many_queries_as_one(door, ron, django_assert_max_num_queries):
    make_notice(ron)
    with django_assert_max_num_queries(9) as few:
        page_of(door)
    make_notices(ron, 10_000)
    for number in (1, 2, 201):
        with django_assert_max_num_queries(len(few.captured_queries) + (number > 1)):
            page = page_of(door, f"/notices/?page={number}")
        assert page.count('class="unread"') == (50 if number < 201 else 1)
    assert "of 10001" in page


@pytest.mark.parametrize("number", ["0", "-1", "999", "x", ""])
def test_a_page_that_there_is_not_is_the_nearest(number, door, ron):
    make_notice(ron)
    assert "Missed: Ines" in page_of(door, f"/notices/?page={number}")


# --- One click ----------------------------------------------------------------------------------------------------


def test_one_click_leads_there_and_counts_as_read(door, ron):
    notice = make_notice(ron, link="/numbers/?x=1#C1")
    response = door.get(f"/notices/{notice.pk}/")
    assert (response.status_code, response["Location"]) == (302, "/numbers/?x=1#C1")
    notice.refresh_from_db()
    first = notice.read_at
    assert abs(timezone.now() - first) < timedelta(minutes=1)
    door.get(f"/notices/{notice.pk}/")
    notice.refresh_from_db()
    assert notice.read_at == first


@pytest.mark.parametrize(
    "link",
    ["", "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "javascript:alert(1)",
     "\\\\evil.example", "evil.example", "/\t/evil.example"],
)  # fmt: skip
def test_a_link_that_leads_elsewhere_or_nowhere_leads_to_the_list(link, door, ron):
    notice = make_notice(ron, link=link)
    response = door.get(f"/notices/{notice.pk}/")
    assert (response.status_code, response["Location"]) == (302, "/notices/")


@pytest.mark.parametrize("overrides", [{"channel": "email"}, {"sent_at": None}])
def test_what_is_not_in_the_portal_has_no_address(overrides, door, ron):
    assert door.get(f"/notices/{make_notice(ron, **overrides).pk}/").status_code == 404


def test_nobody_opens_or_reads_somebody_elses(door, ruth):
    notice = make_notice(ruth)
    assert door.get(f"/notices/{notice.pk}/").status_code == 404
    assert door.get(f"/notices/{notice.pk + 1}/").status_code == 404
    door.post("/notices/read/", {"newest": notice.pk})
    notice.refresh_from_db()
    assert notice.read_at is None


def test_all_are_marked_as_read_that_were_listed_and_none_that_came_meanwhile(door, ron):
    first, second = make_notice(ron), make_notice(ron)
    newest = re.search(r'name="newest" value="(\d+)"', page_of(door))[1]
    assert int(newest) == second.pk
    later = make_notice(ron)
    assert door.post("/notices/read/", {"newest": newest})["Location"] == "/notices/"
    assert {row.pk for row in Notice.objects.filter(read_at=None)} == {later.pk}
    assert first.pk < later.pk


@pytest.mark.parametrize("newest", ["", "x", "-1", "9" * 30, "٣"])
def test_nothing_is_marked_by_nonsense(newest, door, ron):
    make_notice(ron)
    assert door.post("/notices/read/", {"newest": newest}).status_code == 302
    assert bell.unread(ron) == 1


def test_marking_all_takes_a_form_and_not_a_link(door):
    assert door.get("/notices/read/").status_code == 405


def test_the_second_page_marks_also_what_the_first_one_lists(door, ron):
    make_notices(ron, 60)
    newest = re.search(r'name="newest" value="(\d+)"', page_of(door, "/notices/?page=2"))[1]
    assert int(newest) == Notice.objects.order_by("-pk")[0].pk


# --- How one wants to be told --------------------------------------------------------------------------------------


def said(form_page: str, **changes) -> dict[str, str]:
    """What a browser would send of the page's form, with changes; None leaves a field out."""
    found = {}
    for name, options in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', form_page, re.DOTALL):
        found[name] = re.search(r'value="(\w+)" selected', options)[1]
    for field in re.findall(r"<input[^>]*>", form_page):
        name, value = re.search(r'name="(\w+)"', field), re.search(r'value="([^"]*)"', field)
        if not name or name[1] == "csrfmiddlewaretoken":
            continue
        if 'type="checkbox"' not in field:
            found[name[1]] = value[1] if value else ""
        elif " checked" in field:
            found[name[1]] = "on"
    return {name: value for name, value in (found | changes).items() if value is not None}


def save(door, path: str = SETTINGS, **changes):
    return door.post(path, said(page_of(door, path), **changes))


def chosen(**whose) -> dict[str, tuple]:
    rows = NoticePreference.objects.filter(**whose)
    return {row.kind: (row.email, row.chat, row.is_urgent) for row in rows}


def test_the_page_shows_what_holds_and_saving_it_unchanged_chooses_nothing(door, ron, settings):
    page = page_of(door, SETTINGS)
    for kind, label in settings.NOTICE_KINDS.items():
        assert (str(label) in page) == (kind not in preferences.FOR_REVOPS)
    assert "Europe/Berlin" in page
    assert re.search(r'name="quiet_from" value="20:00"', page)
    before = User.objects.filter(pk=ron.pk).values().get()
    assert save(door).status_code == 302
    assert chosen() == {}
    assert User.objects.filter(pk=ron.pk).values().get() == before


def test_a_person_chooses_for_each_kind(door, ron):
    save(door, email_miss="digest", chat_miss="never", urgent_warning="on")
    assert chosen(person=ron) == {"miss": ("digest", "never", False), "warning": ("now", "now", True)}
    assert said(page_of(door, SETTINGS))["urgent_warning"] == "on"
    save(door, email_miss="now", chat_miss="now", urgent_warning=None)
    assert chosen() == {}


def test_what_was_left_as_the_team_has_it_goes_on_with_the_team(door, ron, sales):
    preferences.choose(sales, {"miss": Wish("digest", "now")})
    save(door, email_queue="never")
    assert chosen(person=ron) == {"queue": ("never", "now", False)}
    preferences.choose(sales, {"miss": Wish("never", "now")})
    assert Wishes([ron]).of(ron, "miss").email == "never"
    # Otherwise than the team, though it is what everybody has who chose nothing.
    save(door, email_miss="now")
    assert chosen(person=ron)["miss"] == ("now", "now", False)
    assert Wishes([ron]).of(ron, "miss").email == "now"


PACES = st.sampled_from(NoticePreference.Pace.values)


@hypothesis.settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["miss", "queue"]), PACES, PACES, st.booleans()), max_size=6))
def test_what_somebody_chose_last_is_what_counts_when_they_are_told(choices):
    NoticePreference.objects.all().delete()
    team, _ = preferences.Team.objects.get_or_create(name="T", party="sales")
    person = User.objects.filter(email="p@example.com").first() or make_user("p@example.com", team=team)
    for is_own, kind, email, channel, is_urgent in choices:
        wish = Wish(email, channel, is_urgent)
        owner = person if is_own else team
        preferences.choose(owner, {kind: wish})
        assert preferences.wishes(owner)[kind] == wish
    for kind, wish in preferences.wishes(person).items():
        holds = Wishes([person]).of(person, kind)
        assert (holds.email, holds.chat, holds.is_urgent) == (wish.email, wish.chat, wish.is_urgent)


def test_kinds_that_only_revops_gets_are_offered_to_revops(client, rita):
    client.force_login(rita)
    page = page_of(client, SETTINGS)
    assert "Tasks for RevOps" in page and "Alarms" in page
    save(client, email_alarm="digest")
    assert chosen(person=rita) == {"alarm": ("digest", "now", False)}


def test_quiet_hours_and_the_digest_are_the_readers_own(door, ron):
    save(door, quiet_from="18:30", quiet_until="08:00", digest_at="12:15")
    ron.refresh_from_db()
    assert (ron.quiet_from, ron.quiet_until, ron.digest_at) == (time(18, 30), time(8), time(12, 15))
    save(door, quiet_from="", quiet_until="")
    ron.refresh_from_db()
    assert (ron.quiet_from, ron.quiet_until) == (None, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quiet_from": ""}, "Quiet hours have a beginning and an end; for none leave both empty."),
        ({"quiet_until": ""}, "Quiet hours have a beginning and an end; for none leave both empty."),
        ({"quiet_from": "07:00"}, "These quiet hours end as they begin; for none leave both empty."),
        ({"digest_at": "06:00"}, "That is within your quiet hours, which end at 07:00."),
        ({"digest_at": "21:00"}, "That is within your quiet hours, which end at 07:00."),
        ({"quiet_from": "12:00", "quiet_until": "13:00", "digest_at": "12:30"}, "which end at 13:00."),
        ({"digest_at": ""}, "This field is required."),
        ({"digest_at": "25:00"}, "Enter a valid time."),
        ({"quiet_from": "soon"}, "Enter a valid time."),
        ({"email_miss": "sometimes"}, "Select a valid choice."),
        ({"chat_url": "dbus://x"}, "“dbus://” is no chat service that the portal sends to"),
        ({"chat_url": "slack://x"}, "Something is missing in this address"),
        ({"chat_url": f"https://hooks.slack.com/{'x' * 500}"}, "at most 500 characters"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_saved(changes, sentence, door, ron):
    before = User.objects.filter(pk=ron.pk).values().get()
    response = save(door, **{"email_queue": "never", **changes})
    assert response.status_code == 400
    page = unescape(response.content.decode())
    assert sentence in page and "Nothing was saved yet." in page
    assert chosen() == {} and User.objects.filter(pk=ron.pk).values().get() == before


@pytest.mark.parametrize(
    ("digest", "begin", "end"), [("07:00", "20:00", "07:00"), ("19:59", "20:00", "07:00"), ("13:00", "12:00", "13:00")]
)
def test_a_digest_at_the_edge_of_the_quiet_hours_is_outside_of_them(digest, begin, end, door):
    assert save(door, digest_at=digest, quiet_from=begin, quiet_until=end).status_code == 302


# --- The chat address ----------------------------------------------------------------------------------------------


def test_a_chat_address_is_kept_and_never_shown(door, ron):
    assert save(door, chat_url=f" {SLACK} ").status_code == 302
    ron.refresh_from_db()
    assert ron.chat_url == SLACK
    page = page_of(door, SETTINGS)
    assert "https://hooks.slack.com/…" in page and SECRET not in page
    save(door, email_miss="digest")
    ron.refresh_from_db()
    assert ron.chat_url == SLACK


def test_a_chat_address_is_removed_and_replaced(door, ron):
    preferences.change(ron, {"chat_url": SLACK})
    other = f"ntfys://ntfy.example.com/{SECRET}"
    refused = save(door, chat_url=other, remove_chat="on")
    assert "Either write a new address or remove the one that is there." in refused.content.decode()
    save(door, chat_url=other)
    ron.refresh_from_db()
    assert ron.chat_url == other
    save(door, remove_chat="on")
    ron.refresh_from_db()
    assert ron.chat_url == ""
    assert "Remove the address" not in page_of(door, SETTINGS)


@pytest.fixture
def sent(monkeypatch) -> list[tuple[str, str, str]]:
    """What was posted to chats."""
    found = []
    monkeypatch.setattr(chat, "send", lambda url, *, title, text: found.append((url, title, text)))
    return found


def follow(door, path: str) -> str:
    return unescape(door.post(path, follow=True).content.decode())


def test_a_test_message_goes_to_the_stored_address(door, ron, sent):
    assert "There is no chat address yet; save one first." in follow(door, f"{SETTINGS}test/")
    preferences.change(ron, {"chat_url": SLACK})
    assert "A test message was sent to https://hooks.slack.com/…" in follow(door, f"{SETTINGS}test/")
    ((url, title, text),) = sent
    assert (url, title) == (SLACK, "SLA Portal: a test message")
    assert text.startswith("Ron asked for it.")
    assert door.get(f"{SETTINGS}test/").status_code == 405


def test_a_test_message_that_fails_says_why(door, ron, monkeypatch):
    def fail(url, **message):
        raise chat.Failed("Slack did not take the message (HTTP 404). Is the address still right?")

    monkeypatch.setattr(chat, "send", fail)
    preferences.change(ron, {"chat_url": SLACK})
    page = follow(door, f"{SETTINGS}test/")
    assert "Slack did not take the message (HTTP 404)." in page and SECRET not in page


# --- Teams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "may"), [("mona", True), ("rita", True), ("ron", False), ("sofia", False), ("vera", False)]
)
def test_a_team_is_set_up_by_its_manager_and_by_revops(who, may, request, client, mona, sales, sent):
    client.force_login(request.getfixturevalue(who))
    path = f"{SETTINGS}teams/{sales.pk}/"
    preferences.change(sales, {"chat_url": SLACK})
    assert client.get(path).status_code == (200 if may else 403)
    assert client.post(path, {}).status_code == (400 if may else 403)
    assert client.post(f"{path}test/").status_code == (302 if may else 403)
    assert len(sent) == may


def test_a_manager_finds_the_teams_page_and_chooses_for_all_who_chose_nothing(client, mona, ron, ruth, sales):
    client.force_login(mona)
    path = reverse("notice_settings_team", args=[sales.pk])
    assert f'href="{path}"' in page_of(client, SETTINGS)
    preferences.choose(ruth, {"miss": Wish("digest", "now")})
    assert save(client, path, email_miss="never", chat_url=SLACK)["Location"] == path
    sales.refresh_from_db()
    assert sales.chat_url == SLACK
    assert chosen(team=sales) == {"miss": ("never", "now", False)}
    wishes = Wishes([ron, ruth])
    assert (wishes.of(ron, "miss").email, wishes.of(ruth, "miss").email) == ("never", "digest")
    assert "quiet_from" not in page_of(client, path) and SECRET not in page_of(client, path)


def test_a_team_that_there_is_not_is_not_found(client, rita):
    client.force_login(rita)
    assert client.get(f"{SETTINGS}teams/999999/").status_code == 404


# --- Alarms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "is_told"), [("rita", True), ("mona", False), ("ron", False), ("sofia", False)])
def test_revops_sees_what_stands_still_on_every_page_and_the_way_to_it(who, is_told, request, client, monkeypatch):
    monkeypatch.setattr("slaportal.auditor.alarms", lambda *, now: ["5 <b>notices</b> wait.", "The outbox is held."])
    client.force_login(request.getfixturevalue(who))
    for path in ("/numbers/", "/notices/", "/agreements/"):
        page = client.get(path).content.decode()
        assert ("5 &lt;b&gt;notices&lt;/b&gt; wait." in page) == is_told
        assert (reverse("admin:slaportal_notice_changelist") in page) == is_told


def test_where_nothing_stands_still_there_is_no_banner(client, rita, monkeypatch):
    monkeypatch.setattr("slaportal.auditor.alarms", lambda *, now: [])
    client.force_login(rita)
    assert 'role="alert"' not in page_of(client, "/numbers/")


# --- Policy -----------------------------------------------------------------------------------------------------------


def test_the_pages_have_nothing_inline(door, ron, sales):
    make_notice(ron)
    preferences.change(ron, {"chat_url": SLACK})
    for path in ("/notices/", SETTINGS):
        response = door.get(path)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", response.content.decode())
        assert "unsafe" not in response["Content-Security-Policy"]


def test_every_field_of_the_settings_has_a_label(door):
    page = page_of(door, SETTINGS)
    ids = re.findall(r'<(?:select|input)[^>]* id="(\w+)"', page)
    assert len(ids) > 20
    assert {*re.findall(r'<label[^>]* for="(\w+)"', page)} >= set(ids)


# --- Digests ----------------------------------------------------------------------------------------------------------


def digest(count: int, kinds: Sequence[str] = ("miss", "warning")) -> tuple[str, str]:
    """The mail of so many notices, as HTML and text."""
    reader = SimpleNamespace(email="ron@example.com", pk=1)
    envelope = [SimpleNamespace(kind=kinds[i % len(kinds)], envelope=7, recipient=reader, pk=i) for i in range(count)]
    words = [
        Letter(f"Missed <b>& lead {i}.", (f"Paragraph of {i}.", "More <i>."), "Open", f"/handoffs/{i}/")
        for i in range(count)
    ]
    mail = letters.message(envelope, words)
    return mail.alternatives[0][0], mail.body


def test_a_few_notices_are_told_in_full_and_each_is_a_link(settings):
    for part in digest(3):
        for number in range(3):
            assert f"Paragraph of {number}." in part
            assert f"{settings.PORTAL_URL}/handoffs/{number}/" in part
        assert f"{settings.PORTAL_URL}/notices/settings/" in part


def test_a_hundred_and_twenty_five_notices_stay_readable(settings):
    html, text = digest(125, ("miss", "warning", "miss", "miss"))
    for part in (html, text):
        assert "125 notices" in part
        assert 0 < part.count("/handoffs/") <= 2 * letters.MOST_OF_A_KIND
        assert f"{94 - letters.MOST_OF_A_KIND} more in the portal" in part
        assert f"{31 - letters.MOST_OF_A_KIND} more in the portal" in part
        assert f"{settings.PORTAL_URL}/notices/" in part
    # Beyond it some readers cut a mail off.
    assert len(html.encode()) < 100_000


@pytest.mark.parametrize("count", [3, 125])
def test_a_digest_is_drawn_with_tables_and_styles_of_its_own_and_fetches_nothing(count):
    html, text = digest(count)
    assert "<b>" not in html and "<i>" not in html and "Missed &lt;b&gt;&amp; lead" in html
    assert "Missed <b>& lead" in text
    assert "<img" not in html and "<link" not in html and "@import" not in html and "url(" not in html
    assert set(re.findall(r'href="([^"]+)"', html)) and all(
        link.startswith("http") for link in re.findall(r'href="([^"]+)"', html)
    )
    assert html.count("<table") == html.count("</table>") and html.count("<tr") == html.count("</tr>")
    assert "prefers-color-scheme: dark" in html and "mso" in html


def test_a_single_letter_says_where_to_change_how_one_is_told(settings):
    reader = SimpleNamespace(email="ron@example.com", pk=1)
    notice = SimpleNamespace(kind="miss", envelope=7, recipient=reader, pk=1)
    mail = letters.message([notice], [Letter("Missed", ("It was due.",), "Open", "/handoffs/1/")])
    for part in (mail.body, mail.alternatives[0][0]):
        assert f"{settings.PORTAL_URL}/notices/settings/" in part
