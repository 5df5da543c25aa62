"""Why a run cannot go on.

An input that cannot be read is not an error: it is a `Skipped` value in the report
(see `model`). The exceptions here end the run; `cli.main` is the one place that turns
them into an exit code and a single line on standard error.
"""


class ScanError(Exception):
    """The run cannot go on. The message is one line: what, where, and the remedy. Exit code 2."""


class UsageError(ScanError):
    """The command line or the place it names is wrong: a path, a revision, an option."""


class RuleError(ScanError):
    """A rule file is wrong. The message names the file, the rule and the field."""


class ConfigError(ScanError):
    """A configuration file is wrong. The message names the file, the line and the field."""


class GitError(ScanError):
    """git is missing, or refused. The message carries git's own reason."""


class BaselineError(ScanError):
    """A baseline is wrong. The message names the file, the line and the remedy."""
