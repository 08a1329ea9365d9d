"""System checks: what is misconfigured, in a sentence with its cure. Ids are `slaportal.E…` and `slaportal.W…`."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

UNKNOWN = {"dummy": "what DATABASE_URL names"}
BROKERS = ("filesystem", "redis", "rediss", "amqp", "amqps", "memory")


@register()
def configuration(**kwargs: object) -> list[CheckMessage]:
    """Settings that would only fail later, when nobody is looking."""
    found: list[CheckMessage] = []
    database = settings.DATABASES["default"]
    engine = database["ENGINE"].rsplit(".", 1)[-1]
    if engine not in ("sqlite3", "postgresql"):
        found.append(
            Error(
                f"The portal runs on SQLite and PostgreSQL, not on {UNKNOWN.get(engine, engine)}.",
                hint="Set DATABASE_URL to sqlite:////some/file.db or postgres://user:password@host/name.",
                id="slaportal.E001",
            )
        )
    scheme = urlsplit(settings.CELERY_BROKER_URL).scheme
    if scheme not in BROKERS:
        found.append(
            Error(
                f"CELERY_BROKER_URL begins with {scheme or 'nothing'!r}, which is no broker the portal knows.",
                hint=f"Use one of {', '.join(BROKERS)}; leave it unset for the filesystem broker.",
                id="slaportal.E002",
            )
        )
    try:
        import_string(settings.CLOSURE_CHANGED)
    except ImportError as problem:
        found.append(Error(f"CLOSURE_CHANGED names nothing that can be imported: {problem}", id="slaportal.E003"))
    return found


@register(deploy=True)
def deployment(**kwargs: object) -> list[CheckMessage]:
    """What works on one machine but not on several."""
    found: list[CheckMessage] = []
    if settings.CELERY_BROKER_URL.startswith("filesystem") and "sqlite3" not in settings.DATABASES["default"]["ENGINE"]:
        found.append(
            Warning(
                "PostgreSQL is used with the filesystem broker: tasks reach only workers on this machine.",
                hint="Set CELERY_BROKER_URL=redis://… or amqp://….",
                id="slaportal.W001",
            )
        )
    return found
