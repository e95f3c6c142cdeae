"""Logs as structured lines and metrics for Prometheus. Neither ever carries personal data or secrets."""

import logging
import sys
import traceback
from typing import Any, TextIO

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from janani.kernel import trace


def configure_logs(*, level: str = "INFO", to: TextIO = sys.stderr) -> None:
    """Sends structured log lines (JSON, UTC) to standard error (or `to`), and silences libraries below WARNING."""
    logging.basicConfig(stream=to, level=logging.WARNING, format="%(message)s", force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(to),
        cache_logger_on_first_use=False,
    )


def _with_trace(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The trace that the work at hand belongs to, whoever logs."""
    here = trace.current()
    if here is not None:
        event["trace"] = here.trace_id
    return event


def log(part: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of `part`. Events are words with underscores; values are surrogate ids, counts and codes."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(part=part)
    return logger


def place_of(error: Exception) -> str:
    """Where an error was raised. Its text is not logged: it may quote a person's values."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.name}:{frame.lineno}"


def metrics(registry: CollectorRegistry = REGISTRY) -> bytes:
    """The metrics in Prometheus' text format."""
    return generate_latest(registry)
