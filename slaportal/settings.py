"""Settings: one file for every place it runs; the environment (or `.env`) decides. See `.env.example`."""

from pathlib import Path

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from slaportal.local import local_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# Everything that the program writes by itself on one machine stands here.
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=True)

SECRET_KEY = env.str("SECRET_KEY", default="") or local_key(VAR_DIR / "secret_key")
# Keys by their ids that seal the events of agreements (`agreements.chain`); the first seals, the others still verify.
AGREEMENT_KEYS = {
    name.strip(): key.strip()
    for name, __, key in (part.partition("=") for part in env.list("AGREEMENT_KEYS", default=[]))
}
if not AGREEMENT_KEYS or (VAR_DIR / "agreement_key").exists():
    # What was sealed before anybody set a key goes on verifying.
    AGREEMENT_KEYS.setdefault("local", local_key(VAR_DIR / "agreement_key"))
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_celery_beat",
    "django_filters",
    "django_tables2",
    "axes",
    "slaportal",
    "agreements",
    "leads",
    "reports",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "slaportal.middleware.ContentPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "slaportal.middleware.local_time",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "slaportal.urls"
WSGI_APPLICATION = "slaportal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "slaportal.navigation.navigation",
                "slaportal.views.alarms",
            ],
        },
    },
]

# --- Database: SQLite beside the program unless DATABASE_URL says otherwise -------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'portal.sqlite3'}")
KNOWN = ("sqlite", "postgres", "postgresql", "psql", "pgsql")
# What is no database of ours is told by a system check (slaportal.E001), in a sentence, before anything asks for it.
is_known = DATABASE_URL.partition(":")[0] in KNOWN
DATABASES = {"default": env.db_url_config(DATABASE_URL) if is_known else {"ENGINE": "django.db.backends.dummy"}}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # Without recursive triggers, REPLACE takes rows away past those on frozen ones.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-64000; "
        "PRAGMA recursive_triggers=ON;",
    }
elif is_known:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "slaportal.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_LOCKOUT_TEMPLATE = "registration/lockout.html"

# --- Time, language, files -----------------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
# The portal speaks English; how dates are written follows the browser (`slaportal.formats`).
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("en-us", "English (United States)")]
FORMAT_MODULE_PATH = ["slaportal.formats"]
# Everything that people read is marked; a catalogue here, and its language above, are all that another language takes.
LOCALE_PATHS = [BASE_DIR / "slaportal" / "locale"]
USE_I18N = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "slaportal" / "assets"]
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

# --- Tasks: Celery on its filesystem broker unless CELERY_BROKER_URL says otherwise --------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="filesystem://")
if CELERY_BROKER_URL.startswith("filesystem"):
    folders = {name: VAR_DIR / "broker" / name for name in ("messages", "control", "processed")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "control_folder": str(folders["control"]),
        "processed_folder": str(folders["processed"]),
    }
elif CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # What a killed worker held comes back after ten minutes; Redis would keep it for an hour.
        "visibility_timeout": 600,
        # On a Redis that says nothing (frozen, or behind a wall) a click waits for seconds, and without these for ever.
        # Workers ask for work anew each second, so one that is well is never silent for so long.
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        # Of one that is gone it hears at once; how often workers come back is said by other settings.
        "max_retries": 1,
        "interval_start": 0,
    }
CELERY_TASK_DEFAULT_QUEUE = env.str("CELERY_QUEUE", default="slaportal")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # Celery's own 100 tries end after three quarters of an hour
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# A worker drops what has expired by its own clock, though beat's set the time: so far apart may they be.
MOST_SKEW = 600  # seconds
# Besides, each entry expires before its next run: after a silence the newest are enough, the state is in the database.
# In the schedule that stands in the database this is `expire_seconds`; it would drop `expires` without a word.
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "leads.tasks.tick", "schedule": 60.0, "options": {"expire_seconds": 55}},
    "notices": {"task": "slaportal.tasks.send_notices", "schedule": 20.0, "options": {"expire_seconds": 18}},
    "auditor": {"task": "slaportal.tasks.audit", "schedule": 60.0, "options": {"expire_seconds": 55}},
    "agreements": {
        "task": "agreements.tasks.verify_agreements",
        "schedule": 3600.0,
        "options": {"expire_seconds": 3500},
    },
    "scorecards": {"task": "reports.tasks.refresh_scorecards", "schedule": 900.0, "options": {"expire_seconds": 800}},
    "reviews": {"task": "reports.tasks.plan_reviews", "schedule": 900.0, "options": {"expire_seconds": 800}},
    "pace": {"task": "reports.tasks.watch_pace", "schedule": 300.0, "options": {"expire_seconds": 280}},
    "seals": {"task": "reports.tasks.seal_scorecards", "schedule": 900.0, "options": {"expire_seconds": 800}},
    "recovery": {"task": "reports.tasks.follow_plans", "schedule": 3600.0, "options": {"expire_seconds": 3500}},
}
for entry in CELERY_BEAT_SCHEDULE.values():
    entry["options"]["expire_seconds"] += MOST_SKEW

# --- Mail: files in VAR_DIR unless EMAIL_URL names a server, so that a machine without one loses nothing -----------
MAIL_SCHEMES = ("smtp", "smtp+tls", "smtp+ssl", "consolemail")
email_url = env.str("EMAIL_URL", default="")  # no setting of its own: it has the password in it
EMAIL_SCHEME = email_url.partition(":")[0]
# What is none of these is told by a system check (slaportal.E004); until then nothing is lost.
if EMAIL_SCHEME in MAIL_SCHEMES:
    vars().update(env.email_url_config(email_url))
    if EMAIL_SCHEME.startswith("smtp"):
        EMAIL_BACKEND = "slaportal.smtp.EmailBackend"  # Django's, with a limit for a mail as a whole
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = VAR_DIR / "mail"
EMAIL_TIMEOUT = 10  # seconds for each answer of the server; the worker has other work
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="SLA Portal <portal@localhost>")
# Where the links in mails lead.
LOCAL_URL = "http://127.0.0.1:8000"
PORTAL_URL = env.str("PORTAL_URL", default=LOCAL_URL)

# By which people choose how they are told (`slaportal.wishes`), in the order in which a digest has them.
NOTICE_KINDS = {
    "miss": _("A promise was broken"),
    "warning": _("A promise is about to be broken"),
    "assignment": _("A lead is yours, or was taken from you"),
    "queue": _("Nobody is free for a lead"),
    "note": _("Notes from your manager"),
    "decision": _("Questions, disputes and exclusions"),
    "review": _("Reviews, and what they decide"),
    "plan": _("Recovery plans"),
    "scorecard": _("How a month ended"),
    "task": _("Tasks for RevOps"),
    "agreement": _("Agreements to sign, and their news"),
    "alarm": _("Alarms"),
}
# Who knows how much stands still of what may not (`slaportal.auditor`).
AUDITED = {
    "slaportal.auditor.late_notices": _("notices to send"),
    "leads.timekeeping.late": _("clocks to judge"),
    "leads.escalations.late": _("steps of ladders to take"),
    "reports.pace.late": _("steps of months to take"),
}
# A promise that misses so many months in a row is asked for a recovery plan (rule P6).
RECOVERY_AFTER = env.int("RECOVERY_AFTER", default=2)
# Chat addresses may lead into the own network only where this is on (`slaportal.outbound`).
OUTBOUND_PRIVATE = env.bool("OUTBOUND_PRIVATE", default=False)

# What `agreements` asks of the rooms above it, by dotted name, because it may not import them.
CLOSURE_CHANGED = "leads.timekeeping.closure_changed"
DRAFT_LINT = "leads.draft_lint.lint"
AGREEMENT_NOTES = "reports.review_notes.of"
# Kinds of events that vouch for rows of a room above, and who knows these rows (`agreements.chain`).
VOUCHED_FOR = {"sealed": "reports.seals.vouched_for", "restated": "reports.seals.vouched_for"}
# Tables of rooms above whose rows never change and never go, with what is said to whoever tries (`agreements.frozen`).
APPEND_ONLY = {"reports.Seal": "What was sealed never changes and never goes: restate it."}
# Since when the months of an agreement are sealed, asked by `leads` for the monthly cap (rule N7).
MONTHS_SEALED = "reports.sealing.first_known"

# A draft with as many commitments as there may be posts more than Django's thousand fields.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# --- Security ------------------------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if not DEBUG:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# The admin's Alpine evaluates strings and Unfold sets its colours inline, so it has a policy of its own.
ADMIN_CONTENT_SECURITY_POLICY = {
    **CONTENT_SECURITY_POLICY["DIRECTIVES"],
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
}

DJANGO_TABLES2_TEMPLATE = "partials/table.html"


def admin_link(title: Promise, icon: str, model: str) -> dict[str, object]:
    """An entry of the admin's side bar, for whoever may see the model."""
    app, __, name = model.rpartition("_")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


UNFOLD = {
    "SITE_TITLE": "SLA Portal",
    "SITE_HEADER": "SLA Portal",
    "SITE_SUBHEADER": _("Set-up and terms"),
    "SITE_SYMBOL": "handshake",
    "SITE_URL": reverse_lazy("home"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icon.svg")}],
    # The violet of the portal's pages; slaportal/assets/portal.css has the same.
    "COLORS": {
        "primary": {
            "50": "oklch(97% .016 286)",
            "100": "oklch(94.2% .032 286)",
            "200": "oklch(89.2% .06 286)",
            "300": "oklch(81% .11 286)",
            "400": "oklch(70.2% .175 285)",
            "500": "oklch(60.4% .232 283)",
            "600": "oklch(52.9% .262 281)",
            "700": "oklch(46.8% .243 280)",
            "800": "oklch(40.2% .2 280)",
            "900": "oklch(34.5% .16 280)",
            "950": "oklch(25.5% .13 280)",
        }
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": _("Agreements"),
                "items": [
                    admin_link(_("Agreements"), "handshake", "agreements_agreement"),
                    admin_link(_("Versions"), "history_edu", "agreements_version"),
                    admin_link(_("Calendars"), "calendar_month", "agreements_businesscalendar"),
                ],
            },
            {
                "title": _("Leads"),
                "items": [
                    admin_link(_("Leads"), "person_search", "leads_lead"),
                    admin_link(_("Handoffs"), "swap_horiz", "leads_handoff"),
                    admin_link(_("Attempts"), "call", "leads_attempt"),
                    admin_link(_("Routing rules"), "alt_route", "leads_routingrule"),
                    admin_link(_("Reason codes"), "label", "leads_reasoncode"),
                    admin_link(_("Tasks"), "task_alt", "leads_task"),
                ],
            },
            {
                "title": _("People and tasks"),
                "items": [
                    admin_link(_("People"), "group", "slaportal_user"),
                    admin_link(_("Teams"), "groups", "slaportal_team"),
                    admin_link(_("Roles"), "badge", "auth_group"),
                    admin_link(_("Notices"), "mail", "slaportal_notice"),
                    admin_link(_("Scheduled tasks"), "schedule", "django_celery_beat_periodictask"),
                ],
            },
        ],
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    # Django's own handlers would print each line a second time.
    "loggers": {
        "django": {"handlers": []},
        "axes": {"level": "WARNING"},
        "kombu": {"level": "ERROR"},
        # They tell a dozen steps of each PDF.
        "weasyprint": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
    },
}
