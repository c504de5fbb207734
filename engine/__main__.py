"""The headless front door: ``python -m engine`` (and ``partcraft`` with words)."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run the command line; the exit code."""
    if len(argv) == 2 and argv[0] == "--partcraft-host":
        from engine.hosts import serve

        return serve(argv[1])
    print("partcraft: the command line is being built", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
