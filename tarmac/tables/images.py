"""Writes chalicelib/door/image_table.py from what the SageMaker SDK answers: `python -m tarmac.tables.images`.

Nothing is read from the SDK's own files: every line of the table is an answer of its `image_uris.retrieve`, asked for
each region it knows, and tests/stack/test_image_table.py asks again.
"""

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tarmac.tables.sdk import NAME, ask

TABLE = Path(__file__).parents[2] / "chalicelib" / "door" / "image_table.py"
CPU_TYPE, GPU_TYPE = "ml.m5.large", "ml.g5.xlarge"
_URI = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.(?P<domain>[a-z0-9.]+)/(?P<image>[^:]+:.+)")
_TRANSFORMERS = re.compile(r"transformers(\d+\.\d+\.\d+)")


@dataclass(frozen=True)
class Wanted:
    """A container as deploy.toml calls it, and how the SDK is asked for it.

    Attributes:
        container: As deploy.toml calls it.
        framework: As the SDK calls it.
        versions: Which of the SDK's are planned with, newest first: of each pattern the newest that fits.
        more: Further arguments.
        cpu_framework: What the SDK calls its images for CPUs, where that is another name.
    """

    container: str
    framework: str
    versions: tuple[str, ...]
    more: Mapping[str, str]
    cpu_framework: str | None = None


_INFERENCE = {"image_scope": "inference"}
_PY312 = {**_INFERENCE, "py_version": "py312"}
WANTED = (
    Wanted("huggingface", "huggingface", (r"5\.\d+\.\d+", r"4\.\d+\.\d+"),
           {**_PY312, "base_framework_version": "pytorch2.6.0"}),
    Wanted("vllm", "huggingface-vllm", (r"\d+\.\d+\.\d+",), {}),
    Wanted("tei", "huggingface-tei", (r"\d+\.\d+\.\d+",), {}, "huggingface-tei-cpu"),
    Wanted("sklearn", "sklearn", (r"1\.9-.*", r"1\.4-.*", r"1\.2-.*", r"1\.0-.*"), _INFERENCE),
    Wanted("pytorch", "pytorch", (r"2\.\d+\.\d+",), _PY312),
    Wanted("tensorflow", "tensorflow", (r"2\.\d+\.\d+",), _PY312),
    Wanted("xgboost", "xgboost", (r"3\.2-.*", r"3\.0-.*", r"1\.7-.*"), _INFERENCE),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One version of a container.

    Attributes:
        accounts: By region.
        domains: By region.
        on_cpu, on_gpu: Repository and tag; empty where it has no image for such instances.
    """

    container: str
    version: str
    accounts: Mapping[str, str]
    domains: Mapping[str, str]
    on_cpu: str
    on_gpu: str


def questions(wanted: Wanted, version: str, regions: Iterable[str]) -> Iterator[tuple[str, bool, dict[str, str]]]:
    """Give region, whether a GPU is meant, and the question, for all that is asked of one version."""
    for region in regions:
        for is_gpu, framework in ((False, wanted.cpu_framework or wanted.framework), (True, wanted.framework)):
            instance_type = GPU_TYPE if is_gpu else CPU_TYPE
            question = {"framework": framework, "region": region, "version": version, "instance_type": instance_type}
            yield region, is_gpu, {**question, **wanted.more}


def choose_versions(wanted: Wanted, known: Iterable[str]) -> list[str]:
    """Give the SDK's versions that are planned with, newest first."""
    chosen = []
    for pattern in wanted.versions:
        fitting = [version for version in known if re.fullmatch(pattern, version)]
        chosen.append(max(fitting, key=lambda version: [int(number) for number in re.findall(r"\d+", version)]))
    return chosen


def collect() -> list[Row]:
    """Ask the SDK everything. Raises SdkUnavailable; ValueError when its answers do not fit a table."""
    known = ask([], frameworks=[wanted.framework for wanted in WANTED])
    asked = [
        (wanted, version, *question)
        for wanted in WANTED
        for version in choose_versions(wanted, known["versions"][wanted.framework])
        for question in questions(wanted, version, known["regions"])
    ]
    answers = ask([question for *_, question in asked])["answers"]
    found: dict[tuple[str, str], list[tuple[str, bool, Any]]] = defaultdict(list)
    for (wanted, version, region, is_gpu, _), answer in zip(asked, answers, strict=True):
        found[wanted.container, version].append((region, is_gpu, answer))
    return [_row(container, version, answers) for (container, version), answers in found.items()]


def _row(container: str, version: str, answers: Iterable[tuple[str, bool, Any]]) -> Row:
    accounts: dict[str, str] = {}
    domains: dict[str, str] = {}
    images: dict[bool, set[str]] = {False: set(), True: set()}
    for region, is_gpu, answer in answers:
        if not isinstance(answer, str):
            continue
        match = _URI.fullmatch(answer)
        if (
            match is None
            or match["region"] != region
            or accounts.setdefault(region, match["account"]) != match["account"]
        ):
            raise ValueError(f"{container} {version}: {answer} does not fit the table")
        domains[region] = match["domain"]
        images[is_gpu].add(match["image"])
    if any(len(found) > 1 for found in images.values()) or not accounts:
        raise ValueError(f"{container} {version} is called differently from region to region, or is nowhere")
    on_cpu, on_gpu = (next(iter(images[is_gpu]), "") for is_gpu in (False, True))
    return Row(container, version, accounts, domains, on_cpu, on_gpu)


def render(rows: Iterable[Row], *, made_on: str) -> str:
    """Render the table's module. *made_on* is a date, as YYYY-MM-DD."""
    rows = list(rows)
    registries: dict[str, str] = {}
    lines = []
    for row in rows:
        text = " ".join(f"{region}={account}" for region, account in sorted(row.accounts.items()))
        key = registries.setdefault(text, f"{row.container}-{row.version}")
        match = _TRANSFORMERS.search(row.on_cpu or row.on_gpu)
        lines += [
            f'    ("{row.container}", "{row.version}", "{match[1] if match else ""}", "{key}",',
            f'     "{row.on_cpu}",',
            f'     "{row.on_gpu}"),',
        ]
    domains: dict[str, str] = {}
    for row in rows:
        domains |= row.domains
    usual = "amazonaws.com"
    unusual = {region: domain for region, domain in sorted(domains.items()) if domain != usual}
    return "\n".join(
        [
            '"""Where SageMaker\'s images lie: containers by version, accounts by region. Called by `images`.',
            "",
            "Written by `python -m tarmac.tables.images`, which asks the SageMaker SDK; edit nothing here.",
            '"""',
            "",
            "# fmt: off",
            f'MADE_ON = "{made_on}"',
            f'MADE_FROM = "{NAME}"',
            f'DOMAIN = "{usual}"',
            "OTHER_DOMAINS = {",
            *(f'    "{region}": "{domain}",' for region, domain in unusual.items()),
            "}",
            "REGISTRIES = {",
            *(line for text, key in registries.items() for line in _registry_lines(key, text)),
            "}",
            '"""Region and account, by the first version that lies there."""',
            "IMAGES = (",
            *lines,
            ")",
            '"""Container, version, that of transformers, registry, image for CPUs, image for GPUs; newest first."""',
            "",
        ]
    )


def _registry_lines(key: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, 100, break_on_hyphens=False)
    body = [f'        "{line} "' if line is not wrapped[-1] else f'        "{line}"' for line in wrapped]
    return [f'    "{key}": (', *body, "    ),"]


def main() -> None:
    """Write the table."""
    TABLE.write_text(render(collect(), made_on=datetime.now(UTC).date().isoformat()))
    print(f"{TABLE.name} written from {NAME}")  # noqa: T201  # a command says what it did


if __name__ == "__main__":
    main()
