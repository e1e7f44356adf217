"""A sound archive with every kind of deploy.toml. Joined by corpus_cases."""

from tests.unit.corpus import (
    INFERENCE,
    PICKLE,
    Case,
    archive,
    case,
    good,
)

CASES: dict[str, Case] = {
    # deploy.toml.
    "toml empty": good(""),
    "toml with a mark": good(b"\xef\xbb\xbftask = 'fill-mask'"),
    "toml whole": good(
        'task = "fill-mask"\nmode = "realtime"\ninstance_type = "ml.m5.xlarge"\ninstance_count = 2\n'
        'max_hourly_cost = 1\nidle_after = "never"\ncontainer = "huggingface"\n[env]\nOMP_NUM_THREADS = "2"\n'
    ),
    "toml not utf-8": good(b"task = '\xff'", "toml-not-utf8"),
    "toml utf-16": good("task = 'a'".encode("utf-16"), "toml-not-utf8"),
    "toml too large": good(b"#" * 70_000, "toml-too-large"),
    "toml unquoted": good("idle_after = 30m", "toml-syntax"),
    "toml nested": good("a = " + "[" * 30_000, "toml-syntax"),
    "toml long number": good("instance_count = " + "9" * 9_000, "toml-syntax"),
    "toml key twice": good("task='fill-mask'\ntask='fill-mask'", "toml-syntax"),
    "toml unknown key": good('idle_afer = "30m"', "toml-unknown-key"),
    "toml unknown table": good("[serverles]\nmemory_mb = 1024", "toml-unknown-key"),
    "toml key in the wrong table": good("[autoscale]\nmemory_mb = 1024", "toml-unknown-key"),
    "toml wrong type": good("idle_after = 900", "toml-wrong-type"),
    "toml boolean count": good("instance_count = true", "toml-wrong-type"),
    "toml table as a string": good("env = 'a'", "toml-wrong-type"),
    "toml array of tables": good("[[env]]\nHF_TASK='fill-mask'", "toml-wrong-type"),
    "toml date": good("task = 2026-01-01", "toml-wrong-type"),
    "toml unknown task": good('task = "text-clasification"', "toml-bad-value"),
    "toml unknown instance": good('instance_type = "ml.m5.lage"', "toml-bad-value"),
    "toml bad duration": good('idle_after = "soon"', "toml-bad-value"),
    "toml endless duration": good(f'idle_after = "{"9" * 400}d"', "toml-bad-value"),
    "toml no money": good("max_hourly_cost = 0.0", "toml-bad-value"),
    "toml no number": good("max_hourly_cost = nan", "toml-bad-value"),
    "toml huge money": good("max_hourly_cost = 1" + "0" * 400, "toml-bad-value"),
    "toml no instances": good("instance_count = 0", "toml-bad-value"),
    "toml image": good('container = "evil.example.com/x:latest"', "toml-bad-value"),
    "toml two tasks": good('task = "fill-mask"\n[env]\nHF_TASK = "translation"', "toml-bad-value"),
    "toml max below min": good("[autoscale]\nmin = 3\nmax = 2", "toml-bad-value"),
    "toml autoscale without bound": good("[autoscale]\nmin = 3", "toml-bad-value"),
    "toml async": good('mode = "async"\n[autoscale]\nmax = 2', "async-not-scaled"),
    "toml memory": good("[serverless]\nmemory_mb = 1000", "toml-bad-value"),
    "toml hub model": good('hub_model = "../x"', "toml-bad-value"),
    "toml below the floor": good('idle_after = "5m"', "idle-after-below-floor"),
    "toml env": good('[env]\nLD_PRELOAD = "/tmp/x.so"', "env-not-allowed"),
    "toml env number": good("[env]\nOMP_NUM_THREADS = 2", "toml-wrong-type"),
    "toml serverless": good('mode = "serverless"\n[serverless]\nmemory_mb = 2048'),
    "toml hub model beside an archive": good('hub_model = "a/b"', "hub-model-and-archive"),
    "toml vllm": good('container = "vllm"', "container-cannot-serve"),
    "toml graviton": good('instance_type = "ml.c7g.large"', "instance-chip"),
    "toml sklearn on a gpu": case(
        lambda: archive({"model.joblib": PICKLE, "code/inference.py": INFERENCE}),
        "instance-chip", "weights-pickled", toml='container = "sklearn"\ninstance_type = "ml.g5.xlarge"',
    ),
    "toml another container": good('container = "sklearn"', "container-cannot-serve"),
    "toml over budget": good('instance_type = "ml.m5.xlarge"\nmax_hourly_cost = 0.1', "over-max-hourly-cost"),
    "toml price unknown": good('instance_type = "ml.m7i.large"\nmax_hourly_cost = 9', "price-unknown"),
}  # fmt: skip
