"""What a request may ask for: the bodies of plans and sessions, checked, and what they mean."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from controller import api
from controller.registry import DeviceName
from controller.service.binding import Binding, bind_paired
from controller.station import Order
from firmware_profiles.capabilities import MASSAGERS, Side
from firmware_profiles.library import find_profile
from routines.script import parse_routine_text
from routines.timeline import Timeline

SPEED_MAX = 1000.0
SCRIPT_MAX = 50_000
LEASE_S_MIN, LEASE_S_MAX = 1.0, 60.0

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"

RoutineName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
ProfileId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
ParameterName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=50)]
PainScore = Annotated[int, Field(ge=0, le=10, strict=True)]


class Body(BaseModel):
    """A body: nothing in it is unknown, and no number is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HoldWish(Body):
    """One intensity for a while, as `percuss set`; without ``region`` the strictest limits hold, on simulators only."""

    percent: float = Field(gt=0, le=100)
    duration_s: float = Field(gt=0, le=3600)
    region: Annotated[str, Field(max_length=100)] | None = None
    side: Side | None = None


class PlanWish(Body):
    """What to run, which is one of ``routine``, ``script`` and ``hold``, and on what.

    ``script`` is a script or the text of a routine's file; ``file`` is what errors call it.
    ``massager``, ``massager2`` and ``timer`` are paired devices, ``simulator`` is a profile that plays the massager;
    without any of them it is a guided timer.
    """

    routine: RoutineName | None = None
    script: Annotated[str, Field(min_length=1, max_length=SCRIPT_MAX)] | None = None
    file: Annotated[str, Field(min_length=1, max_length=500, pattern=PRINTABLE)] = "script"
    hold: HoldWish | None = None
    massager: DeviceName | None = None
    massager2: DeviceName | None = None
    timer: DeviceName | None = None
    simulator: ProfileId | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if sum(each is not None for each in (self.routine, self.script, self.hold)) != 1:
            raise ValueError("name a routine, a script or a hold: one of them")
        if self.massager is not None and self.simulator is not None:
            raise ValueError("massager and simulator are two for one part; take one")
        return self

    def what(self) -> api.What:
        """What to run. Raises RoutineError and PlanRefusedError."""
        if self.routine is not None:
            return api.routine(self.routine)
        if self.script is not None:
            return parse_routine_text(self.script.encode(), self.file)
        if self.hold is None:
            raise AssertionError("one of them is there")
        return api.hold(self.hold.percent, self.hold.duration_s, region=self.hold.region, side=self.hold.side)

    def timeline(self) -> tuple[Timeline, dict[Any, Any]]:
        """What would run now, and the profiles of those that take part, by role. Raises as `api.plan` does."""
        cast: dict[str, Binding] = {}
        for role in (*MASSAGERS, "timer"):
            if (name := getattr(self, role)) is not None:
                cast[role] = bind_paired(name)
        if self.simulator is not None:
            profile = find_profile(self.simulator)
            cast["massager"] = Binding(profile.id, "simulator:massager", profile, is_simulated=True)
        return api.plan(self.what(), **cast), {role: binding.profile for role, binding in cast.items()}


class StartWish(PlanWish):
    """The same to be run. ``speed`` is for simulators; ``pain_before`` how much it hurts, 0 to 10.

    ``asks_pain`` lets it ask before, between and after; ``waits_for_key`` lets it wait for `resume` at each place,
    ``can_be_resumed`` also after a lost link came back. With ``lease_s`` it stops when nobody has renewed it for so
    many real seconds.
    """

    speed: float = Field(default=1.0, ge=0.1, le=SPEED_MAX)
    pain_before: PainScore | None = None
    asks_pain: bool = False
    waits_for_key: bool = False
    can_be_resumed: bool = True
    lease_s: float | None = Field(default=None, ge=LEASE_S_MIN, le=LEASE_S_MAX)

    def order(self, by: str) -> Order:
        """The session that is meant. Raises as `what` does."""
        return Order(
            what=self.what(),
            by=by,
            massager=self.massager,
            massager2=self.massager2,
            timer=self.timer,
            simulator=self.simulator,
            speed=self.speed,
            pain_before=self.pain_before,
            waits_for_key=self.waits_for_key,
            can_be_resumed=self.can_be_resumed,
            lease_s=self.lease_s,
            asks_pain=self.asks_pain,
        )


class PainWord(Body):
    """How much it hurts, 0 to 10."""

    score: PainScore


class SessionNumber(Body):
    """Which session is meant, as its start told it."""

    number: int = Field(ge=1, strict=True)


class ScanWish(Body):
    """How long to look around, in real seconds."""

    for_s: float = Field(default=5.0, ge=0.1, le=60)


class PairWish(Body):
    """What to pair: a URL, an address or a name; ``profile`` where it cannot be told.

    ``parameters`` are those of the profile that differ for this device, such as its PIN.
    """

    target: str = Field(min_length=1, max_length=300, pattern=PRINTABLE)
    name: DeviceName | None = None
    profile: ProfileId | None = None
    parameters: dict[ParameterName, Annotated[str, Field(max_length=100, pattern=PRINTABLE)]] = Field(
        default={}, max_length=20
    )
