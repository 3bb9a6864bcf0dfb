"""What can end a command, and the exit code it ends with.

BogError               1
  ConfigError         78  a setting, a file or a permission is not as it must be
  JournalDamaged      75  the journal cannot be trusted; nothing trades on it
"""


class BogError(Exception):
    """Something a user can understand and act on, said in one line."""

    exit_code = 1


class ConfigError(BogError):
    """A setting, a file or a permission is not as it must be; the line names it, value and remedy."""

    exit_code = 78


class JournalDamaged(BogError):
    """The middle of a journal is damaged, or records that were durable are gone."""

    exit_code = 75
