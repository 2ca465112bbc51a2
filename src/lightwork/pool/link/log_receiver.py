"""Log receiver: the pool's side of child/log_sender.py: records of children, logged here as they were there."""

import logging
import pickle

from lightwork.pool.call.log_failure import log_failure

log = logging.getLogger(__name__)


def known_levels() -> dict[str, int]:
    """Return the levels that the program has set, by name of the logger; the root's under ""."""
    levels = {"": logging.getLogger().level}
    # A copy, made at once: other threads may make loggers meanwhile.
    for name, logger in logging.root.manager.loggerDict.copy().items():
        if isinstance(logger, logging.Logger) and logger.level:
            levels[name] = logger.level
    return levels


def relog(child: str, packed: bytes) -> None:
    """Log a record of this child; what goes wrong with it harms nobody."""
    try:
        said = pickle.loads(packed)
        if isinstance(said, int):
            log.warning("log_records_dropped child=%s count=%d", child, said)
            return
        record = logging.makeLogRecord(said)
        record.processName = child
        logger = logging.getLogger(record.name)
        # The level may have been raised here since the child began.
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
    except BaseException:
        # A filter or handler of the program: its failure must not end the pool.
        log_failure(log, "log_record_failed child=%s", child)
