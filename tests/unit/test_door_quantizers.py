"""Quantised weights go where they can be loaded; the table of libraries is held against transformers' own list."""

import pytest
from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING

from chalicelib.door.quantizers import LIBRARIES, VLLM_LOADS
from tests.unit.corpus_hostile_models import quantised
from tests.unit.test_door_corpus import report_on

NEEDS_NO_LIBRARY = frozenset(
    {
        "bitnet",
        "fp8",
        "gemma",
        "gguf",  # never in a config.json: the file says so
        "metal",
        "mxfp8",
        "nvfp4",  # cannot be loaded from a checkpoint
        "sinq",
    }
)
"""What transformers quantises with accelerate alone, which the images have."""


def test_every_quantisation_that_transformers_knows_is_in_the_table() -> None:
    known = {method.removesuffix("_4bit").removesuffix("_8bit") for method in AUTO_QUANTIZER_MAPPING}

    assert known - NEEDS_NO_LIBRARY == set(LIBRARIES)


def test_a_generator_that_vllm_loads_as_it_is_goes_to_vllm() -> None:
    plan = report_on(quantised("gptq", "LlamaForCausalLM")).plan

    assert plan is not None
    assert plan.container == "vllm"
    assert any("quantised by gptq" in sentence for sentence in plan.why)


@pytest.mark.parametrize("method", sorted(VLLM_LOADS))
def test_no_cpu_is_planned_for_what_is_quantised_for_gpus(method: str) -> None:
    plan = report_on(quantised(method, "LlamaForCausalLM")).plan

    assert plan is not None
    assert plan.instance_type is not None
    assert plan.instance_type.startswith(("ml.g", "ml.p"))


def test_no_cpu_is_planned_though_the_dimensions_are_not_known() -> None:
    report = report_on(quantised("fp8"))

    assert report.plan is not None
    assert str(report.plan.instance_type).startswith("ml.g")


def test_the_older_image_wants_the_library_of_its_transformers() -> None:
    older = report_on(quantised("awq", "T5ForConditionalGeneration"), b'task = "summarization"')

    assert [check.id for check in older.errors] == ["library-missing"]
    assert "autoawq" in older.errors[0].message
