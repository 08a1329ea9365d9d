"""What was drawn is kept as long as its figures and this release are the same, and says the same to everybody."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import translation

from reports import drawing, editions, rendering, scorecards
from reports.models import RecoveryPlan, Rendering
from tests.conftest import make_user
from tests.reports.conftest import MARCH, MET, MISSED, NOW, make_clock, make_handoff

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def fifth_of_may(time_machine):
    """It is 5 May 2025."""
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def history(version, response, ron):
    for state in (MET, MET, MISSED):
        make_clock(make_handoff(version, ron), response, state)
    return version.agreement


class Pen:
    """Draws what it is asked for, and remembers."""

    def __init__(self):
        self.asked = []

    def __call__(self, edition, name):
        self.asked.append(name)
        return f"{name} of {edition.read()['handoffs']}".encode()


def parts(agreement, *names, pen, now=NOW):
    return rendering.parts(editions.live(agreement, MARCH, now=now), list(names), draw=pen, now=now)


def test_a_part_is_drawn_once_for_the_same_figures(history):
    pen = Pen()

    first, again = parts(history, "head", pen=pen), parts(history, "head", "body", pen=pen)

    assert first["head"] == again["head"] == b"head of 3"
    assert pen.asked == ["head", "body"]


def test_figures_that_are_computed_anew_are_drawn_anew(history, version):
    pen = Pen()
    parts(history, "head", pen=pen)
    make_handoff(version)
    scorecards.store(history, MARCH, now=LATER)

    assert parts(history, "head", pen=pen, now=LATER) == {"head": b"head of 4"}
    assert Rendering.objects.count() == 1  # in place of the one before


def test_a_new_release_draws_everything_anew(history, monkeypatch):
    pen = Pen()
    parts(history, "head", pen=pen)
    monkeypatch.setattr(rendering, "release", lambda: "another one")

    parts(history, "head", pen=pen)

    assert pen.asked == ["head", "head"]


def test_what_happens_by_itself_shows_at_once(client, vera, history, version, rita):
    """It is kept with the page, and changes without its figures."""
    client.force_login(vera)
    address = reverse("scorecard", args=[history.pk, "2025-03"])
    assert "What happened meanwhile" not in client.get(address).content.decode()
    volume = version.commitments.get(kind="volume")
    plan = RecoveryPlan.objects.create(commitment=volume, month=MARCH.first_day, figures="3 of 50", asked_at=NOW)

    asked = client.get(address).content.decode()
    RecoveryPlan.objects.filter(pk=plan.pk).update(answered_at=LATER, answered_by=rita, plan="Call", cause="Fair")
    written = client.get(address).content.decode()

    assert "not written yet" in asked and "not written yet" not in written
    assert "written <time" in written


def test_each_language_has_drawings_of_its_own(history):
    pen = Pen()
    for language in ("en", "en-us", "en"):
        with translation.override(language):
            parts(history, "head", pen=pen)

    assert pen.asked == ["head", "head"]


def test_what_nobody_keeps_is_drawn_each_time_and_not_kept(client, vera, history):
    client.force_login(vera)

    assert client.get(reverse("scorecard", args=[history.pk, "2025-03-01..2025-03-20"])).status_code == 200
    assert not Rendering.objects.exists()


def test_nothing_kept_depends_on_its_reader(client, vera, rita, mona, history):
    """Other roles, another zone and another name: the kept parts are the very same, and name nobody of them."""
    far = make_user("far@example.com", "Viewer", name="Farah Away", time_zone="Pacific/Auckland")
    address = reverse("scorecard", args=[history.pk, "2025-03"])
    kept = []
    for reader in (vera, rita, mona, far):
        Rendering.objects.all().delete()
        client.force_login(reader)
        body = client.get(address).content.decode()
        assert re.search("csrfmiddlewaretoken", body)
        kept.append({row.part: bytes(row.content) for row in Rendering.objects.all()})

    assert kept[0].keys() == {"stepper", "tools", "head", "meanwhile", "body", "by-source"}
    assert kept[0] == kept[1] == kept[2] == kept[3]
    said = b"".join(kept[0].values()).decode()
    assert "csrf" not in said and "Farah" not in said and "Auckland" not in said


def test_every_part_of_a_page_can_be_drawn_by_itself(history):
    edition = editions.live(history, MARCH, now=NOW)

    for name in [drawing.HEAD, drawing.BODY, *(drawing.BY + tab for tab, _label in drawing.tabs())]:
        assert drawing.part(edition, name).strip(), name


def test_the_release_is_all_that_draws(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    (tmp_path / "reports").mkdir()
    settings.DEBUG = True
    before = rendering.release()
    (tmp_path / "reports" / "sheet.py").write_text("x = 1")

    assert rendering.release() != before
