"""The MQTT door: a bridge between the station and a broker, for Home Assistant and for programs of people's own.

::

    broker ──messages──► Bridge ──► Mailbox (is it new? is it in time?) ──► Obeying ──► Station
    broker ◄──availability, discovery, state, events, replies── Bridge ◄── Snapshots, happenings

Nothing in the service waits for a broker. What sets a motor going carries an id and an expiry, and is obeyed once; a
stop is obeyed always.
"""

from controller.mqtt.bridge import run_bridge

__all__ = ["run_bridge"]
