"""Random histories: whatever happens in whatever order, nothing that must never happen does, and all ends well."""

import os

import pytest

from tests.simulation.histories import History

SEEDS = int(os.environ.get("TARMAC_SIMULATION_SEEDS", "300"))
BATCHES = 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_histories_keep_every_promise(batch: int) -> None:
    """Each seed is one history; a failing one shows its last steps."""
    for seed in range(batch, SEEDS, BATCHES):
        try:
            History(seed).run()
        except BaseException as exc:
            exc.add_note(f"seed {seed}")
            raise
