"""What tests of the pages share: a Monday morning, Ron's first handoff, and how to read a page."""

import re

import pytest
import time_machine
from django.http import HttpResponse
from django.urls import reverse

from leads.models import Clock, Handoff
from tests.conftest import MONDAY, receive


@pytest.fixture
def travel():
    """It is Monday, 10:00 in Berlin, until a test says otherwise."""
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def handoff(version, ron) -> Handoff:
    """Ron's handoff, begun on Monday at 10:00 in Berlin, to be called within 4 business hours."""
    (begun,) = receive()
    begun.refresh_from_db()
    return begun


def page(handoff: Handoff, name: str = "handoff", *extra: int) -> str:
    """An address of a handoff."""
    return reverse(name, args=[handoff.pk, *extra])


def text_of(response: HttpResponse) -> str:
    """What one reads: without tags, blanks as one."""
    bare = re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r"\s+", " ", bare)


def clock_of(handoff: Handoff, code: str = "first-response") -> Clock:
    return Clock.objects.get(handoff=handoff, commitment__code=code)
