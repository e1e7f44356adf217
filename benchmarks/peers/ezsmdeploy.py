"""How ezsmdeploy 2.2 chooses an instance, rebuilt from a description of it, as the sizing benchmark's named peer.

It adds up the archive's packed bytes; takes an instance's memory divided by twice its vCPUs for what one worker may
hold; and of those that hold more than the archive takes the cheapest (budget 100, which means none) or the first in its
list, which is sorted by memory (any other budget). Nothing else is looked at.

Its two tables are data of aws-samples/easy-amazon-sagemaker-deployments (ezsmdeploy/data), which publishes them under
MIT-0: types, vCPUs and GiB, and its own prices, which are of 2020.
"""

NO_BUDGET = 100.0
"""Its default, which stands for none."""
INSTANCES = (
    ("ml.c4.xlarge", 4, 7.5), ("ml.c5.2xlarge", 8, 16), ("ml.m5.xlarge", 4, 16), ("ml.m4.xlarge", 4, 16),
    ("ml.m5d.xlarge", 4, 16), ("ml.c5.4xlarge", 16, 32), ("ml.t2.2xlarge", 8, 32), ("ml.m5.2xlarge", 8, 32),
    ("ml.m5d.2xlarge", 8, 32), ("ml.r5d.xlarge", 4, 32), ("ml.c4.8xlarge", 36, 60), ("ml.m5.4xlarge", 16, 64),
    ("ml.m4.4xlarge", 16, 64), ("ml.m5d.4xlarge", 16, 64), ("ml.r5d.2xlarge", 8, 64), ("ml.c5.9xlarge", 36, 72),
    ("ml.r5d.4xlarge", 16, 128), ("ml.c5.18xlarge", 72, 144), ("ml.m4.10xlarge", 40, 160), ("ml.m5.12xlarge", 48, 192),
    ("ml.m5d.12xlarge", 48, 192), ("ml.m4.16xlarge", 64, 256), ("ml.m5d.24xlarge", 96, 384),
    ("ml.r5d.12xlarge", 48, 384), ("ml.r5d.24xlarge", 96, 768),
)  # fmt: skip
COSTS = {
    "ml.c4.xlarge": 0.31, "ml.c5.2xlarge": 0.52, "ml.m5.xlarge": 0.30, "ml.m4.xlarge": 0.31, "ml.m5d.xlarge": 0.35,
    "ml.c5.4xlarge": 1.04, "ml.t2.2xlarge": 0.57, "ml.m5.2xlarge": 0.60, "ml.m5d.2xlarge": 0.71, "ml.r5d.xlarge": 0.395,
    "ml.c4.8xlarge": 2.45, "ml.m5.4xlarge": 1.20, "ml.m4.4xlarge": 1.24, "ml.m5d.4xlarge": 1.41, "ml.r5d.2xlarge": 0.79,
    "ml.c5.9xlarge": 2.34, "ml.r5d.4xlarge": 1.579, "ml.c5.18xlarge": 4.69, "ml.m4.10xlarge": 3.11,
    "ml.m5.12xlarge": 3.60, "ml.m5d.12xlarge": 4.24, "ml.m4.16xlarge": 4.97, "ml.m5d.24xlarge": 8.47,
    "ml.r5d.12xlarge": 4.738, "ml.r5d.24xlarge": 9.475,
}  # fmt: skip


class NothingFound(ValueError):
    """Its answer for anything of 4 GB and more."""


def choose(packed_bytes: int, budget: float = NO_BUDGET) -> str:
    """Choose an instance type for an archive of so many bytes, as it would.

    Raises:
        NothingFound: It raises ValueError and advises to choose a large GPU instance by hand.
    """
    size_gb = packed_bytes / 1e9
    holding = [name for name, vcpus, memory_gib in INSTANCES if memory_gib / (2 * vcpus) > size_gb]
    if budget == NO_BUDGET:
        if holding:
            return min(holding, key=lambda name: COSTS[name])
        raise NothingFound
    for name in holding:
        if COSTS[name] <= budget:
            return name
    raise NothingFound
