"""System checks: what is misconfigured, in a sentence with its cure. Ids are `slaportal.E…` and `slaportal.W…`."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register
from django.utils.module_loading import import_string

UNKNOWN = {"dummy": "what DATABASE_URL names"}
# Settings that name by dots what a room asks of those above it.
PLUGGED_IN = ("CLOSURE_CHANGED", "DRAFT_LINT", "AGREEMENT_NOTES", "MONTHS_SEALED")
LONGEST_KEY_NAME, SHORTEST_KEY = 40, 32
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
    named = [(name, getattr(settings, name)) for name in PLUGGED_IN]
    for name, dotted in [*named, *(("AUDITED", dotted) for dotted in settings.AUDITED)]:
        try:
            import_string(dotted)
        except ImportError as problem:
            found.append(Error(f"{name} names nothing that can be imported: {problem}", id="slaportal.E003"))
    return found


@register()
def mail(**kwargs: object) -> list[CheckMessage]:
    """Settings with which no notice would reach anybody, or none would lead back."""
    found: list[CheckMessage] = []
    scheme = settings.EMAIL_SCHEME
    if scheme and (scheme not in settings.MAIL_SCHEMES or (scheme.startswith("smtp") and not settings.EMAIL_HOST)):
        found.append(
            Error(
                f"EMAIL_URL begins with {scheme!r} and names no mail server that the portal can use.",
                hint="Use smtp://host:25, smtp+tls://user:password@host:587 or smtp+ssl://user:password@host:465; "
                "leave it unset and mails are written as files.",
                id="slaportal.E004",
            )
        )
    address = urlsplit(settings.PORTAL_URL)
    if address.scheme not in ("http", "https") or not address.hostname or address.query or address.fragment:
        found.append(
            Error(
                f"PORTAL_URL is {settings.PORTAL_URL!r}, which is no address for links in mails.",
                hint="Write where the portal is reached, such as https://sla.example.com.",
                id="slaportal.E005",
            )
        )
    return found


@register()
def agreement_keys(**kwargs: object) -> list[CheckMessage]:
    """Keys that seal what is signed: each with a name that fits its column, and long enough not to be guessed."""
    return [
        Error(
            f"AGREEMENT_KEYS: the key “{name}” cannot seal: {why}.",
            hint="Set AGREEMENT_KEYS=2026=… with 32 random characters or more, without commas.",
            id="slaportal.E006",
        )
        for name, key in settings.AGREEMENT_KEYS.items()
        if (why := _unfit(name, key))
    ]


def _unfit(name: str, key: str) -> str:
    if not 1 <= len(name) <= LONGEST_KEY_NAME:
        return f"its name has {len(name)} characters, not 1 to {LONGEST_KEY_NAME}"
    if len(key) < SHORTEST_KEY:
        return f"it has {len(key)} characters, fewer than {SHORTEST_KEY}"
    return ""


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
    if next(iter(settings.AGREEMENT_KEYS)) == "local" and "sqlite3" not in settings.DATABASES["default"]["ENGINE"]:
        found.append(
            Warning(
                "What is signed is sealed with a key that only this machine has (var/agreement_key).",
                hint="Set AGREEMENT_KEYS=2026=… (32 random characters) on every machine. Where something was sealed "
                "here already, copy var/agreement_key to the others: it then goes on verifying.",
                id="slaportal.W004",
            )
        )
    # Only told, not warned of: a portal that nobody gets mail from does everything else.
    if not settings.DEBUG and not settings.EMAIL_SCHEME:
        found.append(
            Info(
                "No mail server is set, so notices are only written as files into VAR_DIR/mail.",
                hint="Set EMAIL_URL=smtp+tls://user:password@host:587 and MAIL_FROM.",
                id="slaportal.W002",
            )
        )
    if not settings.DEBUG and urlsplit(settings.PORTAL_URL).hostname in ("127.0.0.1", "localhost"):
        found.append(
            Info(
                f"Links in mails lead to {settings.PORTAL_URL}, which is another machine for everybody who reads them.",
                hint="Set PORTAL_URL to where the portal is reached, such as https://sla.example.com.",
                id="slaportal.W003",
            )
        )
    return found
