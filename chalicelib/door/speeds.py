"""How fast a generator can be expected to write on a CPU. Called by `placements`; pure.

Writing one token reads every active weight once, so memory bandwidth bounds it from above:

    tokens a second <= vCPUs * 2.67 GB/s / bytes of active weights

Source: Intel's data sheets for the Xeon Scalable processors of the c5, m5 and r5 families: six channels of DDR4-2666 a
socket, 128 GB/s, shared by 48 vCPUs.
"""

from collections.abc import Sequence

from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.ranking import Candidate
from chalicelib.door.sizing import Size
from chalicelib.reports import Severity

GB_PER_S_A_VCPU = 2.67
LARGE_PARAMETERS = 1_000_000_000
SLOW = declarer("The plan")(
    "slow-on-cpu",
    Severity.INFO,
    "A model of more than a billion parameters writes text on a CPU, which reads all of them for every token.",
    "Name a GPU type as instance_type in deploy.toml.",
)


def tokens_per_s(size: Size, vcpus: int) -> float:
    """The most that memory bandwidth allows one sequence to be written with, in tokens a second."""
    return vcpus * GB_PER_S_A_VCPU * 1e9 / max(1.0, size.active_bytes)


def say_speed(chosen: Candidate, size: Size, ranking: Sequence[Candidate], findings: Findings) -> None:
    """Say so when a large generator is to run on a CPU, and which GPU type would hold it."""
    if chosen.devices or chosen.instance is None or size.shape is None or not size.shape.is_generator:
        return
    count = size.parameter_count or size.loaded_bytes // size.itemsize
    if count <= LARGE_PARAMETERS:
        return
    vcpus = chosen.instance.vcpus
    message = (
        f"{chosen.name} can be expected to write at most {tokens_per_s(size, vcpus):.2g} tokens a second:"
        f" {vcpus} vCPUs x {GB_PER_S_A_VCPU} GB/s, over {size.active_bytes / 1e9:.1f} GB of weights read for each"
    )
    gpu = next((each for each in ranking if each.devices and each.obstacle is None and each.price is not None), None)
    fix = None
    if gpu is not None and gpu.price is not None:
        fix = (
            f'instance_type = "{gpu.name}" holds it on a GPU, for {gpu.price.per_hour:g} {gpu.price.currency} an hour.'
        )
    findings.add(SLOW, message, fix=fix)
