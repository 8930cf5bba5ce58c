"""What a session asks about pain, and what the answers mean."""

from __future__ import annotations

from controller.events import Listener, PainAsked, PainMoment, PainTold
from routines.dose import pain_stops
from routines.timeline import Span

NERVE_SIGN_STOPS = "Tingling, numbness and shooting pain end a session at once. If they stay, ask a doctor."

LEAVE_IT = "Leave this place alone today; if it stays, ask a doctor."
REST_TODAY = "Leave it alone today; if it stays, ask a doctor."
"""What to do next, after pain that stopped a session, and after pain that let none begin."""


class PainQuestions:
    """Before, between the places and after. ``before`` is the answer that was given beforehand, 0 to 10."""

    def __init__(self, emit: Listener, before: int | None) -> None:
        self.before = before
        self.moment: PainMoment | None = None
        self.worked: Span | None = None
        """What was worked last."""
        self._emit = emit

    def ask(self, moment: PainMoment) -> None:
        """Ask; an answer is open until it is told or `drop` is called."""
        self.moment = moment
        self._emit(PainAsked(moment))

    def drop(self) -> None:
        """Ask no longer."""
        self.moment = None

    def tell(self, score: int) -> str | None:
        """Take the answer, 0 to 10: why everything must stop, or None."""
        moment = self.moment or "between"
        self._tell(moment, score, self.worked if moment != "before" else None)
        if moment == "before":
            self.before = score
        self.moment = None
        why = pain_stops(None if moment == "before" else self.before, score)
        if not why:
            return None
        return f"{why} {REST_TODAY if moment == 'before' else LEAVE_IT}"

    def tell_nerve_sign(self) -> None:
        """Note tingling, numbness or shooting pain."""
        self._tell("between", None, self.worked)

    def _tell(self, moment: PainMoment, score: int | None, worked: Span | None) -> None:
        if worked is None:
            self._emit(PainTold(moment, score))
        else:
            self._emit(PainTold(moment, score, worked.region, worked.side, worked.also))
