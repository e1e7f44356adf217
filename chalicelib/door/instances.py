"""Every instance type SageMaker hosts on; price and memory of those planned with. Called by `sizing` and `schema`.

Prices are on-demand list prices of real-time inference in us-east-1, in USD an hour, as publicly listed on PRICED_ON;
the Pricing API has not been asked, and other regions cost up to half as much again.
Source: aws.amazon.com/sagemaker/pricing; names: botocore's service model, sagemaker/2017-07-24
(ProductionVariantInstanceType), which a test compares with.
"""

from dataclasses import dataclass

PRICED_ON = "2026-11-20"
PRICED_REGION = "us-east-1"

_L = "large xlarge 2xlarge 4xlarge"
_G5 = "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"
_G7 = "2xlarge 4xlarge 8xlarge 12xlarge 24xlarge 48xlarge"
_TO_16 = f"{_L} 8xlarge 12xlarge 16xlarge"
_FAMILIES = {
    "t2": "medium large xlarge 2xlarge",
    "m4": "xlarge 2xlarge 4xlarge 10xlarge 16xlarge",
    "c4": f"{_L} 8xlarge",
    **dict.fromkeys(("m5", "m5d", "r5", "r5d"), f"{_L} 12xlarge 24xlarge"),
    **dict.fromkeys(("c5", "c5d"), f"{_L} 9xlarge 18xlarge"),
    **dict.fromkeys(("c6i", "m6i", "r6i", "c6in"), f"{_TO_16} 24xlarge 32xlarge"),
    **dict.fromkeys(("m7i", "c7i", "r7i"), f"{_TO_16} 24xlarge 48xlarge"),
    **dict.fromkeys(("c6g", "c6gd", "c6gn", "c7g", "m6g", "m6gd", "r6g", "r6gd"), _TO_16),
    "r7gd": f"medium {_TO_16}",
    **dict.fromkeys(("c8g", "m8g", "r8g"), f"medium {_TO_16} 24xlarge 48xlarge"),
    "p2": "xlarge 8xlarge 16xlarge",
    "p3": "2xlarge 8xlarge 16xlarge",
    **dict.fromkeys(("p4d", "p4de", "dl1"), "24xlarge"),
    "p5": "4xlarge 48xlarge",
    **dict.fromkeys(("p5e", "p5en", "p6-b200", "p6-b300", "trn2"), "48xlarge"),
    "p6e-gb200": "36xlarge",
    "g4dn": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    **dict.fromkeys(("g5", "g6", "g6e"), _G5),
    **dict.fromkeys(("g7", "g7e"), _G7),
    "inf1": "xlarge 2xlarge 6xlarge 24xlarge",
    "inf2": "xlarge 8xlarge 24xlarge 48xlarge",
    "trn1": "2xlarge 32xlarge",
    "trn1n": "32xlarge",
}
INSTANCE_TYPES = frozenset(f"ml.{family}.{size}" for family, sizes in _FAMILIES.items() for size in sizes.split())


@dataclass(frozen=True)
class Instance:
    """One priced instance type; *is_steady* is false where CPU credits run out (burstable types)."""

    type: str
    vcpus: int
    memory_gib: int
    price_per_hour_usd: float
    gpu_memory_gib: int = 0
    is_steady: bool = True


PRICED = (
    Instance("ml.t2.medium", 2, 4, 0.056, is_steady=False),
    Instance("ml.t2.large", 2, 8, 0.111, is_steady=False),
    Instance("ml.t2.xlarge", 4, 16, 0.223, is_steady=False),
    Instance("ml.t2.2xlarge", 8, 32, 0.445, is_steady=False),
    Instance("ml.c5.large", 2, 4, 0.102),
    Instance("ml.c5.xlarge", 4, 8, 0.204),
    Instance("ml.c5.2xlarge", 8, 16, 0.408),
    Instance("ml.c5.4xlarge", 16, 32, 0.816),
    Instance("ml.c5.9xlarge", 36, 72, 1.836),
    Instance("ml.c5.18xlarge", 72, 144, 3.672),
    Instance("ml.m5.large", 2, 8, 0.115),
    Instance("ml.m5.xlarge", 4, 16, 0.23),
    Instance("ml.m5.2xlarge", 8, 32, 0.461),
    Instance("ml.m5.4xlarge", 16, 64, 0.922),
    Instance("ml.m5.12xlarge", 48, 192, 2.765),
    Instance("ml.m5.24xlarge", 96, 384, 5.53),
    Instance("ml.r5.large", 2, 16, 0.151),
    Instance("ml.r5.xlarge", 4, 32, 0.302),
    Instance("ml.r5.2xlarge", 8, 64, 0.605),
    Instance("ml.r5.4xlarge", 16, 128, 1.21),
    Instance("ml.r5.12xlarge", 48, 384, 3.629),
    Instance("ml.r5.24xlarge", 96, 768, 7.258),
    Instance("ml.g4dn.xlarge", 4, 16, 0.7364, gpu_memory_gib=16),
    Instance("ml.g4dn.2xlarge", 8, 32, 0.94, gpu_memory_gib=16),
    Instance("ml.g4dn.12xlarge", 48, 192, 4.89, gpu_memory_gib=64),
    Instance("ml.g5.xlarge", 4, 16, 1.4084, gpu_memory_gib=24),
    Instance("ml.g5.2xlarge", 8, 32, 1.515, gpu_memory_gib=24),
    Instance("ml.g5.12xlarge", 48, 192, 7.09, gpu_memory_gib=96),
    Instance("ml.g5.48xlarge", 192, 768, 20.36, gpu_memory_gib=192),
)
BY_TYPE = {instance.type: instance for instance in PRICED}


def has_gpu(instance_type: str) -> bool:
    """Tell whether a type has NVIDIA GPUs, by its family's letter."""
    return instance_type.startswith(("ml.g", "ml.p"))


def has_other_chip(instance_type: str) -> bool:
    """Tell whether a type needs an image built for its chip: Graviton, Inferentia, Trainium or Gaudi."""
    family = instance_type.split(".")[1]
    is_graviton = family[:1] in "cmr" and "g" in family[2:]
    return is_graviton or family.startswith(("inf", "trn", "dl")) or "gb200" in family
