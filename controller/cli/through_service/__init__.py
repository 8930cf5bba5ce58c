"""The service that runs on this computer, as the command line asks it: the paired devices are its own."""
