"""`tarmac`: the command line. Each group of commands is a module of its own; this one joins them and reports errors."""

import importlib
import sys
from typing import Any, cast

import click

from chalicelib.errors import TarmacError
from tarmac.cli.screen import print_error

_MODULE_OF = {
    "up": "running",
    "demo": "running",
    "env": "running",
    "token": "running",
    "check": "packing",
    "pack": "packing",
    "push": "packing",
    "ls": "models",
    "status": "models",
    "invoke": "asking",
    "logs": "asking",
    "plan": "models",
    "sweep": "models",
    "sleep": "models",
    "wake": "models",
    "rollback": "models",
    "rm": "models",
    "package": "deploy",
    "deploy": "deploy",
    "destroy": "destroy",
    "catalog": "catalog",
    "doctor": "doctor",
}
"""Commands in the order of a session, and the module of each: only the one that is called is imported."""


class _Commands(click.Group):
    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_MODULE_OF)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _MODULE_OF:
            return None
        return cast("click.Command", getattr(importlib.import_module(f"tarmac.cli.{_MODULE_OF[name]}"), name))

    def invoke(self, context: click.Context) -> Any:
        """Run a command; what a person did wrong ends in a sentence and exit 1, never in a traceback."""
        try:
            return super().invoke(context)
        except TarmacError as exc:
            print_error(exc.message, code=exc.code, fix=exc.fix)
        except OSError as exc:
            if isinstance(exc, BrokenPipeError):
                raise
            print_error(f"{exc.filename or 'input or output'}: {exc.strerror or exc}", code="os_error", fix=None)
        return context.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tarmac")
def commands() -> None:
    """Drop a model.tar.gz; get an HTTPS endpoint. It sleeps when nobody calls, and wakes when somebody does."""


def main() -> None:
    """The console script. Exit codes: 0 done, 1 refused or failed, 2 usage, 130 Ctrl-C."""
    try:
        # Outside its standalone mode click gives the exit code back, and leaves Ctrl-C and closed pipes to us.
        exit_code = commands.main(standalone_mode=False)
        sys.exit(exit_code if isinstance(exit_code, int) else 0)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has what it wanted; closing here keeps Python from complaining at exit.
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
