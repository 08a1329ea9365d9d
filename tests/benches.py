"""What the benches share: an own database, an agreed version, the yardstick view, and turns of two requests.

The yardstick is a view of 25 handoffs and their leads, six text cells each, in the same base template with session and
navigation. Requests of both take turns in one process.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import django
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from agreements.models import BusinessCalendar, Commitment, Version
    from slaportal.models import Team

ROUNDS = 150

LIST = """{% extends "base.html" %}{% block title %}Bench{% endblock %}{% block heading %}Bench{% endblock %}
{% block content %}<table>{% for handoff in handoffs %}<tr>
<td>{{ handoff.lead.name }}</td><td>{{ handoff.lead.title }}</td><td>{{ handoff.lead.company }}</td>
<td>{{ handoff.source }}</td><td>{{ handoff.segment }}</td><td>{{ handoff.score }}</td>
</tr>{% endfor %}</table>{% endblock %}"""


def plain_list(request: HttpRequest) -> HttpResponse:
    """Twenty-five open handoffs of the reader and their leads, six text cells each."""
    from django.template import engines

    from leads.models import Handoff

    handoffs = Handoff.objects.open().filter(owner=request.user).select_related("lead").order_by("pk")[:25]
    return HttpResponse(template(engines["django"]).render({"handoffs": handoffs}, request))


def template(engine: object, made: list = []) -> object:  # noqa: B006 (compiled once, as a file's would be)
    if not made:
        made.append(engine.from_string(LIST))
    return made[0]


def set_up() -> None:
    """Django as it runs at work, before anything of the project is imported."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "slaportal.settings")
    os.environ["DEBUG"] = "false"
    os.environ["SECURE_SSL_REDIRECT"] = "false"
    os.environ.setdefault("ALLOWED_HOSTS", "testserver")
    django.setup()


@contextmanager
def own_database(name: str, addresses: Sequence[object] = ()) -> Iterator[None]:
    """An empty database on PostgreSQL, dropped at the end, and these addresses before those of the portal."""
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_test_environment, teardown_test_environment
    from django.urls import include, path

    if connection.vendor != "postgresql":
        sys.exit("This bench needs PostgreSQL: set DATABASE_URL=postgres://….")
    setup_test_environment()
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.SESSION_COOKIE_SECURE = False

    class Addresses:
        urlpatterns = (*addresses, path("", include("slaportal.urls")))

    settings.ROOT_URLCONF = Addresses
    usual = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{name}_{os.getpid()}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(usual, verbosity=0)
        teardown_test_environment()


def teams(sales: int = 1) -> tuple["Team", list["Team"]]:
    """The team of marketing, and so many of sales."""
    from slaportal.models import Party, Team

    marketing = Team.objects.create(name="Marketing", party=Party.MARKETING)
    return marketing, [Team.objects.create(name=f"Sales {n}", party=Party.SALES) for n in range(sales)]


def agreed(
    marketing: "Team",
    sales: "Team",
    promises: dict[str, dict[str, Any]],
    *,
    calendar: "BusinessCalendar",
    since: datetime,
    also: Callable[["Commitment"], object] = lambda commitment: None,
) -> "Version":
    """A version in force with these promises by their kind; `also` adds to each what else it has. Nobody signs it."""
    from agreements import terms
    from agreements.models import Agreement, Status, Version
    from tests.conftest import make_commitment

    agreement = Agreement.objects.create(name="Bench", marketing_team=marketing, sales_team=sales)
    version = Version.objects.create(
        agreement=agreement, number=1, calendar=calendar, wanted_from=since.date(), required_fields=["name"]
    )
    for kind, fields in promises.items():
        also(make_commitment(version, kind, **fields))
    now = datetime.now(UTC)
    version.terms, version.terms_hash = terms.freeze(version, now=now)
    version.status = Status.PROPOSED
    version.save()
    version.status, version.agreed_at, version.effective_from = Status.AGREED, now, since
    version.save()
    return version


def filled(statements: Sequence[str], given: dict[str, object]) -> None:
    """Run statements that fill tables. Rows that fit by their making are not held against each other one by one."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement, given)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def turns(one: Callable[[int], HttpResponse], other: Callable[[int], HttpResponse]) -> list[float]:
    """The median time of each, in seconds."""
    taken: list[list[float]] = [[], []]
    for number in range(-5, ROUNDS):
        for place, asked in enumerate((one, other)):
            begin = time.perf_counter()
            answer = asked(number)
            if number >= 0:
                taken[place].append(time.perf_counter() - begin)
            assert answer.status_code == 200, answer.status_code
    return [median(times) for times in taken]


def said(what: str, ours: float, plain: float, target: float, yardstick: str = "the plain view") -> bool:
    """Print the ratio and whether it is within the target."""
    ratio = ours / plain
    verdict = "PASS" if ratio <= target else "FAIL"
    print(
        f"  {what}: {ours * 1e3:.1f} ms, {yardstick} {plain * 1e3:.1f} ms: ratio {ratio:.2f}, "
        f"at most {target}: {verdict}"
    )
    return ratio <= target
