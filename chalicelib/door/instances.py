"""The name of every instance type SageMaker hosts on, and what the names tell. Called by `schema` and `fits`.

What each has and costs stands in `catalogue`. Source: botocore's service model, sagemaker/2017-07-24
(ProductionVariantInstanceType), which a test compares with.
"""

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


def has_gpu(instance_type: str) -> bool:
    """Tell whether a type has NVIDIA GPUs, by its family's letter."""
    return instance_type.startswith(("ml.g", "ml.p"))


def has_other_chip(instance_type: str) -> bool:
    """Tell whether a type needs an image built for its chip: Graviton, Inferentia, Trainium or Gaudi."""
    family = instance_type.split(".")[1]
    is_graviton = family[:1] in "cmr" and "g" in family[2:]
    return is_graviton or family.startswith(("inf", "trn", "dl")) or "gb200" in family
