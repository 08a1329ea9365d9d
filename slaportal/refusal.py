"""The error of every verb: a step that cannot be taken, in a sentence that a person can act on."""


class Refused(Exception):
    """Nothing was written; the message says why and what to do instead."""
