"""What a leader sees of a contract: what is signed was shown, a decline, a day in the past, two versions, an alarm."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.urls import reverse

from agreements import signoff, terms
from agreements.calendars import add_closure
from agreements.models import Agreement, Signature, Status, Version
from slaportal import roles
from tests.conftest import MONDAY, PASSWORD, agree, triggers_off
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
@kept
def proposed(draft, rita) -> Version:
    return signoff.propose(draft, by=rita, now=MONDAY)


@pytest.fixture(autouse=True)
def monday():
    with time_machine.travel(MONDAY, tick=False):
        yield


def words(response) -> str:
    """The text of a page as it reads: marks inside a line leave no gap, everything else does."""
    text = re.sub(r"</?(time|b|a|em|ins|del)( [^>]*)?>", "", response.content.decode())
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def form_of(client, version: Version) -> dict[str, str]:
    """What the browser would post of the signing box as it stands."""
    box = client.get(version.get_absolute_url()).content.decode()
    box = box[box.index('id="sign-form"') :]
    inputs = re.findall(r"<input [^>]*>", box[: box.index("</form>")])
    fields = {}
    for one in inputs:
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', one))
        fields[attributes["name"]] = unescape(attributes.get("value", ""))
    return {name: fields[name] for name in ("name", "title", "terms_hash", "statement", "shown")}


def sign(client, version: Version, **fields):
    url = reverse("sign", args=[version.agreement_id, version.number])
    return client.post(url, {"password": PASSWORD, **form_of(client, version), "title": "Head", **fields})


# --- What you see is what you sign --------------------------------------------------------------------------------


def test_two_clicks_and_a_password_sign(proposed, max_, client):
    max_.title = "Head of Marketing"
    max_.save()
    client.force_login(max_)
    assert f'href="{proposed.get_absolute_url()}"' in client.get(reverse("agreements")).content.decode()
    shown = form_of(client, proposed)
    assert (shown["name"], shown["title"], shown["terms_hash"]) == ("Max", "Head of Marketing", proposed.terms_hash)
    assert terms.digest(shown["shown"]) == proposed.terms_hash
    assert sign(client, proposed, title=shown["title"]).status_code == 302
    signature = Signature.objects.get()
    assert (signature.name, signature.title, signature.terms_hash) == ("Max", "Head of Marketing", proposed.terms_hash)


def test_without_a_title_nobody_signs(proposed, max_, client):
    client.force_login(max_)
    response = sign(client, proposed, title=" ")
    assert response.status_code == 422
    assert not Signature.objects.exists()


def test_terms_that_changed_behind_the_page_are_a_409_with_the_difference(proposed, max_, client):
    client.force_login(max_)
    left_open = form_of(client, proposed)
    text = proposed.terms.replace('"target":"50"', '"target":"500"')
    with triggers_off():
        Version.objects.filter(pk=proposed.pk).update(terms=text, terms_hash=terms.digest(text))
    response = sign(client, proposed, **{**left_open, "title": "Head"})
    assert response.status_code == 409
    page = words(response)
    assert "These are not the terms that you were shown. Read them again, then sign." in page
    assert "What you were shown and what is frozen" in page
    assert re.search(r"volume · target 50 (leads )?.*500", page)
    assert left_open["terms_hash"] in page and terms.digest(text) in page
    assert not Signature.objects.exists()


def test_terms_that_nobody_proposed_cannot_be_signed_even_by_who_reads_them_again(proposed, max_, sofia, client):
    client.force_login(max_)
    assert sign(client, proposed).status_code == 302
    text = proposed.terms.replace('"target":"50"', '"target":"500"')
    with triggers_off():
        Version.objects.filter(pk=proposed.pk).update(terms=text, terms_hash=terms.digest(text))
    client.force_login(sofia)
    for _ in range(2):
        response = sign(client, proposed)  # the page of now, with the hash of now
        assert response.status_code == 409
        assert "changed behind everybody’s back" in words(response)
    proposed.refresh_from_db()
    assert (proposed.status, proposed.signatures.count()) == (Status.PROPOSED, 1)


def test_frozen_terms_whose_hash_is_no_longer_theirs_cannot_be_signed(proposed, max_, client):
    client.force_login(max_)
    left_open = form_of(client, proposed)
    with triggers_off():
        Version.objects.filter(pk=proposed.pk).update(terms=proposed.terms.replace('"target":"50"', '"target":"51"'))
    response = sign(client, proposed, **{**left_open, "title": "Head"})
    assert response.status_code == 409
    assert "changed behind everybody’s back" in words(response)
    assert re.search(r"volume · target 50 (leads )?.*51", words(response))
    assert not Signature.objects.exists()


def test_the_hash_of_another_version_shows_how_that_one_differs(version, rita, max_, client):
    draft = signoff.new_draft_from(version, by=rita, now=MONDAY)
    draft.commitments.filter(kind="volume").update(target=70)
    second = signoff.propose(draft, by=rita, now=MONDAY)
    client.force_login(max_)
    response = sign(client, second, terms_hash=version.terms_hash, shown="")
    assert response.status_code == 409
    assert re.search(r"volume · target 50 (leads )?.*70", words(response))


@pytest.mark.parametrize(
    "shown", ["", "no JSON", "{}", "[1]", '{"calendars": 3}', "<script>alert(1)</script>", "9" * 9]
)
@pytest.mark.parametrize("posted", ["", "0" * 64, "own", "<b>x</b>"])
def test_whatever_else_is_posted_is_a_409_and_breaks_nothing(shown, posted, proposed, max_, client):
    client.force_login(max_)
    digest = terms.digest(shown) if posted == "own" else posted
    response = sign(client, proposed, shown=shown, terms_hash=digest)
    assert response.status_code == 409
    assert "<script>alert" not in response.content.decode() and "<b>x</b>" not in response.content.decode()
    assert proposed.terms_hash in words(response)
    assert not Signature.objects.exists()


@pytest.mark.parametrize(
    ("what", "into"),
    [('"target":"50"', '"target":"1/0"'), ('"entry_grace_days":"2"', '"entry_grace_days":"1e999999"'),
     ('"review_weekday":1', '"review_weekday":99')],
)  # fmt: skip
def test_terms_shown_that_mean_nothing_break_nothing(what, into, proposed, max_, client):
    client.force_login(max_)
    shown = proposed.terms.replace(what, into)
    assert shown != proposed.terms
    assert sign(client, proposed, shown=shown, terms_hash=terms.digest(shown)).status_code == 409


def test_a_meaning_that_changed_since_it_was_shown_is_not_signed(version, rita, max_, sofia, client):
    draft = signoff.new_draft_from(version, by=rita, now=MONDAY)
    waiting = signoff.propose(draft, by=rita, now=MONDAY)
    client.force_login(max_)
    response = sign(client, waiting, statement="I have read something else.")
    assert response.status_code == 409
    assert "What your signature means has changed since you were shown it." in words(response)
    assert not waiting.signatures.exists()


@pytest.mark.parametrize("name", ["\u200b", " . "])
def test_a_name_that_prints_as_nothing_is_no_signature(name, proposed, max_, client):
    client.force_login(max_)
    assert sign(client, proposed, name=name).status_code == 422


def test_after_a_409_the_page_offers_the_frozen_terms_and_never_what_was_refused(proposed, max_, client):
    client.force_login(max_)
    html = sign(client, proposed, terms_hash="0" * 64).content.decode()
    assert f'name="terms_hash" value="{proposed.terms_hash}"' in html


def test_a_person_whose_role_was_taken_away_a_second_ago_cannot_sign(proposed, max_, client):
    client.force_login(max_)
    left_open = form_of(client, proposed)
    max_.groups.clear()
    max_.groups.add(Group.objects.get(name=roles.VIEWER))
    url = reverse("sign", args=[proposed.agreement_id, proposed.number])
    response = client.post(url, {**left_open, "title": "Head", "password": PASSWORD})
    assert response.status_code == 422
    assert "Only the leaders of this agreement’s marketing and sales teams sign" in words(response)
    assert not Signature.objects.exists()


# --- Declined -----------------------------------------------------------------------------------------------------


def test_a_decline_leaves_the_earlier_signature_visible_and_gives_revops_a_draft(proposed, max_, sofia, rita, client):
    client.force_login(max_)
    sign(client, proposed, title="Head of Marketing")
    client.force_login(sofia)
    url = reverse("decline", args=[proposed.agreement_id, proposed.number])
    response = client.post(url, {"reason": "Four hours are too few."}, follow=True)
    page = words(response)
    assert "You have declined version 1. RevOps has a new draft with your reason on it." in page
    assert "for sales: Four hours are too few." in page
    assert "Signed, without effect" in page
    draft = Version.objects.get(based_on=proposed)
    assert (draft.status, draft.number, draft.created_by) == (Status.DRAFT, 2, None)
    history = words(client.get(proposed.agreement.get_absolute_url()))
    assert "Version 1 declined by Sofia for sales: Four hours are too few." in history
    assert "Max signed for marketing, 3 Mar 2025. Without effect." in history
    client.force_login(rita)
    edit = words(client.get(reverse("admin:agreements_version_change", args=[draft.pk])))
    assert "Version 1 was declined by Sofia on 3 Mar 2025 for sales: Four hours are too few." in edit


# --- What bound the teams on a day --------------------------------------------------------------------------------


@pytest.fixture
def two_versions(version, rita, max_, sofia) -> Agreement:
    """Version 1 since 1 January, version 2 from 3 April 2025, 10:00 in Berlin, until the end of June."""
    draft = signoff.new_draft_from(version, by=rita, now=MONDAY)
    draft.ends_on = date(2025, 6, 30)
    draft.save()
    agree(draft, by=rita, marketing=max_, sales=sofia, now=datetime(2025, 4, 3, 8, tzinfo=UTC))
    return version.agreement


def on(client, agreement: Agreement, day: str):
    return client.get(agreement.get_absolute_url(), {"on": day})


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2024-12-31", ["Nothing was in force on 31 December 2024."]),
        ("2025-01-01", ["Version 1 bound the teams on 1 January 2025."]),
        ("2025-03-01", ["Version 1 bound the teams on 1 March 2025."]),
        ("2025-04-02", ["Version 1 bound the teams on 2 April 2025."]),
        (
            "2025-04-03",
            [
                "Version 1 bound the teams on 3 April 2025 until 10:00.",
                "Version 2 bound the teams on 3 April 2025 from 10:00.",
            ],
        ),
        ("2025-06-30", ["Version 2 bound the teams on 30 June 2025."]),
        ("2025-07-01", ["Nothing was in force on 1 July 2025."]),
    ],
)
def test_the_page_says_what_bound_the_teams_on_a_day(day, said, two_versions, vera, client):
    with time_machine.travel(datetime(2025, 8, 1, tzinfo=UTC), tick=False):
        client.force_login(vera)
        response = on(client, two_versions, day)
    assert response.status_code == 200
    page = words(response)
    found = re.findall(r"Version \d bound the teams on [^.]*\.|Nothing was in force on [^.]*\.", page)
    assert found == said


def test_the_day_shows_its_open_hours_with_closures_added_since(version, office, rita, vera, client):
    client.force_login(vera)
    assert "Office 09:00–17:30" in words(on(client, version.agreement, "2025-03-04"))
    add_closure(calendar=office, day=date(2025, 3, 4), reason="Strike", by=rita, now=MONDAY)
    assert "Office closed" in words(on(client, version.agreement, "2025-03-04"))


@pytest.mark.parametrize("day", ["", "yesterday", "2025-02-30", "0001-01-01", "9999-12-31", "<b>"])
def test_a_day_that_is_none_is_said(day, version, vera, client):
    client.force_login(vera)
    response = on(client, version.agreement, day)
    assert response.status_code == 400
    assert re.search(
        r"Write a day such as 2025-03-01|Choose a day of the years|This field is required", words(response)
    )


def test_what_is_not_signed_binds_nobody(proposed, vera, client):
    client.force_login(vera)
    assert "Nothing was in force on 3 March 2025." in words(on(client, proposed.agreement, "2025-03-03"))


# --- Any two versions ---------------------------------------------------------------------------------------------


def compare(client, agreement: Agreement, **numbers):
    return client.get(reverse("compare", args=[agreement.pk]), numbers)


def test_any_two_versions_are_compared_in_either_direction(version, rita, client):
    draft = signoff.new_draft_from(version, by=rita, now=MONDAY)
    draft.commitments.filter(kind="first_response").update(limit=2)
    client.force_login(rita)
    there = words(compare(client, version.agreement, before=1, after=2))
    assert "first_response · limit 4 business hours 2 business hours" in there.replace("\xa0", " ")
    back = words(compare(client, version.agreement, before=2, after=1))
    assert "first_response · limit 2 business hours 4 business hours" in back.replace("\xa0", " ")
    assert "They say the same." in words(compare(client, version.agreement, before=1, after=1))
    # Without numbers: the newest against what is in force.
    assert "Version 2, with its changes since version 1 marked" in words(compare(client, version.agreement))


def test_a_draft_is_compared_by_revops_alone(version, rita, max_, client):
    signoff.new_draft_from(version, by=rita, now=MONDAY)
    client.force_login(max_)
    response = compare(client, version.agreement, before=1, after=2)
    assert response.status_code == 404
    assert "There is no version 2 of this agreement that you may see." in words(response)
    assert "There are no two versions to compare yet." in words(compare(client, version.agreement))


@pytest.mark.parametrize("number", ["9", "x", "-1", "²", "<b>"])
def test_a_number_that_is_none_is_said(number, version, max_, client):
    client.force_login(max_)
    response = compare(client, version.agreement, before=1, after=number)
    assert response.status_code == 404
    assert "version <b>" not in response.content.decode()


def test_a_draft_that_was_withdrawn_stays_with_revops(draft, rita, vera, client):
    signoff.withdraw(draft, by=rita, reason="Obsolete.", now=MONDAY)
    for name in ("version", "document", "agreement_pdf"):
        client.force_login(vera)
        assert client.get(reverse(name, args=[draft.agreement_id, 1])).status_code == 404
    client.force_login(rita)
    assert client.get(draft.get_absolute_url()).status_code == 200


# --- The alarm ----------------------------------------------------------------------------------------------------


def test_the_agreements_page_raises_the_alarm_and_names_the_row(version, vera, client):
    client.force_login(vera)
    assert "is not what was signed" not in words(client.get(version.agreement.get_absolute_url()))
    signature = version.signatures.first()
    with triggers_off():
        Signature.objects.filter(pk=signature.pk).update(name="Somebody else")
    page = words(client.get(version.agreement.get_absolute_url()))
    assert "This agreement is not what was signed." in page
    assert f"signature {signature.pk}: name changed since event 3 (signed)" in page


@pytest.mark.parametrize("text", ["no JSON", "{}", "[1]"])
def test_terms_that_cannot_be_read_raise_the_alarm_on_every_page(text, version, rita, max_, client):
    second = signoff.propose(signoff.new_draft_from(version, by=rita, now=MONDAY), by=rita, now=MONDAY)
    with triggers_off():
        Version.objects.filter(pk=version.pk).update(terms=text)
    one = [version.agreement_id]
    pages = [
        version.agreement.get_absolute_url(),
        f"{version.agreement.get_absolute_url()}?on=2025-03-01",
        version.get_absolute_url(),
        second.get_absolute_url(),
        reverse("document", args=[*one, 1]),
        reverse("agreement_pdf", args=[*one, 1]),
        reverse("compare", args=one),
    ]
    changed = "admin:agreements_version_change"
    desk = [
        reverse("admin:agreements_agreement_change", args=one),
        reverse(changed, args=[version.pk]),
        reverse(changed, args=[second.pk]),
    ]
    for person, urls in ((max_, pages), (rita, desk)):
        client.force_login(person)
        for url in urls:
            response = client.get(url)
            assert response.status_code in (200, 409), url
            assert "This agreement is not what was signed." in words(response), url
    client.force_login(max_)
    url = reverse("sign", args=[version.agreement_id, 2])
    assert client.post(url, {"name": "Max", "title": "Head", "password": "wrong"}).status_code in (409, 422)


def test_the_agreements_page_says_when_the_next_review_is(version, vera, client):
    client.force_login(vera)
    assert "Next review 4 March 2025" in words(client.get(version.agreement.get_absolute_url()))


def test_the_agreements_page_asks_as_often_for_many_versions(
    version, rita, max_, sofia, client, django_assert_max_num_queries
):
    client.force_login(max_)
    url = version.agreement.get_absolute_url() + "?on=2025-03-01"
    with django_assert_max_num_queries(40) as asked:
        client.get(url)
    once = len(asked)
    for number in range(6):
        draft = signoff.new_draft_from(version, by=rita, now=MONDAY)
        agree(draft, by=rita, marketing=max_, sales=sofia, now=MONDAY + (number + 1) * DAY)
    with django_assert_max_num_queries(once):
        client.get(url)
