"""The options of `keyleash hook`."""

from __future__ import annotations

from scanner import __version__
from scanner.options import Commands, add_decisions, command

EXAMPLES = """\
What is scanned is the staged content of the files of a commit, whole, less what the commit before it already
has. With files that are not staged (pre-commit run --all-files) it scans those files as they are, and with
--from-ref and --to-ref the commits between the two. With --stage pre-push it scans the commits, messages
and tags that the remote does not have, and with --stage commit-msg the message.

  repos:
    - repo: https://github.com/keyleash/keyleash
      rev: v{version}
      hooks:
        - id: keyleash
        - id: keyleash-commit-msg
        - id: keyleash-push

then 'pre-commit install --hook-type pre-commit --hook-type commit-msg --hook-type pre-push'. Without pre-commit,
'keyleash install' writes the hooks of git, and 'keyleash doctor' says whether they work.

KEYLEASH_GIT_TIMEOUT=SECONDS is how long one command of git may take (default: 60).
"""


def add_hook(commands: Commands) -> None:
    epilog = EXAMPLES.format(version=__version__)
    hook = command(commands, "hook", "scan a commit that is being made, or a push; the entry for pre-commit and git", epilog)
    hook.add_argument("files", nargs="*", metavar="FILE", help="the files that pre-commit names, or what git says to a hook")
    hook.add_argument("--stage", choices=("pre-commit", "pre-merge-commit", "pre-push", "commit-msg"), default="pre-commit",
                      help="which hook of git this is (default: pre-commit)")  # fmt: skip
    add_decisions(hook, ref=False)
