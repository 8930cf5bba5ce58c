"""The guardian: a child process that stops the devices when this program no longer can.

::

    this program (`watching.Guardian`)                 the child (`child`, run by `python -m controller.guardian`)
        {"guard": [ward, …]}          ──stdin──►       opens nothing yet, encodes nothing
                                      ◄─stdout─        {"guarding": n}
        {"beat": n} every 0.2 s       ──stdin──►
                                      ◄─stdout─        {"beat": n}
        {"release": true}             ──stdin──►       ends without touching anything
        nothing: dead, hung, stopped                   ends this program, opens the links itself, sends Stop

The child knows transports and profiles, and nothing of sessions, routines or devices.
"""
