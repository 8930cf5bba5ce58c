"""The HTTP door: everything that a page, a script or the command line may ask of the service."""

from controller.http.app import service_app
from controller.http.process import DoorProcess, opened_door

__all__ = ["DoorProcess", "opened_door", "service_app"]
