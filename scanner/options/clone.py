"""The options of the commands for one clone: `keyleash install`, `uninstall` and `doctor`."""

from __future__ import annotations

from scanner.options import Commands, command

EXAMPLES = """\
Writes pre-commit, commit-msg and pre-push into the folder in which git looks for hooks. A hook that is there goes on
running, before ours; 'keyleash uninstall' puts it back as it was. In a folder that the team shares through the
repository (Husky, or core.hooksPath within the work tree) a few lines are put into the hook that is there.

examples:
  keyleash install
  keyleash install --stage pre-push ~/site
  keyleash doctor
"""


def add_install(commands: Commands) -> None:
    install = command(commands, "install", "write the hooks of git into a clone, for those without pre-commit", EXAMPLES)
    install.add_argument("path", nargs="?", default=".", metavar="PATH", help="the clone (default: the one around here)")
    install.add_argument("--stage", action="append", dest="stages", choices=("pre-commit", "commit-msg", "pre-push"),
                         help="only this hook (repeatable; default: all three)")  # fmt: skip
    install.add_argument("--shared", action="store_true", help="also where core.hooksPath is one folder for all repositories")


def add_uninstall(commands: Commands) -> None:
    uninstall = command(commands, "uninstall", "take the hooks out again, and put back what was there before", "")
    uninstall.add_argument("path", nargs="?", default=".", metavar="PATH", help="the clone (default: the one around here)")


def add_doctor(commands: Commands) -> None:
    epilog = "exit codes: 0 commits are guarded, 1 they are not, 2 wrong use\n"
    doctor = command(commands, "doctor", "say whether a clone is really protected, and why not", epilog)
    doctor.add_argument("path", nargs="?", default=".", metavar="PATH", help="the clone (default: the one around here)")
