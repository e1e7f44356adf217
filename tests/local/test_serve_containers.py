"""Each container on a laptop: Tarmac's own model server stands in where it can, and says so where it cannot."""

import io
import json
from pathlib import Path

import pytest

from chalicelib.door.images import CUDA_13_AMI
from chalicelib.reports import ServingPlan
from examples.variants import VARIANTS
from tarmac.packer import pack
from tests.local.sagemaker_rig import running_rig
from tests.local.serving import served, start
from tests.unit.test_door_containers import SAVED_MODEL, UBJ, XGBOOST_JSON, XGBOOST_OLD
from tests.unit.test_door_corpus import report_on

MODEL_DIR = "/opt/ml/model"


def plan_of(model_dir: Path, toml: str) -> ServingPlan:
    packed = io.BytesIO()
    pack(model_dir, packed)
    report = report_on(packed.getvalue(), toml.encode())
    assert report.plan is not None, report.errors
    return report.plan


def environment(plan: ServingPlan, model_dir: Path) -> dict[str, str]:
    """What the plan tells the container, with the model where it lies here."""
    return {name: value.replace(MODEL_DIR, str(model_dir)) for name, value in plan.env}


def test_a_generator_planned_for_vllm_generates(tmp_path: Path) -> None:
    model_dir = tmp_path / "decoder"
    VARIANTS["decoder"](model_dir)
    plan = plan_of(model_dir, 'container = "vllm"\n')

    with served(model_dir, **environment(plan, model_dir)) as server:
        (written,) = server.answer("a great day", max_new_tokens=3)

    assert plan.container == "vllm"
    assert written["generated_text"].startswith("a great day")


@pytest.mark.parametrize(
    ("variant", "toml", "payload"),
    [
        ("sentence-encoder", "", {"inputs": "a great day"}),
        ("ranker", 'task = "text-ranking"\n', {"query": "a great day", "texts": ["a movie", "a great day"]}),
    ],
)
def test_encoders_and_rankers_planned_for_tei_answer(tmp_path: Path, variant: str, toml: str, payload: object) -> None:
    model_dir = tmp_path / variant
    VARIANTS[variant](model_dir)
    plan = plan_of(model_dir, f'container = "tei"\n{toml}')

    with served(model_dir, **environment(plan, model_dir)) as server:
        response = server.ask(payload)

    assert plan.container == "tei"
    assert response.status_code == 200, response.text
    assert response.json()


@pytest.mark.parametrize(
    ("files", "container"),
    [
        ({"1/saved_model.pb": SAVED_MODEL, "1/variables/variables.index": b"x"}, "TensorFlow"),
        ({"xgboost-model": UBJ}, "XGBoost"),
        ({"model.json": XGBOOST_JSON}, "XGBoost"),
        ({"model.bin": XGBOOST_OLD}, "XGBoost"),
    ],
)
def test_what_only_a_container_on_aws_loads_is_planned_and_ends_here_with_words(
    tmp_path: Path, files: dict[str, bytes], container: str
) -> None:
    model_dir = tmp_path / "model"
    for path, body in files.items():
        (model_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (model_dir / path).write_bytes(body)
    plan = plan_of(model_dir, "")

    server = start(model_dir, **environment(plan, model_dir))
    exit_code = server.process.wait(timeout=60)
    server.client.close()

    last = server.log.read_text().strip().splitlines()[-1]
    assert plan.container == container.lower()
    assert exit_code == 1
    assert f"SageMaker's {container} container loads on AWS" in last
    assert "code/inference.py" in last


def test_an_xgboost_model_with_code_of_its_own_is_served(tmp_path: Path) -> None:
    model_dir = tmp_path / "model"
    (model_dir / "code").mkdir(parents=True)
    (model_dir / "model.json").write_bytes(XGBOOST_JSON)
    (model_dir / "code" / "inference.py").write_text(
        "import json, pathlib\n"
        "def model_fn(model_dir):\n    return json.loads((pathlib.Path(model_dir) / 'model.json').read_text())\n"
        "def predict_fn(data, model):\n    return [model['version'] for _ in data['inputs']]\n"
    )
    plan = plan_of(model_dir, "")

    with served(model_dir, **environment(plan, model_dir)) as server:
        response = server.post(json.dumps({"inputs": [[1, 2]]}).encode(), "application/json")

    assert plan.container == "xgboost"
    assert response.json() == [[1, 7, 6]]


def test_the_embedded_aws_takes_the_host_that_vllm_asks_for(tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig:
        rig.create_config("settled")
        variant = {
            "VariantName": "v",
            "ModelName": "settled",
            "InstanceType": "ml.g5.xlarge",
            "InitialInstanceCount": 1,
        }
        asked = [{**variant, "InferenceAmiVersion": CUDA_13_AMI}]
        rig.sagemaker.create_endpoint_config(EndpointConfigName="new-cuda", ProductionVariants=asked)
        described = rig.sagemaker.describe_endpoint_config(EndpointConfigName="new-cuda")

    assert described["ProductionVariants"][0]["InferenceAmiVersion"] == CUDA_13_AMI
