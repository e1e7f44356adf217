"""The tables that the door plans with, held against their sources: the SageMaker SDK, and transformers' wheels."""

from collections import Counter
from pathlib import Path

import pytest
import transformers
from transformers.models.auto import configuration_auto, modeling_auto

from chalicelib.door import architecture_table, image_table
from chalicelib.door.images import editions
from tarmac.tables import architectures, images, sdk

SDK_MAX_S = 900
"""The first run installs the SDK (18 MB) or downloads wheels (32 MB) into build/."""


@pytest.mark.timeout(SDK_MAX_S)
def test_the_sdk_gives_the_same_image_in_every_region_it_knows() -> None:
    known = sdk.ask([])
    versions = {(container, version) for container, version, *_ in image_table.IMAGES}
    asked = [
        (wanted.container, version, region, is_gpu, question)
        for wanted in images.WANTED
        for version in sorted(version for container, version in versions if container == wanted.container)
        for region, is_gpu, question in images.questions(wanted, version, known["regions"])
    ]

    answers = sdk.ask([question for *_, question in asked])["answers"]

    seen: Counter[str] = Counter()
    for (container, version, region, is_gpu, _), answer in zip(asked, answers, strict=True):
        edition = next((one for one in editions(container, region) if one.version == version), None)
        image = None if edition is None else edition.on_gpu if is_gpu else edition.on_cpu
        assert (image.uri if image else None) == (answer if isinstance(answer, str) else None), answer
        seen["there" if image else "not there"] += 1
    assert len(known["regions"]) >= 46
    assert seen["there"] > 700
    assert seen["not there"] > 200


@pytest.mark.timeout(SDK_MAX_S)
def test_the_table_of_images_is_what_the_generator_writes_today() -> None:
    rows = images.collect()

    assert images.render(rows, made_on=image_table.MADE_ON) == images.TABLE.read_text()


@pytest.mark.timeout(SDK_MAX_S)
def test_the_table_of_architectures_is_what_the_generator_writes_today() -> None:
    assert architectures.render(architectures.collect()) == architectures.TABLE.read_text()
    assert architectures.versions() == architecture_table.VERSIONS


def test_reading_mappings_without_an_import_gives_what_an_import_gives() -> None:
    folder = Path(transformers.__file__).parent / "models" / "auto"
    names = ("auto_mappings.py", "configuration_auto.py", "modeling_auto.py")

    read = architectures.read_sources((folder / name).read_text() for name in names if (folder / name).exists())

    mappings = [
        value for name, value in vars(modeling_auto).items() if name.startswith("MODEL_") and name.endswith("_NAMES")
    ]
    imported = {
        one for mapping in mappings for each in mapping.values() for one in ((each,) if isinstance(each, str) else each)
    }
    assert read.model_types == set(configuration_auto.CONFIG_MAPPING_NAMES)
    assert read.architectures == imported


def test_where_the_sdk_cannot_be_installed_one_line_says_so(tmp_path, monkeypatch) -> None:
    nowhere = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": ""}
    for name, value in {**nowhere, "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(sdk.SdkUnavailable, match=r"sagemaker-core .* cannot be installed: .*No matching distribution"):
        sdk.install(tmp_path / "sdk")

    assert not (tmp_path / "sdk").exists()
