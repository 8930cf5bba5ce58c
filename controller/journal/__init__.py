"""The journal: every session, written down while it runs, so that nothing committed is lost when percuss is killed.

::

    open_journal ──► Journal ──begin──► SessionRecord ──record──► queue ──► one thread ──► SQLite or PostgreSQL

`places` says where it is, `revisions` brings an old one up to date, `tables` is what is in it, `guardian_log` takes up
what the guardian wrote when this program was dead, `reading` looks back.
"""

from controller.journal.guardian_log import GuardianWord
from controller.journal.journal import Journal, StopBy, UnfinishedSession, open_existing, open_journal
from controller.journal.recording import SessionRecord

__all__ = ["GuardianWord", "Journal", "SessionRecord", "StopBy", "UnfinishedSession", "open_existing", "open_journal"]
