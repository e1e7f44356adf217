"""Makes the peers' environments: `python -m benchmarks.peers [NAME...]`; all of them without a name."""

import argparse
import sys

from benchmarks.peers.environments import java, names, python_of
from tarmac.local.environments import RequirementsUnmet


def main() -> int:
    """Make them; 1 when one cannot be installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="install the benchmarks' peers")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(names())}")
    chosen = parser.parse_args().names or names()
    is_whole = True
    for name in chosen:
        try:
            print(f"{name}: {python_of(name)}", flush=True)
        except RequirementsUnmet as unmet:
            print(f"{name}: {unmet}", flush=True)
            is_whole = False
    print(f"java: {java() or 'none, so the multi-model-server cannot run'}")
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
