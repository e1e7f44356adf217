"""The container, its version and its image: told from the archive, or refused with the fix."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.door.architecture_table import MODEL_TYPES
from chalicelib.door.architectures import knows_architecture, knows_model_type
from chalicelib.door.images import CUDA_13_AMI, containers_in, editions, regions_of
from chalicelib.door.makers import HEAD_BYTES, Made, watch_for
from chalicelib.door.schema import CONTAINERS
from chalicelib.reports import Report, ServingPlan
from tests.unit import corpus
from tests.unit.test_door_corpus import RULES, report_on

UBJ = b"{L\0\0\0\0\0\0\0\x07learner{}L\0\0\0\0\0\0\0\x07version[#L\0\0\0\0\0\0\0\x03i\x03i\x02i\x00}"
XGBOOST_JSON = b'{"learner":{"attributes":{}},"version":[1,7,6]}'
XGBOOST_OLD = b"binf\0\0\0?" + b"\0" * 64
SAVED_MODEL = b"\x08\x01\x12\x40\x0a\x3e\x22\x05serve\x2a\x062.15.02\x07unknown" + b"\0" * 40
MISTRAL_BYTES = 22 << 30


def words(*each: str) -> bytes:
    """Strings as pickle writes and memoizes them."""
    return b"".join(b"\x8c" + bytes([len(word)]) + word.encode() + b"\x94" for word in each)


def estimator(version: str = "1.4.2") -> bytes:
    """A pickle whose state names the scikit-learn that wrote it."""
    state = b"}\x94" + words("_sklearn_version", version) + b"s"
    return (
        b"\x80\x04"
        + words("sklearn.linear_model._logistic", "LogisticRegression")
        + b"\x93\x94)\x81\x94"
        + state
        + b"b."
    )


def booster_pickle(module: str = "xgboost.core", name: str = "Booster") -> bytes:
    return (
        b"\x80\x04"
        + words(module, name)
        + b"\x93\x94)\x81\x94}\x94\x8c\x06handle\x94B"
        + len(UBJ).to_bytes(4, "little")
        + UBJ
        + b"sb."
    )


def torch_file(module: str, name: str) -> bytes:
    """A zip such as torch writes, whose pickle imports one name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        writer.writestr("model/data.pkl", f"\x80\x02c{module}\n{name}\n.".encode("latin-1"))
        writer.writestr("model/version", b"3\n")
    return buffer.getvalue()


def config_of(model_type: str, architecture: str, **more: object) -> bytes:
    return corpus.config(architecture, model_type=model_type, **more)


def text_model(model_type: str, architecture: str, **more: object) -> dict[str, bytes]:
    return {**corpus.bert(), "config.json": config_of(model_type, architecture, **more)}


def judged(files: dict[str, bytes], toml: str = "", *, region: str = "eu-west-1") -> Report:
    return report_on(corpus.archive(files), toml.encode() or None, replace(RULES, region=region))


def plan_of(files: dict[str, bytes], toml: str = "", *, region: str = "eu-west-1") -> ServingPlan:
    report = judged(files, toml, region=region)
    assert report.plan is not None, report.errors
    return report.plan


def refusal(files: dict[str, bytes], toml: str = "", *, region: str = "eu-west-1") -> tuple[str, str, str]:
    """The one error's id, message and fix."""
    (error,) = judged(files, toml, region=region).errors
    return error.id, error.message, error.fix or ""


def warnings(files: dict[str, bytes], toml: str = "") -> set[str]:
    return {check.id for check in judged(files, toml).checks if check.severity.value == "warning"}


LABELS = {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}}
ENCODER = text_model("bert", "BertModel")
CLASSIFIER = text_model("bert", "BertForSequenceClassification", **LABELS)
GENERATOR = text_model("llama", "LlamaForCausalLM")
TENSORFLOW = {"1/saved_model.pb": SAVED_MODEL, "1/variables/variables.index": b"x", "1/assets/vocab.txt": b"a"}
SKLEARN = {"model.joblib": estimator(), "code/inference.py": corpus.INFERENCE}


class TestTheContainerIsToldFromTheArchive:
    @pytest.mark.parametrize(
        ("files", "container"),
        [
            (TENSORFLOW, "tensorflow"),
            ({"xgboost-model": UBJ}, "xgboost"),
            ({"model.json": XGBOOST_JSON}, "xgboost"),
            ({"model.bin": XGBOOST_OLD}, "xgboost"),
            ({"booster.pkl": booster_pickle()}, "xgboost"),
            (SKLEARN, "sklearn"),
            (GENERATOR, "huggingface"),
            (ENCODER, "huggingface"),
        ],
    )
    def test_by_its_files(self, files: dict[str, bytes], container: str) -> None:
        assert plan_of(files).container == container

    def test_and_every_container_of_deploy_toml_can_be_planned(self) -> None:
        archives = {
            "huggingface": CLASSIFIER, "vllm": GENERATOR, "tei": CLASSIFIER, "sklearn": SKLEARN,
            "pytorch": {"model.pt": b"x", "code/inference.py": corpus.INFERENCE},
            "tensorflow": TENSORFLOW, "xgboost": {"model.ubj": UBJ},
        }  # fmt: skip

        assert set(archives) == set(CONTAINERS)
        for name, files in archives.items():
            assert plan_of(files, f'container = "{name}"\ntrust = "trusted"\n').container == name


class TestVllm:
    def test_runs_on_gpus_alone_and_is_told_where_the_model_lies(self) -> None:
        plan = plan_of(GENERATOR, 'container = "vllm"\n')

        assert plan.instance_type is not None
        assert plan.instance_type.startswith(("ml.g", "ml.p"))
        assert "/huggingface-vllm:" in plan.image_uri
        assert dict(plan.env)["SM_VLLM_MODEL"] == "/opt/ml/model"
        assert not plan.is_grafted

    def test_asks_for_a_host_whose_driver_knows_its_cuda(self) -> None:
        assert plan_of(GENERATOR, 'container = "vllm"\n').inference_ami == CUDA_13_AMI
        assert plan_of(GENERATOR).inference_ami is None

    def test_is_chosen_where_one_gpu_does_not_hold_the_weights(self) -> None:
        from chalicelib.door.chooser import container_name
        from chalicelib.door.contents import Contents
        from chalicelib.door.layouts import Framework
        from chalicelib.door.models import Model, Stage
        from chalicelib.door.wishes import Wishes

        stage = Stage("eu-west-1", "ml.m5.large", None)
        config = json.loads(config_of("llama", "LlamaForCausalLM"))
        files = {"config.json": 1, "model.safetensors": MISTRAL_BYTES}
        large = Model(Contents(files=files), Framework.TRANSFORMERS, config)
        with_code = Model(Contents(files={**files, "code/inference.py": 1}), Framework.TRANSFORMERS, config)

        assert container_name(large, Wishes(), stage, "text-generation")[0] == "vllm"
        assert container_name(large, Wishes(container="huggingface"), stage, "text-generation")[0] == "huggingface"
        assert container_name(large, Wishes(), stage, "fill-mask")[0] == "huggingface"
        assert container_name(with_code, Wishes(), stage, "text-generation")[0] == "huggingface"

    def test_does_not_run_the_archive_s_code_and_says_so(self) -> None:
        files = {**GENERATOR, "code/inference.py": corpus.INFERENCE}

        assert "code-not-run" in warnings(files, 'container = "vllm"\n')

    def test_runs_code_that_auto_map_names_only_where_it_is_trusted(self) -> None:
        files = text_model("llama", "LlamaForCausalLM", auto_map={"AutoModelForCausalLM": "m.Model"})

        assert "SM_VLLM_TRUST_REMOTE_CODE" not in dict(plan_of(files, 'container = "vllm"\n').env)
        trusted = plan_of(files, 'container = "vllm"\ntrust = "trusted"\n')
        assert dict(trusted.env)["SM_VLLM_TRUST_REMOTE_CODE"] == "true"


class TestTei:
    def test_has_an_image_for_cpus_and_is_told_where_the_model_lies(self) -> None:
        plan = plan_of(ENCODER, 'container = "tei"\n')

        assert "/tei-cpu:" in plan.image_uri
        assert dict(plan.env)["HF_MODEL_ID"] == "/opt/ml/model"

    def test_has_an_image_for_gpus(self) -> None:
        assert "/tei:" in plan_of(ENCODER, 'container = "tei"\ninstance_type = "ml.g5.xlarge"\n').image_uri

    def test_may_run_onnx_which_the_hugging_face_container_does_not(self) -> None:
        files = {path: body for path, body in ENCODER.items() if not path.endswith(".safetensors")}
        files["model.onnx"] = b"\x08\x07" + b"\0" * 64

        assert plan_of(files, 'container = "tei"\n').container == "tei"
        assert refusal(files, 'container = "huggingface"\n')[0] == "weights-misnamed"

    def test_has_no_cpu_kernels_for_some_models(self) -> None:
        files = {**text_model("qwen2", "Qwen2Model"), "modules.json": b"[]", "1_Pooling/config.json": b"{}"}

        assert "/tei:" in plan_of(files, 'container = "tei"\n').image_uri
        kind, message, _ = refusal(files, 'container = "tei"\ninstance_type = "ml.m5.large"\n')
        assert kind == "instance-chip"
        assert "no CPU image for this model" in message

    def test_wants_a_fast_tokenizer(self) -> None:
        files = {**{path: body for path, body in ENCODER.items() if path != "tokenizer.json"}, "vocab.txt": b"a"}

        kind, message, fix = refusal(files, 'container = "tei"\n')

        assert kind == "container-needs-file"
        assert "tokenizer.json" in message
        assert "save_pretrained" in fix

    def test_wants_to_know_how_vectors_are_pooled(self) -> None:
        kind, message, _ = refusal(text_model("qwen3", "Qwen3Model"), 'container = "tei"\n')

        assert kind == "container-needs-file"
        assert "1_Pooling/config.json" in message


@pytest.mark.parametrize(
    ("files", "toml", "said"),
    [
        (GENERATOR, 'container = "tei"', "container tei cannot serve text-generation"),
        (ENCODER, 'container = "vllm"', "container vllm cannot serve feature-extraction"),
        (SKLEARN, 'container = "vllm"', "container vllm cannot serve a scikit-learn model"),
        (GENERATOR, 'container = "tensorflow"', "container tensorflow cannot serve a transformers model"),
        (TENSORFLOW, 'container = "xgboost"', "container xgboost cannot serve a tensorflow model"),
        (TENSORFLOW, 'container = "huggingface"', "container huggingface cannot serve a tensorflow model"),
        (ENCODER, 'container = "pytorch"', "container pytorch cannot serve a transformers model"),
        (ENCODER, 'container = "sklearn"', "container sklearn cannot serve a transformers model"),
        (text_model("t5", "T5EncoderModel"), 'container = "tei"', "container tei does not know the model type t5"),
        (
            text_model("mpnet", "MPNetForSequenceClassification", **LABELS),
            'container = "tei"',
            "container tei has no classifier for the model type mpnet",
        ),
        (
            text_model("bert", "BertForSequenceClassification"),
            'container = "tei"',
            "container tei needs id2label and label2id",
        ),
        (GENERATOR, 'container = "vllm"\ntask = "fill-mask"', "container vllm cannot serve fill-mask"),
    ],
)
def test_a_container_that_cannot_serve_the_model_is_refused_with_the_fix(
    files: dict[str, bytes], toml: str, said: str
) -> None:
    kind, message, fix = refusal(files, toml)

    assert kind == "container-cannot-serve"
    assert said in message
    assert fix


class TestLayouts:
    def test_a_saved_model_lies_in_a_numbered_folder(self) -> None:
        kind, _, fix = refusal({"saved_model.pb": SAVED_MODEL, "variables/variables.index": b"x"})

        assert kind == "saved-model-not-numbered"
        assert "`1`" in fix

    def test_deeper_numbered_folders_are_found_as_tensorflow_serving_finds_them(self) -> None:
        assert plan_of({"export/Servo/0012/saved_model.pb": SAVED_MODEL}).container == "tensorflow"

    def test_a_keras_file_is_told_how_to_become_a_saved_model(self) -> None:
        kind, _, fix = refusal({"model.keras": b"PK\x03\x04"})

        assert kind == "nothing-to-serve"
        assert 'model.export("FOLDER/1")' in fix

    def test_what_xgboost_would_load_as_a_model_and_cannot_is_refused(self) -> None:
        kind, message, _ = refusal({"model.ubj": UBJ, "README.md": b"# mine"})

        assert kind == "xgboost-stray-file"
        assert "README.md" in message
        assert not judged({"model.ubj": UBJ, ".notes": b"mine"}).errors
        assert not judged({"model.ubj": UBJ, "README.md": b"# mine", "code/inference.py": corpus.INFERENCE}).errors

    def test_xgboost_s_own_format_is_no_pickle_whatever_it_is_called(self) -> None:
        assert "weights-pickled" not in warnings({"model.bin": UBJ})
        assert "weights-pickled" in warnings({"booster.pkl": booster_pickle()})

    def test_a_pickled_wrapper_is_no_booster(self) -> None:
        kind, _, fix = refusal({"model.pkl": booster_pickle("xgboost.sklearn", "XGBClassifier")})

        assert kind == "xgboost-wrapper-pickled"
        assert "get_booster()" in fix

    def test_torchscript_is_loaded_without_code_and_nothing_else_of_torch_is(self) -> None:
        scripted, eager = torch_file("__torch__", "Net"), torch_file("torch._utils", "_rebuild_tensor_v2")

        assert "code-missing" not in warnings({"model.pt": scripted})
        assert "code-missing" in warnings({"model.pt": eager})
        assert "code-missing" in warnings({"model.pt": scripted, "other.pt": scripted})


class TestVersions:
    @pytest.mark.parametrize(
        ("made_with", "image"),
        [("1.0.2", "1.0-1"), ("1.2.2", "1.2-1"), ("1.3.0", "1.4-2-py312"), ("1.4.2", "1.4-2-py312"), ("1.9.1", "1.9-0"),
         ("2.0.0", "1.9-0")],
    )  # fmt: skip
    def test_an_estimator_gets_the_nearest_image_that_is_not_older(self, made_with: str, image: str) -> None:
        plan = plan_of({**SKLEARN, "model.joblib": estimator(made_with)})

        assert plan.image_uri.endswith(f"sagemaker-scikit-learn:{image}-cpu-py3")

    def test_an_estimator_of_another_version_is_warned_of(self) -> None:
        assert "library-version" in warnings({**SKLEARN, "model.joblib": estimator("1.3.0")})
        assert "library-version" not in warnings({**SKLEARN, "model.joblib": estimator("1.4.2")})

    def test_an_estimator_that_does_not_say_gets_the_newest(self) -> None:
        assert ":1.9-0-" in plan_of({**SKLEARN, "model.joblib": corpus.PICKLE}).image_uri

    @pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
    def test_a_compressed_pickle_says_it_too(self, pack: Callable[[bytes], bytes]) -> None:
        assert ":1.2-1-" in plan_of({"model.joblib": pack(estimator("1.2.1"))}).image_uri

    @pytest.mark.parametrize(
        ("body", "image"),
        [(UBJ, "3.2-0"), (XGBOOST_JSON, "3.2-0"), (XGBOOST_OLD, "1.7-1")],
    )
    def test_xgboost_s_lasting_formats_get_the_newest_image_and_its_old_one_the_last_that_reads_it(
        self, body: bytes, image: str
    ) -> None:
        assert plan_of({"xgboost-model": body}).image_uri.endswith(f"/sagemaker-xgboost:{image}")

    def test_a_type_that_only_the_older_image_knows_gets_that(self) -> None:
        plan = plan_of(text_model("nezha", "NezhaForSequenceClassification"))

        assert "transformers4.51.3" in plan.image_uri
        assert any("version 4.51.3" in reason for reason in plan.why)

    def test_a_type_that_only_the_newer_image_knows_gets_that_though_the_pipeline_has_gone(self) -> None:
        plan = plan_of(text_model("t5gemma", "T5GemmaForConditionalGeneration"), 'task = "summarization"\n')

        assert "transformers5.5.3" in plan.image_uri
        assert plan.is_grafted

    def test_without_a_handler_or_a_pipeline_it_is_refused(self) -> None:
        files = {**text_model("t5gemma", "T5GemmaForConditionalGeneration"), "preprocessor_config.json": b"{}"}

        kind, message, _ = refusal(files, 'task = "visual-question-answering"\n')

        assert kind == "pipeline-removed"
        assert "visual-question-answering" in message

    @pytest.mark.parametrize("trained_with", ["4.55.0", "4.56.2", "5.3.0"])
    def test_what_the_training_images_save_is_served_though_no_inference_image_is_of_that_version(
        self, trained_with: str
    ) -> None:
        files = text_model("bert", "BertForSequenceClassification", transformers_version=trained_with)

        assert "transformers5.5.3" in plan_of(files).image_uri

    def test_an_unknown_type_is_refused_with_the_fix(self) -> None:
        kind, message, fix = refusal(text_model("brandnew", "BrandNewForSequenceClassification"))

        assert kind == "architecture-unknown"
        assert "brandnew" in message
        assert "5.5.3" in message
        assert "code/wheels" in fix

    def test_an_unknown_type_that_vllm_knows_is_sent_there(self) -> None:
        newer = MODEL_TYPES["c"].split()[0]

        kind, _, fix = refusal(text_model(newer, "SomethingForCausalLM"))

        assert kind == "architecture-unknown"
        assert 'container = "vllm"' in fix
        assert plan_of(text_model(newer, "SomethingForCausalLM"), 'container = "vllm"\n').container == "vllm"

    def test_an_unknown_type_is_left_to_code_that_comes_with_it(self) -> None:
        files = text_model("brandnew", "BrandNewForSequenceClassification", auto_map={"AutoModel": "m.Model"})
        with_code = {**text_model("brandnew", "BrandNewModel"), "code/inference.py": corpus.INFERENCE}
        wheel = {"code/wheels/transformers-9.9.0-py3-none-any.whl": b"x"}
        lines = b"--find-links /opt/ml/model/code/wheels\ntransformers==9.9.0\n"
        with_wheel = {**with_code, **wheel, "code/requirements.txt": lines}

        assert refusal(files)[0] == "architecture-unknown"
        assert 'trust = "trusted"' in refusal(files)[2]
        assert plan_of(files, 'trust = "trusted"\n').container == "huggingface"
        assert "architecture-left-to-code" in warnings(with_code)
        assert not {"architecture-left-to-code", "architecture-unknown"} & warnings(with_wheel)
        assert plan_of(with_wheel).container == "huggingface"

    def test_a_class_that_the_image_does_not_list_is_warned_of(self) -> None:
        assert "architecture-not-listed" in warnings(text_model("bert", "MyBertForSequenceClassification"))
        assert "architecture-not-listed" not in warnings(CLASSIFIER)


def test_the_architecture_table_knows_what_each_version_knows() -> None:
    assert all(knows_model_type(version, "bert") for version in ("4.51.3", "5.5.3", "5.15.0"))
    assert [knows_model_type(version, "nezha") for version in ("4.51.3", "5.5.3")] == [True, False]
    assert not knows_model_type("5.5.3", "ber")
    assert not knows_model_type("5.5.3", "")
    assert knows_architecture("5.5.3", "BertForSequenceClassification")
    assert knows_architecture("4.51.3", "GPT2LMHeadModel")
    assert not knows_architecture("5.5.3", "ForSequenceClassification")
    assert not knows_architecture("5.5.3", "NezhaForMaskedLM")


class TestRegions:
    def test_a_region_that_has_not_got_the_container_names_itself_what_it_has_and_where_else(self) -> None:
        kind, message, fix = refusal(CLASSIFIER, region="mx-central-1")

        assert kind == "container-not-available"
        assert "mx-central-1" in message
        assert "vllm" in message
        assert "eu-central-1" in fix

    def test_a_region_newer_than_the_table_is_refused_and_told_how_to_go_on(self) -> None:
        kind, message, fix = refusal(CLASSIFIER, region="xx-newer-9")

        assert kind == "container-not-available"
        assert "xx-newer-9 is not in the table of images (sagemaker-core" in message
        assert "container" in fix

    @pytest.mark.parametrize(
        ("region", "registry"),
        [
            ("us-east-1", "763104351884.dkr.ecr.us-east-1.amazonaws.com"),
            ("eu-south-1", "692866216735.dkr.ecr.eu-south-1.amazonaws.com"),
            ("cn-north-1", "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ],
    )
    def test_each_region_has_its_own_registry(self, region: str, registry: str) -> None:
        image = editions("huggingface", region)[0].on_cpu

        assert image is not None
        assert image.uri.startswith(f"{registry}/huggingface-pytorch-inference:")

    def test_every_container_is_somewhere(self) -> None:
        for container in CONTAINERS:
            assert "us-east-1" in regions_of(container)
        assert containers_in("us-east-1") == set(CONTAINERS)
        assert editions("huggingface", "xx-newer-9") == ()


class TestChips:
    @pytest.mark.parametrize("instance_type", ["ml.m6g.large", "ml.inf2.xlarge", "ml.trn1.2xlarge"])
    def test_a_chip_that_no_image_is_for_is_refused(self, instance_type: str) -> None:
        assert refusal(CLASSIFIER, f'instance_type = "{instance_type}"\n')[0] == "instance-chip"

    def test_gpus_of_a_generation_that_the_image_has_no_kernels_for_are_refused(self) -> None:
        kind, message, _ = refusal(GENERATOR, 'container = "vllm"\ninstance_type = "ml.p3.2xlarge"\n')

        assert kind == "instance-chip"
        assert "7.5" in message

    def test_sklearn_has_no_gpu_image(self) -> None:
        assert refusal(SKLEARN, 'instance_type = "ml.g5.xlarge"\n')[0] == "instance-chip"

    def test_vllm_has_no_cpu_image(self) -> None:
        assert refusal(GENERATOR, 'container = "vllm"\ninstance_type = "ml.m5.large"\n')[0] == "instance-chip"


class TestAllowedImages:
    MINE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
    PINNED = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine@sha256:" + "0a" * 32
    AFAR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1"
    OUTSIDE = "ghcr.io/mine/mine:1"

    def judge(self, uri: str, more: str = "") -> Report:
        rules = replace(RULES, allowed_images=frozenset({self.MINE, self.PINNED, self.AFAR, self.OUTSIDE}))
        return report_on(corpus.archive(CLASSIFIER), f'container = "{uri}"\n{more}'.encode(), rules)

    def test_are_used_as_they_are_by_tag_or_digest(self) -> None:
        for uri in (self.MINE, self.PINNED):
            plan = self.judge(uri).plan
            assert plan is not None
            assert plan.image_uri == plan.container == uri

    @pytest.mark.parametrize(("uri", "said"), [(AFAR, "us-east-1"), (OUTSIDE, "no address in Amazon ECR")])
    def test_that_sagemaker_would_not_fetch_are_refused(self, uri: str, said: str) -> None:
        (error,) = self.judge(uri).errors

        assert error.id == "image-not-in-region"
        assert said in error.message
        assert error.fix

    def test_may_be_for_any_chip(self) -> None:
        assert not self.judge(self.MINE, 'instance_type = "ml.m6g.large"\n').errors


@pytest.mark.parametrize(
    ("name", "body", "made"),
    [
        ("model.joblib", estimator("1.10.3"), Made("scikit-learn", "pickle", "1.10")),
        ("model.ubj", UBJ, Made("xgboost", "ubj", "3.2.0")),
        ("model.json", XGBOOST_JSON, Made("xgboost", "json", "1.7.6")),
        ("model.bin", XGBOOST_OLD, Made("xgboost", "binary")),
        ("booster.pkl", booster_pickle(), Made("xgboost", "pickle", "3.2.0")),
        ("1/saved_model.pb", SAVED_MODEL, Made("tensorflow", "saved_model", "2.15.0")),
        ("model.pkl", b"\x80\x04N.", None),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 1 << 16])
def test_what_made_a_file_is_told_however_it_comes_in_pieces(
    name: str, body: bytes, made: Made | None, piece_bytes: int
) -> None:
    watch = watch_for(name, body[:HEAD_BYTES])
    assert watch is not None

    passed = watch.through(memoryview(body)[at : at + piece_bytes] for at in range(0, len(body), piece_bytes))

    assert b"".join(passed) == body
    assert watch.made == made


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "code/model.pkl", "pytorch_model.bin", "x.txt"])
def test_other_files_are_not_looked_through(name: str) -> None:
    assert watch_for(name, b'{"architectures": ["Bert"]') is None
