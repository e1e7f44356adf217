"""The state directory: one engine at a time, one token for life, and a record that is never half written."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tarmac.local.state_dir import EngineRecord, StateDir, StateInUse


def test_the_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    state = StateDir(tmp_path)

    token = state.ensure_token()

    assert len(token) >= 40
    assert StateDir(tmp_path).ensure_token() == token
    assert stat.S_IMODE(state.token_path.stat().st_mode) == 0o600


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.lock()
    code = (
        "import sys, pathlib; from tarmac.local.state_dir import StateDir; StateDir(pathlib.Path(sys.argv[1])).lock()"
    )

    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"StateInUse: another tarmac up (pid {os.getpid()}) is using {tmp_path}" in done.stderr
    state.unlock()


def test_the_lock_is_seen_and_is_free_again_afterwards(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    assert not state.is_locked()

    state.lock()
    assert StateDir(tmp_path).is_locked()

    state.unlock()
    assert not StateDir(tmp_path).is_locked()
    next_one = StateDir(tmp_path)
    next_one.lock()
    next_one.unlock()


def test_a_second_lock_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.lock()

    with pytest.raises(StateInUse, match="is using"):
        StateDir(tmp_path).lock()

    state.unlock()


def test_the_engine_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    record = EngineRecord("http://a", "http://b", "bucket", "region", "token", "state", 7)

    state.write_engine(record)
    read = state.read_engine()
    state.remove_engine()

    assert read == record
    assert state.read_engine() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 1}'])
def test_a_damaged_engine_record_is_no_record(tmp_path: Path, text: str) -> None:
    state = StateDir(tmp_path)
    state.engine_path.write_text(text)

    assert state.read_engine() is None
