"""One massager or timer: a transport, a codec and a queue, and the stop that goes past all three."""

from controller.devices.device import Device

__all__ = ["Device"]
