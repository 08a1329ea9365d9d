"""Finding the people that a source system names."""

from collections.abc import Iterable

from django.utils.text import slugify

from slaportal.models import User
from slaportal.refusal import Refused


def find_or_add(names: Iterable[str]) -> dict[str, User]:
    """People by the names or e-mail addresses that a file uses for them, as written.

    Somebody unknown is added inactive and marked *from import*: they own what they owned, and cannot log in.
    `Refused` when a name fits two people, because guessing would give one the other's figures.
    """
    wanted = {name for name in names if name}
    if not wanted:
        return {}
    by_key: dict[str, list[User]] = {}
    for user in User.objects.all():
        for key in {_key(user.email), _key(user.name)}:
            by_key.setdefault(key, []).append(user)
    found: dict[str, User] = {}
    for name in sorted(wanted):
        fitting = by_key.get(_key(name), [])
        if len(fitting) > 1:
            emails = ", ".join(sorted(user.email for user in fitting))
            raise Refused(f"“{name}” may be any of {emails}. Use the e-mail address in the file.")
        if not fitting:
            fitting = [_add(name)]
            by_key[_key(name)] = fitting
        found[name] = fitting[0]
    return found


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _add(name: str) -> User:
    email = name.strip().lower() if "@" in name else f"{slugify(name) or 'somebody'}@import.invalid"
    taken = 2
    free = email
    while User.objects.filter(email=free).exists():
        free, taken = email.replace("@", f"-{taken}@"), taken + 1
    return User.objects.create_user(free, name=name.strip()[:120], is_active=False, from_import=True)
