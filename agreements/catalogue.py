"""The catalogue of commitment kinds: what can be promised, by whom, and what each promise needs to be measurable."""

from dataclasses import dataclass

from django.db.models import TextChoices

from slaportal.models import Party


class Dimension(TextChoices):
    """What a promise is about."""

    QUANTITY = "quantity", "Quantity"
    QUALITY = "quality", "Quality"
    SPEED = "speed", "Speed"
    FOLLOW_THROUGH = "follow-through", "Follow-through"
    FEEDBACK = "feedback", "Feedback"


class Start(TextChoices):
    """What sets a clock going (rule C6)."""

    QUALIFIED = "qualified", "when the lead qualifies"
    ROUTED = "routed", "at the first assignment"
    ASSIGNED = "assigned", "at each assignment, afresh for each owner"
    ACCEPTED = "accepted", "when sales accepts"


class Unit(TextChoices):
    """Units of a limit (rule T4); the first three count open hours only, the others every hour."""

    BUSINESS_MINUTES = "business minutes", "business minutes"
    BUSINESS_HOURS = "business hours", "business hours"
    BUSINESS_DAYS = "business days", "business days"
    MINUTES = "minutes", "minutes (calendar time)"
    HOURS = "hours", "hours (calendar time)"
    DAYS = "days", "days (calendar time)"

    @property
    def is_business(self) -> bool:
        return self.value.startswith("business")


class Measure(TextChoices):
    """How a kind is counted."""

    CLOCK = "clock", "a time limit for each handoff"
    SHARE = "share", "a share of handoffs"
    COUNT = "count", "a number each month"


@dataclass(frozen=True)
class Kind:
    """One kind of commitment. `starts` is empty where the start is not a choice."""

    code: str
    label: str
    party: Party
    dimension: Dimension
    measure: Measure
    exactly: str
    starts: tuple[Start, ...] = ()
    fixed_start: Start | None = None
    needs_attempts: bool = False
    may_name_attempts: bool = False

    @property
    def takes_attempts(self) -> bool:
        return self.needs_attempts or self.may_name_attempts

    @property
    def has_limit(self) -> bool:
        return self.measure == Measure.CLOCK


ANY_START = (Start.QUALIFIED, Start.ROUTED, Start.ASSIGNED, Start.ACCEPTED)
BEFORE_ACCEPTANCE = (Start.QUALIFIED, Start.ROUTED, Start.ASSIGNED)

CATALOGUE: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("volume", "Volume of qualified leads", Party.MARKETING, Dimension.QUANTITY, Measure.COUNT,
             "First handoffs that meet the definition, less duplicates and unusable contact data."),
        Kind("definition_fit", "Fit with the definition", Party.MARKETING, Dimension.QUALITY, Measure.SHARE,
             "Share of handoffs that meet the definition."),
        Kind("completeness", "Complete records", Party.MARKETING, Dimension.QUALITY, Measure.SHARE,
             "Share of handoffs with all required fields."),
        Kind("acceptance_rate", "Acceptance rate", Party.MARKETING, Dimension.QUALITY, Measure.SHARE,
             "Accepted, of those accepted or rejected for a quality reason."),
        Kind("dispute_answer", "Answer to disputes", Party.MARKETING, Dimension.SPEED, Measure.CLOCK,
             "From a dispute or request for data to its answer."),
        Kind("routing", "Routing", Party.OPERATIONS, Dimension.SPEED, Measure.CLOCK,
             "From qualified to the first assignment.", fixed_start=Start.QUALIFIED),
        Kind("acceptance", "Review", Party.SALES, Dimension.SPEED, Measure.CLOCK,
             "From the start to the first disposition.", BEFORE_ACCEPTANCE),
        Kind("first_response", "First response", Party.SALES, Dimension.SPEED, Measure.CLOCK,
             "From the start to the first outbound attempt by a person, answered or not.", ANY_START),
        Kind("first_touch", "First meaningful touch", Party.SALES, Dimension.SPEED, Measure.CLOCK,
             "From the start to the first two-way contact.", ANY_START),
        Kind("contact_after_acceptance", "Contact after acceptance", Party.SALES, Dimension.SPEED, Measure.CLOCK,
             "From acceptance to the first outbound attempt after it.", fixed_start=Start.ACCEPTED),
        Kind("attempts", "Attempts", Party.SALES, Dimension.FOLLOW_THROUGH, Measure.CLOCK,
             "The agreed number of outbound attempts within the limit, or a two-way contact.", ANY_START,
             needs_attempts=True),
        Kind("disposition", "Disposition", Party.SALES, Dimension.FEEDBACK, Measure.CLOCK,
             "From the start to a recycle or reject with a reason, or an outcome after acceptance.", ANY_START),
        Kind("attempts_before_giving_up", "Attempts before giving up", Party.SALES, Dimension.FOLLOW_THROUGH,
             Measure.SHARE, "Of the handoffs given up for a reason that needs attempts: those that had enough.",
             may_name_attempts=True),
        Kind("reasons_documented", "Documented reasons", Party.SALES, Dimension.FEEDBACK, Measure.SHARE,
             "Share of recycled and rejected handoffs with a reason code."),
    )
}  # fmt: skip

KIND_CHOICES = [(kind.code, f"{kind.label} ({kind.party.label.lower()})") for kind in CATALOGUE.values()]

# What a criterion may read of a lead, besides `attributes.<name>`. The numbers compare as numbers.
FIELDS: dict[str, str] = {
    "score": "score",
    "source": "source",
    "campaign": "campaign",
    "segment": "segment",
    "name": "name",
    "email": "e-mail",
    "phone": "phone",
    "company": "company",
    "title": "title",
    "seniority": "seniority",
    "company_size": "company size",
    "industry": "industry",
    "country": "country",
}
NUMBER_FIELDS = frozenset({"score", "company_size"})


class Operator(TextChoices):
    """Comparisons of a criterion; text compares trimmed and without case, a missing value meets only *is empty*."""

    IS = "is", "is"
    IS_NOT = "is not", "is not"
    AT_LEAST = "at least", "is at least"
    AT_MOST = "at most", "is at most"
    ONE_OF = "one of", "is one of"
    NONE_OF = "none of", "is none of"
    CONTAINS = "contains", "contains"
    EMPTY = "empty", "is empty"
    FILLED = "filled", "is not empty"
