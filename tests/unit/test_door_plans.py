"""The plan: task, container, instance and environment, each with its reason."""

import botocore.session
import pytest

from chalicelib.door.images import choose_image
from chalicelib.door.instances import INSTANCE_TYPES, PRICED, has_gpu, has_other_chip
from chalicelib.door.sizing import Size, cheapest, copies, holds
from chalicelib.door.tasks import infer_task
from chalicelib.reports import ServingPlan
from tests.unit import corpus
from tests.unit.test_door_corpus import BUILT, report_on

GIB = 1 << 30


def plan_of(raw: bytes, toml: str | None = None) -> ServingPlan:
    plan = report_on(raw, toml.encode() if toml else None).plan
    assert plan is not None
    return plan


def size_of(gib: float) -> Size:
    return Size(int(gib * GIB), int(gib * GIB), None, {})


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


def test_what_cannot_be_sized_runs_on_the_stage_s_default() -> None:
    assert plan_of(BUILT["code only"]).instance_type == "ml.m5.large"


@pytest.mark.parametrize(
    ("case", "container"),
    [("bert", "huggingface"), ("sklearn", "sklearn"), ("torchscript", "pytorch"), ("sentence encoder", "huggingface")],
)
def test_the_container_is_told_from_the_files(case: str, container: str) -> None:
    assert plan_of(BUILT[case]).container == container


def test_a_large_model_gets_room_and_no_more_copies_than_fit() -> None:
    size = size_of(3)

    chosen = cheapest(size)

    assert chosen is not None
    assert chosen.type == "ml.m5.large"
    assert copies(chosen, size) == 1
    assert not [
        other for other in PRICED if holds(other, size) and other.is_steady and other.price_per_hour_usd < 0.115
    ]


@pytest.mark.parametrize("gib", [0.001, 0.5, 1, 2, 3, 6, 14, 30, 90, 200, 370])
def test_the_choice_always_holds_the_model_and_nothing_cheaper_does(gib: float) -> None:
    size = size_of(gib)

    chosen = cheapest(size)

    assert chosen is not None
    assert holds(chosen, size)
    cheaper = [other for other in PRICED if other.price_per_hour_usd < chosen.price_per_hour_usd]
    assert not [other for other in cheaper if other.is_steady and not other.gpu_memory_gib and holds(other, size)]


def test_a_model_too_large_for_any_cpu_instance_has_no_choice() -> None:
    assert cheapest(size_of(400)) is None


def test_instance_types_are_those_sagemaker_knows() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")

    assert set(model.shape_for("ProductionVariantInstanceType").enum) == INSTANCE_TYPES
    assert {instance.type for instance in PRICED} <= INSTANCE_TYPES


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


@pytest.mark.parametrize(
    ("region", "registry"),
    [
        ("us-east-1", "763104351884.dkr.ecr.us-east-1.amazonaws.com"),
        ("eu-south-1", "692866216735.dkr.ecr.eu-south-1.amazonaws.com"),
        ("cn-north-1", "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_each_region_has_its_own_registry(region: str, registry: str) -> None:
    image = choose_image("huggingface", region=region, task=None, has_code=False, on_gpu=False)

    assert image is not None
    assert image.uri.startswith(f"{registry}/huggingface-pytorch-inference:")


def test_half_precision_doubles_in_memory_only_where_transformers_4_loads_it() -> None:
    halves = corpus.safetensors("BF16", count=1_400_000_000 // 1000, itemsize=2)
    files = {"config.json": corpus.config(), "model.safetensors": halves, "tokenizer.json": b"{}"}

    report = report_on(corpus.archive(files))

    assert "1,400,000 parameters (BF16)" in report.checks[-1].message
