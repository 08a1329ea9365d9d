"""The pages of agreements: who sees what, and signing through them."""

from datetime import UTC, date, datetime

import pytest
import time_machine
from django.urls import reverse

from agreements import signers, signoff
from agreements.models import Agreement, Signature, Status, Version
from agreements.standing import standings
from tests.conftest import MONDAY, PASSWORD, agree, complete, make_commitment, triggers_off
from tests.kept import kept


@pytest.fixture
@kept
def proposed(draft, rita) -> Version:
    """Version 1, waiting for both signatures."""
    return signoff.propose(draft, by=rita, now=MONDAY)


def page(client, user, url: str) -> str:
    client.force_login(user)
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode().replace("\xa0", " ")


def post_signature(client, user, version: Version, **overrides):
    client.force_login(user)
    party = signers.signing_party(user, version.agreement)
    fields = {"name": user.name, "title": "VP", "password": PASSWORD, "terms_hash": version.terms_hash,
              "statement": signoff.meaning(version, party) if party and version.terms else "", **overrides}  # fmt: skip
    return client.post(reverse("sign", args=[version.agreement_id, version.number]), fields)


def post_refusal(client, user, version: Version, reason: str = "Too fast for us."):
    client.force_login(user)
    return client.post(reverse("decline", args=[version.agreement_id, version.number]), {"reason": reason})


# --- Signing ------------------------------------------------------------------------------------------------------


def test_both_leaders_sign_through_the_page_and_the_version_is_agreed(proposed, max_, sofia, client):
    for leader, said in ((max_, "You have signed for marketing. The other side"), (sofia, "Both sides have signed.")):
        assert f"Sign version {proposed.number}" in page(client, leader, proposed.get_absolute_url())
        response = post_signature(client, leader, proposed)
        assert response.status_code == 302
        assert said in page(client, leader, response["Location"])
    proposed.refresh_from_db()
    assert proposed.status == Status.AGREED
    assert {signature.name for signature in proposed.signatures.all()} == {"Max", "Sofia"}


def test_the_page_posts_the_hash_of_what_it_shows_and_says_what_is_signed(proposed, sofia, client):
    shown = page(client, sofia, proposed.get_absolute_url())
    assert f'name="terms_hash" value="{proposed.terms_hash}"' in shown
    assert "I have read version 1 of “DACH inbound” and commit sales to it from 1 January 2025." in shown


def test_a_wrong_password_signs_nothing_and_keeps_what_was_typed(proposed, sofia, client):
    response = post_signature(client, sofia, proposed, password="wrong", title="Chief of sales")
    shown = response.content.decode()
    assert response.status_code == 422
    assert "That is not your password, or too many tries have failed" in shown
    assert 'value="Chief of sales"' in shown
    assert "wrong" not in shown
    assert not Signature.objects.exists()


def test_terms_that_were_not_shown_are_a_conflict_and_the_page_then_carries_the_right_ones(proposed, sofia, client):
    for hash_ in ("0" * 64, ""):
        response = post_signature(client, sofia, proposed, terms_hash=hash_)
        shown = response.content.decode()
        assert response.status_code == 409
        assert "These are not the terms that you were shown." in shown
        assert f'name="terms_hash" value="{proposed.terms_hash}"' in shown
    assert not Signature.objects.exists()


@pytest.mark.parametrize("missing", ["name", "password"])
def test_a_signature_without_name_or_password_is_asked_for_again(missing, proposed, sofia, client):
    response = post_signature(client, sofia, proposed, **{missing: ""})
    assert response.status_code == 422
    assert "This field is required." in response.content.decode()
    assert not Signature.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["rita", "ron", "mona", "vera"])
def test_nobody_but_the_two_leaders_can_sign_or_decline(who, proposed, request, client):
    user = request.getfixturevalue(who)
    shown = page(client, user, proposed.get_absolute_url())
    assert "Sign version" not in shown
    assert "Decline" not in shown
    signed = post_signature(client, user, proposed)
    assert signed.status_code == 422
    assert "Only the leaders of this agreement’s marketing and sales teams sign" in signed.content.decode()
    declined = post_refusal(client, user, proposed)
    assert declined.status_code == 422
    assert "Only the leaders of this agreement’s marketing and sales teams can decline." in declined.content.decode()
    proposed.refresh_from_db()
    assert proposed.status == Status.PROPOSED
    assert not Signature.objects.exists()


def test_a_second_click_changes_nothing(proposed, sofia, client):
    post_signature(client, sofia, proposed)
    assert post_signature(client, sofia, proposed).status_code == 302
    assert Signature.objects.count() == 1
    shown = page(client, sofia, proposed.get_absolute_url())
    assert "Sign version" not in shown
    assert "Not yet" in shown


def test_signing_cannot_be_done_with_a_link(proposed, sofia, client):
    client.force_login(sofia)
    for name in ("sign", "decline"):
        assert client.get(reverse(name, args=[proposed.agreement_id, proposed.number])).status_code == 405


def test_declining_needs_a_reason_which_everybody_then_reads(proposed, max_, vera, client):
    empty = post_refusal(client, max_, proposed, reason=" ")
    assert empty.status_code == 422
    assert "This field is required." in empty.content.decode()
    assert '<details class="more decline" open>' in empty.content.decode()
    assert post_refusal(client, max_, proposed, reason="Fifty leads are <too> many.").status_code == 302
    for url in (proposed.get_absolute_url(), proposed.agreement.get_absolute_url()):
        assert "for marketing: Fifty leads are &lt;too&gt; many." in page(client, vera, url)
    late = post_signature(client, max_, proposed)
    assert late.status_code == 422
    assert "Version 1 is declined; only a proposed one can be signed." in late.content.decode()


# --- Reading --------------------------------------------------------------------------------------------------------


def test_a_version_reads_as_one_page(version, vera, client):
    shown = page(client, vera, version.get_absolute_url())
    positions = [
        shown.index(words)
        for words in (
            "This agreement covers every lead.",
            "A qualified lead",
            "Marketing will",
            "hand over at least 50 qualified leads a month",
            "Sales will",
            "make first contact with every lead within 4 business hours after it qualifies",
            "Both will",
            "Business hours",
            "Signatures",
        )
    ]
    assert positions == sorted(positions)


def test_a_version_applied_to_history_says_so_with_its_true_date(version, vera, client):
    assert version.is_retroactive
    for url in (version.get_absolute_url(), version.agreement.get_absolute_url()):
        shown = page(client, vera, url)
        assert ">3 March 2025</time>, applied to history from <time" in shown
        assert ">1 January 2025</time>" in shown


def test_the_day_of_taking_effect_is_that_of_the_agreement_wherever_the_reader_is(version, vera, client):
    vera.time_zone = "Pacific/Honolulu"
    vera.save()
    assert "from <time" in page(client, vera, version.get_absolute_url())
    assert ">1 Jan 2025</time>" in page(client, vera, reverse("agreements"))


def test_frozen_terms_are_shown_and_not_the_rows_behind_them(version, vera, client):
    with triggers_off():
        version.commitments.update(title="Something else", target=1)
    shown = page(client, vera, version.get_absolute_url())
    assert "Something else" not in shown
    assert "at least 50 qualified leads" in shown


def test_texts_of_people_are_escaped(proposed, sofia, rita, client):
    draft = signoff.new_draft_from(proposed, by=rita, now=MONDAY)
    draft.note = "<script>alert(1)</script>"
    draft.save()
    draft.commitments.update(consequence="<b>Ouch</b>", title="<i>T</i>")
    shown = page(client, rita, draft.get_absolute_url())
    assert "<script>alert" not in shown
    assert "&lt;b&gt;Ouch" in shown
    assert "&lt;i&gt;T" in shown


def test_drafts_are_seen_by_revops_alone(draft, rita, sofia, client):
    assert "A draft: as it would be proposed now." in page(client, rita, draft.get_absolute_url())
    assert "Version 1" in page(client, rita, draft.agreement.get_absolute_url())
    client.force_login(sofia)
    assert client.get(draft.get_absolute_url()).status_code == 404
    shown = page(client, sofia, draft.agreement.get_absolute_url())
    assert "No version yet." in shown
    assert "drafted" not in shown


def test_only_revops_is_led_to_the_admin(proposed, rita, sofia, client):
    link = reverse("admin:agreements_version_change", args=[proposed.pk])
    assert link in page(client, rita, proposed.get_absolute_url())
    assert "/admin/" not in page(client, sofia, proposed.get_absolute_url())


def test_what_does_not_exist_is_not_found(version, vera, client):
    client.force_login(vera)
    for url in (reverse("agreement", args=[999]), reverse("version", args=[version.agreement_id, 9])):
        assert client.get(url).status_code == 404


# --- Lists ----------------------------------------------------------------------------------------------------------


def test_without_agreements_the_list_says_what_comes(vera, client):
    assert "No agreement yet." in page(client, vera, reverse("agreements"))


def test_the_list_names_what_is_in_force_and_what_waits_for_the_reader(version, rita, max_, sofia, client):
    second = signoff.propose(signoff.new_draft_from(version, by=rita, now=MONDAY), by=rita, now=MONDAY)
    post_signature(client, max_, second)
    waiting = "Waiting for your signature"
    assert waiting in page(client, sofia, reverse("agreements"))
    assert "Version 2 waits for your signature." in page(client, sofia, version.agreement.get_absolute_url())
    for user in (max_, rita):
        shown = page(client, user, reverse("agreements"))
        assert waiting not in shown
        assert "Version 2</a>" in shown
        assert "since <time" in shown


def test_the_list_asks_the_database_as_often_for_many_as_for_one(
    version, rita, max_, sofia, client, django_assert_max_num_queries
):
    def queries() -> int:
        with django_assert_max_num_queries(40) as asked:
            client.get(reverse("agreements"))
        return len(asked)

    client.force_login(sofia)
    once = queries()
    for index in range(5):
        other = Agreement.objects.create(
            name=f"Agreement {index}",
            marketing_team=version.agreement.marketing_team,
            sales_team=version.agreement.sales_team,
        )
        draft = signoff.new_draft(other, by=rita, now=MONDAY, calendar=version.calendar)
        make_commitment(draft)
        agree(complete(draft), by=rita, marketing=max_, sales=sofia)
        signoff.propose(signoff.new_draft_from(draft, by=rita, now=MONDAY), by=rita, now=MONDAY)
    assert queries() == once


def test_the_history_tells_what_happened_newest_first(version, vera, client):
    shown = page(client, vera, version.agreement.get_absolute_url())
    events = shown[shown.index("What happened") :]
    order = [events.index(f"<b>{what}</b>") for what in ("agreed", "signed", "proposed", "drafted")]
    assert order == sorted(order)
    assert "by Sofia" in events
    assert "for sales" in events


# --- Where a version stands -------------------------------------------------------------------------------------------


def words(agreement: Agreement, now: datetime) -> dict[int, str]:
    """The standing of each version by its number."""
    in_force = agreement.versions.in_force(now).first()
    found = standings(agreement.versions.all(), in_force_id=in_force and in_force.pk, now=now)
    return {one.version.number: one.word for one in found}


def test_in_force_and_superseded_are_questions_of_date(version, rita, max_, sofia):
    second = signoff.new_draft_from(version, by=rita, now=MONDAY)
    second.wanted_from, second.ends_on = date(2025, 6, 1), date(2025, 12, 31)
    second.save()
    second = agree(second, by=rita, marketing=max_, sales=sofia)
    signoff.new_draft_from(second, by=rita, now=MONDAY)

    def at(*day: int) -> dict[int, str]:
        return words(version.agreement, datetime(*day, tzinfo=UTC))

    assert at(2024, 12, 1) == {1: "planned", 2: "planned", 3: "draft"}
    assert at(2025, 3, 4) == {1: "in force", 2: "planned", 3: "draft"}
    assert at(2025, 5, 31, 22) == {1: "superseded", 2: "in force", 3: "draft"}  # midnight in Berlin
    assert at(2025, 5, 31, 21, 59) == {1: "in force", 2: "planned", 3: "draft"}
    assert at(2026, 1, 1) == {1: "superseded", 2: "ended", 3: "draft"}
    spans = {
        one.version.number: one for one in standings(version.agreement.versions.all(), in_force_id=None, now=MONDAY)
    }
    assert spans[1].until == spans[2].since == datetime(2025, 5, 31, 22, tzinfo=UTC)
    assert spans[2].until == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert spans[3].since is None


@pytest.mark.parametrize(
    ("on", "word", "sentence"),
    [
        (datetime(2025, 4, 1, tzinfo=UTC), "Agreed, not yet in force", "In force from <time"),
        (datetime(2025, 7, 1, tzinfo=UTC), "In force</span>", "In force since <time"),
        (datetime(2025, 9, 1, tzinfo=UTC), "Ended", "Was in force from <time"),
    ],
)
def test_the_page_of_a_version_says_where_it_stands(on, word, sentence, draft, rita, max_, sofia, vera, client):
    draft.wanted_from, draft.ends_on = date(2025, 6, 1), date(2025, 8, 31)
    draft.save()
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    with time_machine.travel(on, tick=False):
        shown = page(client, vera, version.get_absolute_url())
    assert word in shown
    assert sentence in shown


def test_passwords_cannot_be_tried_without_end_on_a_session_left_open(proposed, sofia, client, settings):
    settings.AXES_ENABLED = True
    for _ in range(settings.AXES_FAILURE_LIMIT):
        post_signature(client, sofia, proposed, password="guess")
    assert post_signature(client, sofia, proposed).status_code == 429
    assert not Signature.objects.exists()
