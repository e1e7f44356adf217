"""A user's own code/inference.py under serve.py: every legal set of hooks, and what user code can do wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local.serving import ModelServer, served, start

Serve = Callable[..., ModelServer]


@pytest.fixture
def serve_code(tmp_path: Path) -> Iterator[Serve]:
    """Serve a model directory that holds nothing but code."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def serve(code: str, **files: str) -> ModelServer:
            return stack.enter_context(served(_write(tmp_path / "model", code, files)))

        yield serve


def _write(model_dir: Path, code: str, files: dict[str, str] | None = None) -> Path:
    (model_dir / "code").mkdir(parents=True)
    (model_dir / "code" / "inference.py").write_text(code)
    for name, text in (files or {}).items():
        (model_dir / "code" / f"{name}.py").write_text(text)
    return model_dir


def test_model_fn_alone_gets_inputs_and_parameters_as_a_pipeline_does(serve_code: Serve) -> None:
    server = serve_code(
        "def model_fn(model_dir):\n    return say\n"
        "def say(inputs, shout=False): return {'said': inputs.upper() if shout else inputs}\n"
    )

    assert server.answer("hello") == {"said": "hello"}
    assert server.answer("hello", shout=True) == {"said": "HELLO"}


def test_model_fn_and_transform_fn(serve_code: Serve) -> None:
    server = serve_code(
        "import json\n"
        "def model_fn(model_dir, context=None): return {'dir': model_dir}\n"
        "def transform_fn(model, input_data, content_type, accept, context=None):\n"
        "    return json.dumps([sorted(model), type(input_data).__name__, content_type, accept])\n"
    )

    response = server.post(b'{"a": 1}', "application/json; charset=utf-8", accept="*/*")

    assert response.json() == [["dir"], "str", "application/json", "application/json"]
    assert response.headers["content-type"] == "application/json"


def test_all_four_hooks_with_siblings_of_their_own(serve_code: Serve) -> None:
    server = serve_code(
        "from arithmetic import double\n"
        "def model_fn(model_dir): return double\n"
        "def input_fn(input_data, content_type): return int(input_data)\n"
        "def predict_fn(data, model): return model(data)\n"
        "def output_fn(prediction, accept): return f'<{prediction}>'\n",
        arithmetic="def double(number): return number * 2\n",
    )

    response = server.post(b"21", "text/csv", accept="text/html")

    assert (response.text, response.headers["content-type"]) == ("<42>", "text/html")


def test_hooks_that_take_a_context_get_one(serve_code: Serve) -> None:
    server = serve_code(
        "def model_fn(model_dir, context): return context.system_properties['model_dir']\n"
        "def input_fn(input_data, content_type, context): return input_data\n"
        "def predict_fn(data, model, context): return model\n"
        "def output_fn(prediction, accept, context):\n"
        "    context.set_response_content_type(0, 'text/x-path')\n    return prediction\n"
    )

    response = server.ask({})

    assert response.text.endswith("/model")
    assert response.headers["content-type"] == "text/x-path"


def test_binary_goes_in_and_comes_out_untouched(serve_code: Serve) -> None:
    body = bytes(range(256)) * 4096
    server = serve_code(
        "def model_fn(model_dir): return None\n"
        "def transform_fn(model, input_data, content_type, accept):\n"
        "    return input_data[::-1], 'image/x-reversed'\n"
    )

    response = server.post(body, "image/png", accept="image/*")

    assert response.headers["content-type"] == "image/x-reversed"
    assert response.content == body[::-1]


def test_answers_that_are_no_text_become_json(serve_code: Serve) -> None:
    server = serve_code(
        "import numpy\n"
        "def model_fn(model_dir): return None\n"
        "def transform_fn(model, data, content_type, accept):\n"
        "    return {'vector': numpy.arange(3), 'n': numpy.float32(0.5)}\n"
    )

    assert server.answer(0) == {"vector": [0, 1, 2], "n": 0.5}


def test_what_input_fn_cannot_read_is_the_callers_fault_and_what_predict_fn_raises_the_models(
    serve_code: Serve,
) -> None:
    server = serve_code(
        "import json\n"
        "def model_fn(model_dir): return None\n"
        "def input_fn(input_data, content_type): return json.loads(input_data)['number']\n"
        "def predict_fn(data, model):\n"
        "    if data == 0: raise SystemExit(3)\n"
        "    return 1 / (data - 1)\n"
    )

    statuses = [
        server.post(body, "application/json").status_code for body in (b'{"number": 2}', b"{}", b'{"number": 1}')
    ]

    assert statuses == [200, 400, 500]
    assert server.post(b'{"number": 0}', "application/json").status_code == 500
    assert server.post(b'{"number": 2}', "application/json").json() == 1.0


def test_an_error_that_carries_a_status_keeps_it(serve_code: Serve) -> None:
    server = serve_code(
        "class Teapot(Exception):\n    status_code = 418\n"
        "def model_fn(model_dir): return None\n"
        "def transform_fn(model, data, content_type, accept): raise Teapot('short and stout')\n"
    )

    response = server.ask({})

    assert (response.status_code, response.json()) == (418, {"error": "short and stout"})


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "def model_fn(model_dir):\n    raise RuntimeError('the weights are from the future')",
            "weights are from the future",
        ),
        ("def model_fn(model_dir):\n    raise SystemExit('goodbye')", "goodbye"),
        ("import a_module_that_nobody_has", "a_module_that_nobody_has"),
        ("def model_fn(:", "SyntaxError"),
        ("def model_fn(): pass", "model_fn takes 0 arguments"),
        (
            "def model_fn(d): pass\ndef predict_fn(a, b): pass\ndef transform_fn(a, b, c, d): pass",
            "transform_fn together",
        ),
        ("def predict_fn(data, model): pass", "config.json"),
    ],
)
def test_code_that_cannot_start_ends_the_process_with_the_reason(tmp_path: Path, code: str, reason: str) -> None:
    server = start(_write(tmp_path / "model", code))

    assert server.process.wait(timeout=30) == 1
    assert reason in server.log.read_text().splitlines()[-1]
    server.client.close()


def test_a_users_print_and_log_reach_the_servers_log(serve_code: Serve) -> None:
    server = serve_code("def model_fn(model_dir):\n    print('loading my way')\n    return lambda inputs: inputs\n")

    assert "loading my way" in server.log.read_text()
    assert json.loads(server.log.read_text().splitlines()[-1])["event"] == "ready"


def test_a_models_own_failure_is_logged_with_its_place_and_without_its_message(serve_code: Serve) -> None:
    server = serve_code(
        "def model_fn(model_dir): return None\ndef predict_fn(data, model):\n    raise RuntimeError(data['inputs'])\n"
    )

    response = server.ask({"inputs": "secretword"})
    logged = json.loads(server.log.read_text().splitlines()[-1])

    assert (response.status_code, response.json()["error"]) == (500, "the model failed: RuntimeError: secretword")
    assert (logged["status"], logged["error"]) == (500, "RuntimeError")
    assert logged["at"][-1].endswith("inference.py:3 predict_fn")
    assert "secretword" not in server.log.read_text()
