"""The headless front door: ``python -m engine`` (and ``partcraft`` with words).

``--json`` prints one JSON document on stdout and nothing else there; progress goes to stderr. Exit codes: 0 done,
1 failed (one sentence and a hint on stderr), 2 wrong words, 130 interrupted (what was finished is kept).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

from engine.worker.hosts import HOST_WORD

HANDLERS: Final = "engine.handlers:HANDLERS"


def main(argv: Sequence[str] | None = None, handlers: str = HANDLERS) -> int:
    """Run one command; its exit code. ``argv`` is without the program's name. ``handlers`` is for tests."""
    argv = list(sys.argv[1:] if argv is None else argv)
    for library in ("TRANSFORMERS", "DIFFUSERS"):  # read when they are imported, which is later and not always
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    if len(argv) == 2 and argv[0] == HOST_WORD:
        from engine.worker.child_process import serve

        return serve(argv[1])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names are of any script, whatever the system's code page
            stream.reconfigure(encoding="utf-8", errors="replace")
    from engine.cli.parser import make_parser  # the command line's modules are not needed by a host

    try:
        arguments = make_parser().parse_args(["--help"] if argv == ["help"] else argv)
    except SystemExit as exited:  # argparse has said why, or has given help
        return exited.code if isinstance(exited.code, int) else 2
    return _run(arguments, handlers)


def _run(arguments: argparse.Namespace, handlers: str) -> int:
    from engine.cli.console import INTERRUPTED, Interrupted, print_answer, print_error
    from engine.core.errors import UserError
    from engine.worker.dispatch import failure_of

    try:
        with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints must not spoil the answer
            answer = arguments.run_command(arguments, handlers)
        return print_answer(answer, arguments.json)
    except UserError as error:
        return print_error(error, arguments.json, arguments.debug)
    except (Interrupted, KeyboardInterrupt):
        if arguments.json:
            print(json.dumps({"interrupted": True}))
        print("partcraft: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last fence: people get a sentence, the traceback with --debug
        failed = failure_of(error)
        user_error = UserError(failed.message, failed.hint)
        user_error.__dict__["details"] = failed.details
        return print_error(user_error, arguments.json, arguments.debug)


if __name__ == "__main__":
    sys.exit(main())
