"""Archives with code of their own, and what each level of trust lets in. Joined by corpus_cases."""

from functools import partial

from tests.unit import hostile_pickles
from tests.unit.corpus import (
    INFERENCE,
    PICKLE,
    Case,
    archive,
    bert,
    bert_and,
    case,
    good,
    pickled,
    requiring,
)

CASES: dict[str, Case] = {
    # Code.
    "code": case(lambda: bert_and(**{"code/inference.py": INFERENCE})),
    "code does not parse": case(lambda: bert_and(**{"code/inference.py": b"def model_fn(:\n"}), "code-syntax"),
    "code with nul": case(lambda: bert_and(**{"code/inference.py": b"a\0b"}), "code-syntax"),
    "code nested": case(lambda: bert_and(**{"code/inference.py": b"-" * 14_000 + b"1"}), "code-syntax"),
    "code long": case(lambda: bert_and(**{"code/inference.py": b"a\n" * 60_000}), "code-not-read"),
    "helper does not parse": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/lib/x.py": b"1 +"}), "code-syntax"
    ),
    "hooks clash": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE + b"def transform_fn(a, b, c, d): pass\n"}),
        "code-hooks-clash",
    ),
    "hook arguments": case(
        lambda: bert_and(**{"code/inference.py": b"def model_fn(a, b, c): pass\n"}), "code-hook-arguments"
    ),
    "hook that nobody awaits": case(
        lambda: bert_and(**{"code/inference.py": b"async def model_fn(a): pass\n"}), "code-hook-async"
    ),
    "code called Code": case(lambda: bert_and(**{"Code/inference.py": INFERENCE}), "code-misplaced"),
    "code in code": case(lambda: bert_and(**{"code/code/inference.py": INFERENCE}), "code-misplaced"),
    "notebook for a handler": case(lambda: bert_and(**{"code/inference.ipynb": b"{}"}), "code-misplaced"),
    "handler of Inference Endpoints": case(lambda: bert_and(**{"handler.py": b"class EndpointHandler: pass"}),
                                           "code-misplaced"),
    "no hooks": case(lambda: bert_and(**{"code/inference.py": b"print(1)\n"}), "code-without-hooks"),
    "requirements": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": b"flask\n"}),
        "requirements-offline",
    ),
    **{f"requirements {name}": case(partial(requiring, raw), *expected)
       for name, raw, *expected in (
           ("of another torch", b"flask\ntorch==2.1.0\n", "requirements-contradict", "requirements-offline"),
           ("of an older transformers", b"transformers<4.40\n", "requirements-contradict"),
           ("of what is there", b"# mine\ntransformers>=4.40  # or later\nTorch~=2.0 ; python_version > '3'\nnumpy\n"),
           ("of another numpy", b"numpy==1.26.4\n", "requirements-offline"),
           ("from the net", b"-e git+https://example.com/x\n--no-deps\nx @ https://example.com/x.zip\n",
            "requirements-offline"),
           ("with odd versions", b"torch==999999999999999999999\ntransformers=>1\n[\n", "requirements-syntax"),
           ("brought along by a path", b"./wheels/flask.whl\n", "requirements-file-missing"),
           ("brought as wheels", b"--find-links /opt/ml/model/code/wheels\nBrought_Along==1.2\n"),
           ("brought where pip does not look", b"brought-along==1.2\n", "requirements-offline"),
       )},
    "requirements empty": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": b"# nothing\n"})
    ),
    "requirements utf-16": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": "numpy".encode("utf-16")})
    ),
    "requirements misplaced": case(lambda: bert_and(**{"requirements.txt": b"numpy"}), "code-misplaced"),
    # Trust.
    "strict": good('trust = "strict"'),
    "strict with code": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE}), "trust-strict", toml='trust = "strict"'
    ),
    "strict with pickles": case(
        lambda: bert_and(**{"extra.bin": PICKLE}), "trust-strict", toml='trust = "strict"'
    ),
    **{f"pickle imports, {name}": case(partial(pickled, raw), "pickle-import-not-allowed", "weights-pickled")
       for name, raw in hostile_pickles.IMPORTS.items()},
    **{f"pickle not followed, {name}": case(partial(pickled, raw), "pickle-not-followed", "weights-pickled")
       for name, raw in hostile_pickles.NOT_FOLLOWED.items()},
    **{f"pickle honest, {name}": case(partial(pickled, raw), "weights-pickled")
       for name, raw in hostile_pickles.HONEST.items()},
    "pickle hostile and trusted": case(partial(pickled, hostile_pickles.IMPORTS["eval"]), toml='trust = "trusted"'),
    "pickle hostile by another name": case(
        lambda: bert_and(**{"vocab.txt": hostile_pickles.IMPORTS["protocol 4"]}), "pickle-import-not-allowed"
    ),
    "pickle hostile beside safetensors": case(
        lambda: bert_and(**{"pytorch_model.bin": hostile_pickles.IMPORTS["in torch's zip"]}),
        "pickle-import-not-allowed", "weights-twice",
    ),
    "pickle hostile in a leftover": case(
        lambda: bert_and(**{"training_args.bin": hostile_pickles.IMPORTS["in torch's zip"]}),
        "pickle-import-not-allowed",
    ),
    "leftover of a trainer": case(
        lambda: bert_and(**{"training_args.bin": b"\x80\x02ctransformers.training_args\nTrainingArguments\n)R."})
    ),
    "bin that is no pickle": case(lambda: bert_and(**{"model.bin": b"\x00\x01weights of another kind"})),
    "strict with a pickle in disguise": case(
        lambda: bert_and(**{"vocab.txt": PICKLE}), "trust-strict", toml='trust = "strict"'
    ),
    "trusted pickles": case(lambda: bert_and(**{"extra.bin": PICKLE}), toml='trust = "trusted"'),
    "trusted on a stage that scans": case(
        lambda: bert_and(**{"extra.bin": PICKLE}), "trust-above-stage", "weights-pickled",
        toml='trust = "trusted"', ceiling="scan",
    ),
    "scan on a strict stage": case(
        lambda: archive(bert()), "trust-above-stage", toml='trust = "scan"', ceiling="strict"
    ),
    "code on a strict stage, nothing asked for": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE}), "trust-strict", ceiling="strict"
    ),
    "weights on a strict stage": case(lambda: archive(bert()), ceiling="strict"),
    "strict on a stage that scans": case(lambda: archive(bert()), toml='trust = "strict"', ceiling="scan"),
}  # fmt: skip
