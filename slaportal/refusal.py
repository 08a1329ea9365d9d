"""The error of every verb: a step that cannot be taken, in a sentence that a person can act on."""


class Refused(Exception):
    """Nothing was written; the message says why and what to do instead.

    The sentence is marked for translation and names what it speaks of, so that a translator may move the words. What it
    names is given beside it: `Refused(_("Only a leader of %(team)s can write this plan."), team=team)`. A sentence that
    names nothing is taken as it is.
    """

    def __init__(self, sentence: object, **named: object) -> None:
        super().__init__(sentence)
        self.named = named

    def __str__(self) -> str:
        sentence = str(self.args[0])
        return sentence % self.named if self.named else sentence
