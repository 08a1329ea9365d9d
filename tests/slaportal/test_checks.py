"""System checks: each id is raised by its misconfiguration, with its cure, and by nothing else."""

import pytest
from django.core.checks import run_checks

from slaportal import checks
from slaportal.checks import BROKERS

SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}}
POSTGRESQL = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "x"}}
MAIL = {"EMAIL_SCHEME": "smtp", "PORTAL_URL": "https://sla.example.com"}
GOOD = {"DATABASES": SQLITE, "CELERY_BROKER_URL": "filesystem://", "AGREEMENT_KEYS": {"2026": "x" * 32}, **MAIL}


def found(settings, *, deploy: bool = False, **changed: object) -> list[str]:
    """Ids of what our own checks say of these settings."""
    for name, value in {**GOOD, **changed}.items():
        setattr(settings, name, value)
    ours = [message for message in run_checks(include_deployment_checks=deploy) if message.id.startswith("slaportal.")]
    # Whoever reads a message learns what is wrong and what to do.
    assert all(message.msg.strip() and (message.hint or "cannot" in message.msg or "names nothing" in message.msg)
               for message in ours)  # fmt: skip
    return [message.id for message in ours]


# Django warns that databases must not be overridden in tests; no connection is opened here.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")


@pytest.mark.parametrize("deploy", [False, True])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"CELERY_BROKER_URL": "redis://127.0.0.1:6379/0"},
        {"DATABASES": POSTGRESQL, "CELERY_BROKER_URL": "redis://127.0.0.1:6379/0"},
        {"DATABASES": POSTGRESQL, "CELERY_BROKER_URL": "amqp://guest@localhost//"},
    ],
)
def test_what_works_raises_nothing(deploy, changed, settings):
    assert found(settings, deploy=deploy, **changed) == []


@pytest.mark.parametrize(
    "engine", ["django.db.backends.mysql", "django.db.backends.oracle", "django.db.backends.dummy"]
)
def test_e001_another_database(engine, settings):
    assert "slaportal.E001" in found(settings, DATABASES={"default": {"ENGINE": engine, "NAME": "x"}})


@pytest.mark.parametrize("url", ["", "localhost:6379", "kafka://localhost", "http://localhost", "sqs://"])
def test_e002_an_unknown_broker(url, settings):
    assert found(settings, CELERY_BROKER_URL=url) == ["slaportal.E002"]


@pytest.mark.parametrize("scheme", BROKERS)
def test_every_broker_that_is_offered_is_accepted(scheme, settings):
    assert found(settings, CELERY_BROKER_URL=f"{scheme}://host") == []


@pytest.mark.parametrize("name", ["leads.timekeeping.no_such_function", "nowhere.at_all", "nothing", ""])
def test_e003_a_dotted_name_that_leads_nowhere(name, settings):
    assert found(settings, CLOSURE_CHANGED=name) == ["slaportal.E003"]


def test_w001_postgresql_with_the_filesystem_broker_when_deployed(settings):
    assert found(settings, deploy=True, DATABASES=POSTGRESQL) == ["slaportal.W001"]
    assert found(settings, deploy=False, DATABASES=POSTGRESQL) == []


def test_every_misconfiguration_is_named_at_once(settings):
    broken = {
        "DATABASES": {"default": {"ENGINE": "x.mysql", "NAME": "x"}},
        "CELERY_BROKER_URL": "",
        "CLOSURE_CHANGED": "x",
    }
    assert [name for name in found(settings, **broken) if "E" in name] == [
        "slaportal.E001", "slaportal.E002", "slaportal.E003"
    ]  # fmt: skip


def test_a_key_that_only_one_machine_has_is_warned_of_where_several_share_a_database(settings):
    local = {"local": "made here " * 4}
    assert found(settings, deploy=True, DATABASES=POSTGRESQL, CELERY_BROKER_URL="redis://x", AGREEMENT_KEYS=local) == [
        "slaportal.W004"
    ]
    assert found(settings, deploy=True, AGREEMENT_KEYS=local) == []
    both = {"2026": "x" * 32, **local}  # the first one seals; what was sealed here before goes on verifying
    assert found(settings, deploy=True, DATABASES=POSTGRESQL, CELERY_BROKER_URL="redis://x", AGREEMENT_KEYS=both) == []
    assert found(settings, deploy=True, DATABASES=POSTGRESQL, CELERY_BROKER_URL="redis://x") == []


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"2026": ""}, "it has 0 characters, fewer than 32"),
        ({"2026": "x" * 31}, "it has 31 characters"),
        ({"": "x" * 32}, "its name has 0 characters"),
        ({"x" * 41: "x" * 32}, "its name has 41 characters"),
    ],
)
def test_e006_a_key_that_seals_nothing(keys, why, settings):
    assert found(settings, AGREEMENT_KEYS={"good": "x" * 32, **keys}) == ["slaportal.E006"]
    (message,) = checks.agreement_keys()
    assert why in message.msg
