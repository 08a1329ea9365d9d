"""Where mails go and where their links lead, and what is said when either is missing."""

import os
import subprocess
import sys

import pytest
from django.core.checks import Info, run_checks


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "filebased /mail"),
        ("smtp+tls://portal:p%40ss@mail.example.com:587", "smtp mail.example.com 587 portal p@ss True False"),
        ("smtp+ssl://mail.example.com:465", "smtp mail.example.com 465 None None False True"),
        ("consolemail://", "console"),
        ("carrier-pigeon://x", "filebased /mail"),
    ],
)
def test_email_url_says_where_mails_go(url, expected, settings, tmp_path):
    asked = (
        "from slaportal import settings as s; kind = s.EMAIL_BACKEND.split('.')[-2];"
        "names = ['HOST', 'PORT', 'HOST_USER', 'HOST_PASSWORD', 'USE_TLS', 'USE_SSL'] if kind == 'smtp' else [];"
        "given = [str(getattr(s, f'EMAIL_{name}', False)) for name in names];"
        "path = str(s.EMAIL_FILE_PATH).removeprefix(str(s.VAR_DIR)) if kind == 'filebased' else '';"
        "print(' '.join([kind, *given, path]).strip())"
    )
    environment = {**os.environ, "EMAIL_URL": url, "VAR_DIR": str(tmp_path)}
    said = subprocess.check_output([sys.executable, "-c", asked], cwd=settings.BASE_DIR, env=environment, text=True)
    assert said.strip() == expected


def found(*, deploy: bool = False) -> dict[str, object]:
    ours = ("slaportal.E004", "slaportal.E005", "slaportal.W002", "slaportal.W003")
    return {one.id: one for one in run_checks(include_deployment_checks=deploy) if one.id in ours}


@pytest.mark.parametrize(
    ("scheme", "host"), [("smtps", "mail.example.com"), ("https", "mail.example.com"), ("smtp", None), ("smtp+tls", "")]
)
def test_e004_no_mail_server(settings, scheme, host):
    settings.EMAIL_SCHEME, settings.EMAIL_HOST = scheme, host
    assert list(found()) == ["slaportal.E004"]
    assert "smtp+tls://user:password@host:587" in found()["slaportal.E004"].hint


@pytest.mark.parametrize(
    "url", ["", "sla.example.com", "//sla.example.com", "ftp://x", "https://", "https://x/?a=b", "https://x/#here"]
)
def test_e005_no_address_for_links(settings, url):
    settings.PORTAL_URL = url
    assert list(found()) == ["slaportal.E005"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://sla.example.com", "https://example.com/sla/"])
def test_where_links_may_lead(settings, url):
    settings.PORTAL_URL = url
    assert found() == {}


def test_w002_and_w003_a_deployed_portal_without_mail_is_told_but_not_warned(settings):
    settings.DEBUG = False
    settings.EMAIL_SCHEME, settings.PORTAL_URL = "", "http://127.0.0.1:8000"
    told = found(deploy=True)
    assert list(told) == ["slaportal.W002", "slaportal.W003"]
    assert all(type(one) is Info and one.hint for one in told.values())
    assert found(deploy=False) == {}
    settings.DEBUG = True
    assert found(deploy=True) == {}
    settings.DEBUG, settings.EMAIL_SCHEME, settings.PORTAL_URL = False, "smtp+tls", "https://sla.example.com"
    assert found(deploy=True) == {}
