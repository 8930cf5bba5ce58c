"""What a running service does for every door alike. Nothing at a door moves anything by another way."""

from controller.station.order import LEFT_ALONE, Order, Running
from controller.station.station import Station, open_station

__all__ = ["LEFT_ALONE", "Order", "Running", "Station", "open_station"]
