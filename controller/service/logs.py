"""The log of the service: lines for people, or one JSON object a line for programs, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from controller.service.settings import LogSettings

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_QUIET = ("uvicorn.error", "sse_starlette", "asyncio", "httpx", "httpcore", "bleak", "alembic", "sqlalchemy")
"""Libraries that would fill it with what concerns nobody."""


class JsonLines(logging.Formatter):
    """One object a line: ``at_utc``, ``level``, ``logger``, ``message``, and ``problem`` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line."""
        at_utc = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {
            "at_utc": at_utc,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["problem"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def start_logging(settings: LogSettings) -> None:
    """Log everything from here on, in this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_rename)
    handler.setFormatter(JsonLines() if settings.format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _rename(record: logging.LogRecord) -> bool:
    """The server calls its log "uvicorn.error", whatever it says there; lets every record through."""
    if record.name == "uvicorn.error":
        record.name = "percuss.http"
    return True
