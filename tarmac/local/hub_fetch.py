"""Fetches a model of the Hugging Face Hub into a folder, from the cache where it is there. A process of its own.

    python hub_fetch.py MODEL REVISION CACHE FOLDER

Started by hub_models.py: the engine's own process never leaves the machine. Where from, and as whom, the Hub's own
client reads in its environment (HF_ENDPOINT, HF_TOKEN).
"""

import glob
import os
import re
import shutil
import sys
from pathlib import Path

# As a script its own folder would come first, whose module names are common words.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from chalicelib.door.repositories import served_paths  # noqa: E402  # the line above must come first

_COPIED_BELOW_BYTES = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")


def fetch(model: str, revision: str, cache: Path, into: Path) -> str:
    """Put the files that serving needs into *into*; tell in one sentence where they came from.

    Raises:
        Exception: As huggingface_hub does.
    """
    done = cache / "whole" / f"{model.replace('/', '--')}@{revision}"
    if done.is_file() and (snapshot := Path(done.read_text(encoding="utf-8"))).is_dir():
        _lay_out(snapshot, into)
        return f"model {model} at {revision[:12]} comes from the cache"
    from huggingface_hub import HfApi, snapshot_download

    files = [each.path for each in HfApi().list_repo_tree(model, revision=revision, recursive=True)]
    wanted = [glob.escape(path) for path in served_paths(files)]
    snapshot = Path(snapshot_download(model, revision=revision, cache_dir=cache, allow_patterns=wanted))
    if _COMMIT.fullmatch(revision):
        # Only a commit stays what it is; and only now is it whole.
        done.parent.mkdir(parents=True, exist_ok=True)
        done.write_text(str(snapshot), encoding="utf-8")
    _lay_out(snapshot, into)
    return f"model {model} at {revision[:12]} was fetched from {os.environ.get('HF_ENDPOINT', 'the Hugging Face Hub')}"


def _lay_out(snapshot: Path, into: Path) -> None:
    """Link large files, which nobody writes to, and copy small ones."""
    for source in sorted(path for path in snapshot.rglob("*") if path.is_file()):
        target, real = into / source.relative_to(snapshot), source.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if real.stat().st_size >= _COPIED_BELOW_BYTES:
            try:
                os.link(real, target)
                continue
            except OSError:  # another file system
                target.unlink(missing_ok=True)
        shutil.copyfile(real, target)


def main() -> None:
    """Fetch as the command line says; end with 1 and a sentence on stderr when that fails."""
    model, revision, cache, into = sys.argv[1:]
    try:
        sys.stdout.write(f"{fetch(model, revision, Path(cache), Path(into))}\n")
    except Exception as exc:  # noqa: BLE001  # whatever it is, the endpoint's failure reason must say it
        sentence = " ".join(str(exc).split()) or type(exc).__name__
        sys.stderr.write(f"{type(exc).__name__}: {sentence[:600]}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
