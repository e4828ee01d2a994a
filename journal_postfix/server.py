"""Which database a command uses: the one its DSN names, or the private one."""

from __future__ import annotations

from pathlib import Path

from journal_postfix import schema
from journal_postfix.config import Config
from journal_postfix.database import PLAIN_SETTINGS, connect
from journal_postfix.embedded import default_data_dir, embedded_dsn
from journal_postfix.remote import refuse_unprotected


def dsn_of(config: Config, *, create: bool = True) -> str:
    """The DSN; of the private database after starting it, also after it died.

    `create`: make the private database if there is none; InputError otherwise. UsageError for a DSN
    that would send mail data over a network unprotected, unless `insecure_dsn` allows it.
    """
    if config.dsn is not None:
        if not config.insecure_dsn:
            refuse_unprotected(config.dsn)
        return config.dsn
    return embedded_dsn(Path(config.data_dir or default_data_dir()), create=create)


def ready_dsn(config: Config) -> str:
    """A DSN whose schema is ready for writing; the private database is set up on the way."""
    dsn = dsn_of(config)
    connection = connect(dsn, PLAIN_SETTINGS)
    try:
        schema.check(connection, migrate=config.dsn is None or config.auto_migrate)
    finally:
        connection.close()
    return dsn
