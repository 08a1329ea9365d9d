"""The page of rules: everything that a verdict cites can be followed."""

import re

import pytest

from agreements.catalogue import CATALOGUE
from leads.rules import RULES
from slaportal.views import rules


@pytest.mark.parametrize("name", sorted({cited for _, cited in RULES.values()} | set(CATALOGUE)))
def test_every_rule_that_a_verdict_cites_stands_on_the_page(name):
    assert f'id="{name}"' in rules()


def test_no_rule_stands_twice():
    ids = re.findall(r'id="([^"]+)"', rules())
    assert len(ids) == len(set(ids))


def test_whoever_is_logged_in_can_read_the_rules(client, vera):
    client.force_login(vera)
    assert b"Late entries" in client.get("/numbers/").content or b"late entries" in client.get("/numbers/").content
