"""Make it happen, safely: links, devices, sessions, the command line. The only package with an event loop."""
