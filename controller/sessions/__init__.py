"""A session: a timeline, the devices it drives, and the person who may pause, skip, repeat, lengthen or stop it."""

from controller.sessions.course import Progress
from controller.sessions.pain import NERVE_SIGN_STOPS
from controller.sessions.requests import Request
from controller.sessions.session import BY_THE_PERSON, Session

__all__ = ["BY_THE_PERSON", "NERVE_SIGN_STOPS", "Progress", "Request", "Session"]
