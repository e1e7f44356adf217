"""The plan: task, container, instance and environment, each with its reason."""

import botocore.session
import pytest

from chalicelib.door.catalogue import catalogue
from chalicelib.door.instances import INSTANCE_TYPES, has_gpu, has_other_chip
from chalicelib.door.tasks import infer_task
from chalicelib.reports import ServingPlan
from tests.unit import corpus
from tests.unit.test_door_corpus import BUILT, report_on


def plan_of(raw: bytes, toml: str | None = None) -> ServingPlan:
    plan = report_on(raw, toml.encode() if toml else None).plan
    assert plan is not None
    return plan


def test_a_small_classifier_runs_on_the_cheapest_steady_instance() -> None:
    plan = plan_of(BUILT["bert"])

    assert plan.task == "text-classification"
    assert plan.instance_type == "ml.c5.large"
    assert plan.price_per_hour_usd == 0.102
    assert plan.env == (
        ("HF_TASK", "text-classification"),
        ("SAGEMAKER_PROGRAM", "inference.py"),
        ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"),
    )
    assert plan.is_grafted
    assert plan.idle_after_s == 900.0
    assert not plan.is_idle_after_wished
    assert plan.is_isolated
    assert plan.image_uri == (
        "763104351884.dkr.ecr.eu-west-1.amazonaws.com/huggingface-pytorch-inference"
        ":2.6.0-transformers5.5.3-cpu-py312-ubuntu22.04"
    )
    assert len(plan.why) == 5


def test_deploy_toml_decides_over_everything_inferred() -> None:
    plan = plan_of(
        BUILT["bert"],
        'task = "fill-mask"\ninstance_type = "ml.g5.xlarge"\ninstance_count = 2\nidle_after = "never"\n'
        '[env]\nOMP_NUM_THREADS = "2"\n',
    )

    assert (plan.task, plan.instance_type, plan.instance_count) == ("fill-mask", "ml.g5.xlarge", 2)
    assert plan.idle_after_s is None
    assert plan.is_idle_after_wished
    assert plan.price_per_hour_usd == 2.8168
    assert "-gpu-py312-cu124-" in plan.image_uri
    assert plan.env == (
        ("HF_TASK", "fill-mask"),
        ("OMP_NUM_THREADS", "2"),
        ("SAGEMAKER_PROGRAM", "inference.py"),
        ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"),
    )


def test_tasks_that_transformers_5_dropped_get_its_predecessor() -> None:
    t5 = corpus.bert_and(**{"config.json": corpus.config("T5ForConditionalGeneration")})

    assert "transformers4.51.3" in plan_of(t5).image_uri


def test_code_of_one_s_own_is_pointed_at() -> None:
    env = dict(plan_of(BUILT["code"]).env)

    assert env["SAGEMAKER_PROGRAM"] == "inference.py"
    assert env["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"


def test_an_estimator_without_code_gets_tarmac_s_handler_which_is_told_that_the_pickle_was_judged() -> None:
    plan = plan_of(BUILT["sklearn without code"])

    assert (plan.container, plan.is_grafted, plan.is_isolated, plan.task) == ("sklearn", True, True, None)
    assert plan.env == (
        ("PIP_NO_BUILD_ISOLATION", "0"),
        ("SAGEMAKER_PROGRAM", "inference.py"),
        ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"),
        ("TARMAC_TRUST", "scan"),
    )
    assert any("Tarmac's own" in reason for reason in plan.why)
    assert dict(plan_of(BUILT["sklearn that is trusted"], 'trust = "trusted"').env)["TARMAC_TRUST"] == "trusted"


@pytest.mark.parametrize("case", ["sklearn twice", "sklearn with a folder code and no handler", "sklearn"])
def test_an_estimator_that_the_handler_cannot_load_is_left_alone(case: str) -> None:
    plan = plan_of(BUILT[case])

    assert (plan.container, plan.is_grafted) == ("sklearn", False)
    assert "TARMAC_TRUST" not in dict(plan.env)


def test_what_cannot_be_sized_runs_on_the_stage_s_default() -> None:
    assert plan_of(BUILT["code only"]).instance_type == "ml.m5.large"


@pytest.mark.parametrize(
    ("case", "container"),
    [("bert", "huggingface"), ("sklearn", "sklearn"), ("torchscript", "pytorch"), ("sentence encoder", "huggingface")],
)
def test_the_container_is_told_from_the_files(case: str, container: str) -> None:
    assert plan_of(BUILT[case]).container == container


def test_instance_types_are_those_sagemaker_knows() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")

    assert set(model.shape_for("ProductionVariantInstanceType").enum) == INSTANCE_TYPES
    assert set(catalogue().instances) <= INSTANCE_TYPES


def test_chips_are_told_from_the_name() -> None:
    assert has_gpu("ml.g5.xlarge")
    assert has_gpu("ml.p4d.24xlarge")
    assert not has_gpu("ml.m5.large")
    for other in ("ml.c7g.large", "ml.m6gd.large", "ml.r8g.medium", "ml.inf2.xlarge", "ml.trn1.2xlarge"):
        assert has_other_chip(other)
    for x86 in ("ml.c6in.large", "ml.m7i.large", "ml.g4dn.xlarge", "ml.p5en.48xlarge", "ml.t2.medium"):
        assert not has_other_chip(x86)


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForSequenceClassification", "text-classification"),
        ("Wav2Vec2ForSequenceClassification", "audio-classification"),
        ("DistilBertForQuestionAnswering", "question-answering"),
        ("TapasForQuestionAnswering", "table-question-answering"),
        ("GPT2LMHeadModel", "text-generation"),
        ("LlamaForCausalLM", "text-generation"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("MarianMTModel", "text2text-generation"),
        ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
        ("Speech2TextForConditionalGeneration", "automatic-speech-recognition"),
        ("Qwen2_5_VLForConditionalGeneration", "image-text-to-text"),
        ("ViTForImageClassification", "image-classification"),
        ("ViTModel", "image-feature-extraction"),
        ("DetrForObjectDetection", "object-detection"),
        ("Wav2Vec2ForCTC", "automatic-speech-recognition"),
        ("BertModel", "feature-extraction"),
        ("T5EncoderModel", "feature-extraction"),
        ("CLIPModel", "zero-shot-image-classification"),
        ("VisionEncoderDecoderModel", "image-to-text"),
        ("Nonsense", None),
    ],
)
def test_the_architecture_tells_the_task(architecture: str, task: str | None) -> None:
    assert infer_task(architecture) == task


def test_half_precision_doubles_in_memory_only_where_transformers_4_loads_it() -> None:
    halves = corpus.safetensors("BF16", count=1_400_000_000 // 1000, itemsize=2)
    files = {"config.json": corpus.config(), "model.safetensors": halves, "tokenizer.json": b"{}"}

    report = report_on(corpus.archive(files))

    assert "1,400,000 parameters (BF16)" in report.checks[-1].message
