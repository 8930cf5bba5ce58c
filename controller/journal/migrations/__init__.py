"""How an older journal becomes a newer one; alembic runs what is in ``versions``, one revision after the other."""
