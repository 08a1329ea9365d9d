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


class Action(TextChoices):
    """What a step of a ladder does when a promise comes near its limit, or is past it."""

    OWNER = "tell owner", "tell the owner"
    MANAGER = "tell manager", "tell the manager"
    TEAM = "tell team", "tell everybody of a team"
    ROLE = "tell role", "tell everybody with a role"
    CHAT = "tell chat", "post in a team’s chat"
    REASSIGN = "reassign", "reassign to the next rep"
    QUEUE = "return to queue", "return to the team’s queue"
    TASK = "task", "open a task for RevOps"
    PLAN = "recovery plan", "ask for a recovery plan"

    @property
    def tells(self) -> bool:
        """Whether it only lets somebody know; the others change something."""
        return self.value.startswith("tell")

    @property
    def names_team(self) -> bool:
        """Whether another team can be named than the one that owes the promise."""
        return self in (Action.MANAGER, Action.TEAM, Action.CHAT)

    @property
    def takes_away(self) -> bool:
        """Whether the lead is taken from its owner."""
        return self in (Action.REASSIGN, Action.QUEUE)


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

    @property
    def actions(self) -> tuple[Action, ...]:
        """What the steps of such a promise may do. Only what has an owner can be taken from one."""
        telling = (Action.MANAGER, Action.TEAM, Action.ROLE, Action.CHAT, Action.TASK)
        if self.has_limit and self.party == Party.SALES:
            return (Action.OWNER, *telling, Action.REASSIGN, Action.QUEUE)
        return (*telling, Action.PLAN) if not self.has_limit and self.party == Party.MARKETING else telling

    def objections(
        self, action: Action, *, share: float | None, offset: int | None, names_team: bool, role: str
    ) -> dict[str, str]:
        """Why no promise of this kind can have such a step: by field, with the cure. `share` is in percent."""
        found = {}
        if action not in self.actions:
            offered = ", ".join(one.label for one in self.actions)
            found["action"] = f"{self.label} cannot “{action.label}”. Choose from: {offered}."
        elif action == Action.ROLE and not role:
            found["role"] = "Name the role that is told."
        if role and action != Action.ROLE:
            found["role"] = f"“{action.label.capitalize()}” names no role. Leave it blank."
        if names_team and not action.names_team:
            found["team"] = f"“{action.label.capitalize()}” names no team. Leave it blank."
        if (share is None) == (offset is None):
            found["share"] = "A step comes at a share of the limit, or so many minutes from it. Give one."
        elif not self.has_limit and offset is not None:
            found["offset"] = f"{self.label} has no limit to count from. Give a share of the month."
        elif not self.has_limit and share > 100:
            found["share"] = "After 100 percent the month is over. Give no more."
        return found


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
