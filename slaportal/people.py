"""Finding the people that a source system names."""

from collections.abc import Iterable

from django.utils.text import slugify
from django.utils.translation import gettext as _

from slaportal.models import User
from slaportal.refusal import Refused

LONGEST_NAME = User._meta.get_field("name").max_length


def find_or_add(names: Iterable[str]) -> dict[str, User]:
    """People by the names or e-mail addresses that a file uses for them, as written.

    Somebody unknown is added inactive and marked *from import*: they own what they owned, and cannot log in.
    `Refused` when a name fits two people, because guessing would give one the other's figures.
    """
    wanted = sorted({name for name in names if name.strip()})
    if not wanted:
        return {}
    by_key: dict[str, list[User]] = {}
    for user in User.objects.all():
        for key in {_key(user.email), _key(user.name)}:
            by_key.setdefault(key, []).append(user)
    for name in wanted:
        fitting = by_key.get(_key(name), [])
        if len(fitting) > 1:
            emails = ", ".join(sorted(user.email for user in fitting))
            raise Refused(
                _("“%(name)s” may be any of %(emails)s. Use the e-mail address in the file."), name=name, emails=emails
            )
    found: dict[str, User] = {}
    for name in wanted:
        key = _key(name)
        if key not in by_key:
            by_key[key] = [_add(name)]
        found[name] = by_key[key][0]
    return found


def _key(name: str) -> str:
    return _plain(name).casefold()


def _plain(name: str) -> str:
    """A name without superfluous blanks, as long as a name may be."""
    return " ".join(name.split())[:LONGEST_NAME].rstrip()


def _add(name: str) -> User:
    name = _plain(name)
    email = name.lower() if "@" in name else f"{slugify(name) or 'somebody'}@import.invalid"
    taken = 2
    free = email
    while User.objects.filter(email=free).exists():
        free, taken = email.replace("@", f"-{taken}@"), taken + 1
    return User.objects.create_user(free, name=name, is_active=False, from_import=True)
