"""Which image serves a release: a small table, of the three frameworks planned with. Called by `plans`.

Source: sagemaker-python-sdk 3.20.0, image_uri_config/{huggingface,pytorch,sklearn}.json: accounts by region, tags,
versions.
"""

from dataclasses import dataclass

from chalicelib.door.tasks import REMOVED_IN_TRANSFORMERS_5

_DEFAULT_ACCOUNT = "763104351884"
_ACCOUNTS = {
    "af-south-1": "626614931356", "ap-east-1": "871362719292", "ap-northeast-3": "364406365360",
    "ap-south-2": "772153158452", "ap-southeast-3": "907027046896", "ap-southeast-4": "457447274322",
    "ca-west-1": "204538143572", "cn-north-1": "727897471807", "cn-northwest-1": "727897471807",
    "eu-central-2": "380420809688", "eu-south-1": "692866216735", "eu-south-2": "503227376785",
    "il-central-1": "780543022126", "me-central-1": "914824155844", "me-south-1": "217643126080",
    "us-gov-east-1": "446045086412", "us-gov-west-1": "442386744353",
}  # fmt: skip
_SKLEARN_ACCOUNTS = {
    "af-south-1": "510948584623", "ap-east-1": "651117190479", "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698", "ap-northeast-3": "867004704886", "ap-south-1": "720646828776",
    "ap-south-2": "628508329040", "ap-southeast-1": "121021644041", "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941", "ap-southeast-4": "106583098589", "ca-central-1": "341280168497",
    "ca-west-1": "190319476487", "cn-north-1": "450853457545", "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770", "eu-central-2": "680994064768", "eu-north-1": "662702820516",
    "eu-south-1": "978288397137", "eu-south-2": "104374241257", "eu-west-1": "141502667606",
    "eu-west-2": "764974769150", "eu-west-3": "659782779980", "il-central-1": "898809789911",
    "me-central-1": "272398656194", "me-south-1": "801668240914", "sa-east-1": "737474898029",
    "us-east-1": "683313688378", "us-east-2": "257758044811", "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902", "us-west-1": "746614075791", "us-west-2": "246618743249",
}  # fmt: skip

PLANNED = ("huggingface", "pytorch", "sklearn")
"""The containers this version can plan with; deploy.toml knows more names."""


@dataclass(frozen=True)
class Image:
    """One image and what is in it; *transformers* is None where it has none."""

    uri: str
    transformers: str | None = None


def choose_image(container: str, *, region: str, task: str | None, has_code: bool, on_gpu: bool) -> Image | None:
    """Choose the newest image that can serve the task; None when the container has none for such instances.

    Transformers 5 has dropped some pipelines, and the image's default handler fails at start for them: those tasks get
    the last image of transformers 4, unless the archive brings a handler of its own.
    """
    if container == "sklearn":
        # Regions that are not in the table get the United States' own, where ECR may still serve them by replication.
        account = _SKLEARN_ACCOUNTS.get(region, _SKLEARN_ACCOUNTS["us-east-1"])
        return None if on_gpu else Image(f"{_registry(account, region)}/sagemaker-scikit-learn:1.2-1-cpu-py3")
    registry = _registry(_ACCOUNTS.get(region, _DEFAULT_ACCOUNT), region)
    processor = "gpu" if on_gpu else "cpu"
    if container == "pytorch":
        return Image(f"{registry}/pytorch-inference:2.6.0-{processor}-py312")
    version = "4.51.3" if task in REMOVED_IN_TRANSFORMERS_5 and not has_code else "5.5.3"
    system = "cu124-ubuntu22.04" if on_gpu else "ubuntu22.04"
    tag = f"2.6.0-transformers{version}-{processor}-py312-{system}"
    return Image(f"{registry}/huggingface-pytorch-inference:{tag}", version)


def _registry(account: str, region: str) -> str:
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{account}.dkr.ecr.{region}.{domain}"
