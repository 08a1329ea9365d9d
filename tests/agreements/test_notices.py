"""What people are told of a version, to whom, and whether it still holds when it is sent."""

from datetime import timedelta

import pytest
from django.core import mail

from agreements import documents, notices, signoff, tasks
from agreements.models import Signature, Version
from slaportal import outbox, roles
from slaportal.letters import Letter
from slaportal.models import Notice, Party, Team, User
from tests.conftest import MONDAY, PASSWORD, agree, make_user, triggers_off
from tests.kept import kept

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
@kept
def proposed(draft, rita, max_, sofia) -> Version:
    return signoff.propose(draft, by=rita, now=MONDAY)


def sign(version: Version, signer: User, **overrides) -> None:
    given = {"password": PASSWORD, "terms_hash": version.terms_hash, "name": signer.name, "now": MONDAY, **overrides}
    signoff.sign(version, signer=signer, **given)


def told(key: str) -> set[str]:
    return set(Notice.objects.filter(key=key).values_list("recipient__email", flat=True))


def letter(key: str, person: User, channel: str = "email") -> Letter | None:
    """What the notice says if it is sent now."""
    notice = Notice.objects.get(key=key, recipient=person, channel=channel)
    (said,) = getattr(notices, notice.letter.rpartition(".")[2])([notice])
    return said


# --- Please sign --------------------------------------------------------------------------------------------------


def test_a_proposal_asks_everybody_who_may_sign_it_and_nobody_else(draft, rita, max_, sofia, mona, ron, vera):
    elsewhere = Team.objects.create(name="Marketing Nordics", party=Party.MARKETING)
    make_user("nils@example.com", roles.MARKETING_LEADER, team=elsewhere)
    make_user("mia@example.com", roles.MARKETING_LEADER)  # above all teams
    make_user("gone@example.com", roles.SALES_LEADER, team=sofia.team, is_active=False)
    both = make_user("both@example.com", roles.SALES_LEADER, team=sofia.team)
    both.groups.add(rita.groups.get())
    signoff.propose(draft, by=rita, now=MONDAY)
    assert told(f"proposed:{draft.pk}") == {"max@example.com", "mia@example.com", "sofia@example.com"}


def test_the_request_links_to_the_page_and_says_what_to_do(proposed, max_):
    asked = letter(f"proposed:{proposed.pk}", max_)
    assert asked.subject == "Please sign: DACH inbound, version 1"
    assert asked.link == proposed.get_absolute_url()
    assert "waits for your signature for marketing" in asked.paragraphs[0]


def test_the_request_names_what_changes_against_the_version_in_force(version, rita, max_):
    draft = signoff.new_draft_from(version, by=rita, now=MONDAY + HOUR)
    draft.note = "Quicker."
    draft.save()
    draft.commitments.filter(kind="first_response").update(limit=2)
    second = signoff.propose(draft, by=rita, now=MONDAY + HOUR)
    said = letter(f"proposed:{second.pk}", max_).paragraphs
    assert "Quicker." in said
    assert "What changes against version 1, in force:" in said
    assert "• first_response · limit: 4 business hours → 2 business hours" in [one.replace("\xa0", " ") for one in said]


def test_a_long_list_of_changes_is_cut_and_says_so(version, rita, max_):
    draft = signoff.new_draft_from(version, by=rita, now=MONDAY + HOUR)
    draft.commitments.update(target=51, baseline=11, consequence="Other", title="Other")
    second = signoff.propose(draft, by=rita, now=MONDAY + HOUR)
    said = letter(f"proposed:{second.pk}", max_).paragraphs
    assert sum(line.startswith("• ") for line in said) == notices.MOST_CHANGES + 1
    assert said[-1].startswith("• and ")


@pytest.mark.parametrize("end", ["signed", "declined", "withdrawn", "role taken away", "deactivated"])
def test_a_request_that_no_longer_holds_is_not_sent(end, proposed, max_, sofia, rita):
    match end:
        case "signed":
            sign(proposed, max_)
        case "declined":
            signoff.decline(proposed, by=sofia, reason="No.", now=MONDAY)
        case "withdrawn":
            signoff.withdraw(proposed, by=rita, reason="No.", now=MONDAY)
        case "role taken away":
            max_.groups.clear()
        case "deactivated":
            User.objects.filter(pk=max_.pk).update(is_active=False)
    assert letter(f"proposed:{proposed.pk}", max_) is None


def test_a_colleague_of_a_side_that_has_signed_is_asked_no_more(proposed, max_, sofia):
    sign(proposed, max_)
    assert letter(f"proposed:{proposed.pk}", sofia) is not None
    colleague = make_user("mia@example.com", roles.MARKETING_LEADER)
    notice = Notice(key="x", recipient=colleague, about=proposed.pk)
    assert notices.please_sign([notice]) == [None]


# --- Declined -----------------------------------------------------------------------------------------------------


def test_revops_is_told_of_a_decline_with_the_reason_and_the_new_draft(proposed, max_, sofia, rita):
    sign(proposed, max_)
    signoff.decline(proposed, by=sofia, reason="Four hours are too few.", now=MONDAY + HOUR)
    assert told(f"declined:{proposed.pk}") == {"rita@example.com", "max@example.com"}
    said = letter(f"declined:{proposed.pk}", rita)
    assert said.paragraphs[0] == "Sofia declined for sales: Four hours are too few."
    draft = Version.objects.get(based_on=proposed)
    assert said.link == f"/admin/agreements/version/{draft.pk}/change/"
    signoff.withdraw(draft, by=rita, reason="Enough.", now=MONDAY + HOUR)
    assert letter(f"declined:{proposed.pk}", rita).link == proposed.get_absolute_url()
    assert "without effect" in letter(f"declined:{proposed.pk}", max_).paragraphs[1]


# --- Agreed -------------------------------------------------------------------------------------------------------


def test_after_the_second_signature_both_receive_the_signed_document_with_the_chains_head(version, max_, sofia, rita):
    key = f"agreed:{version.pk}"
    assert told(key) == {"max@example.com", "sofia@example.com", "rita@example.com"}
    said = letter(key, max_)
    (file,) = said.attachments
    assert (file.name, file.mime_type) == (documents.file_name(version), "application/pdf")
    assert file.content.startswith(b"%PDF-")
    text = " ".join(said.paragraphs)
    event = version.events.last()
    assert event.what == "agreed" and event.mac in text
    assert version.terms_hash in text
    assert "Max for marketing and Sofia for sales have signed" in text
    assert "in force from 1 January 2025, 00:00 (Europe/Berlin)" in text


def test_the_head_in_the_notice_is_the_one_on_the_document(version, max_):
    event = version.events.last()
    assert event.mac in " ".join(letter(f"agreed:{version.pk}", max_).paragraphs)
    assert documents.context(version, now=MONDAY)["head"] == event


def test_only_a_mail_carries_the_document_and_the_portal_says_where_it_is(version, max_):
    said = letter(f"agreed:{version.pk}", max_, channel="portal")
    assert said.attachments == ()
    assert "The document can be printed from its page." in said.paragraphs


def test_where_no_pdf_can_be_drawn_the_notice_goes_out_with_the_link(version, max_, monkeypatch):
    monkeypatch.setattr(documents, "can_draw_pdf", lambda: False)
    said = letter(f"agreed:{version.pk}", max_)
    assert said.attachments == ()
    assert "The document can be printed from its page." in said.paragraphs


def test_one_signature_tells_nobody_that_it_is_agreed(proposed, max_):
    sign(proposed, max_)
    assert told(f"agreed:{proposed.pk}") == set()


def test_a_refused_signature_writes_no_notice(proposed, max_, sofia):
    sign(proposed, max_)
    with pytest.raises(signoff.SignoffError):
        sign(proposed, sofia, password="wrong")
    assert told(f"agreed:{proposed.pk}") == set()


# --- The alarm ----------------------------------------------------------------------------------------------------


def test_revops_is_told_once_of_an_agreement_that_is_not_what_was_signed(version, rita, max_):
    assert tasks.verify_agreements() == 0
    with triggers_off():
        Signature.objects.filter(signer=max_).update(name="Somebody else")
    for _ in range(2):
        assert tasks.verify_agreements() == 1
    notice = Notice.objects.get(key__startswith=f"alarm:{version.agreement_id}:", channel="email")
    assert (notice.recipient, notice.kind) == (rita, "alarm")
    (said,) = notices.alarm([notice])
    assert "name changed since event 3 (signed)" in said.paragraphs[0]
    with triggers_off():
        Signature.objects.filter(signer=max_).update(name="Max")
    assert notices.alarm([notice]) == [None]


@pytest.mark.django_db(transaction=True)
def test_the_signed_document_arrives_by_mail(draft, rita, max_, sofia):
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    assert outbox.send_due(now=MONDAY + HOUR) == 6
    sent = {message.to[0]: message for message in mail.outbox}
    assert sent.keys() == {"max@example.com", "sofia@example.com", "rita@example.com"}
    for message in sent.values():
        assert message.subject == "Signed by both sides: DACH inbound, version 1"
        ((name, content, kind),) = message.attachments
        assert (name, kind, content[:5]) == (documents.file_name(version), "application/pdf", b"%PDF-")
    # The requests to sign no longer held; they were not sent.
    cancelled = Notice.objects.in_state(Notice.State.CANCELLED)
    assert set(cancelled.values_list("key", "channel")) == {
        (f"proposed:{version.pk}", channel) for channel in ("portal", "email")
    }
