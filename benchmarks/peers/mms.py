"""The Hugging Face container's own stack without the container: multi-model-server and the inference toolkit.

Called by `benchmarks.serving` and `tests.parity`. The same command, configuration and handler as the container's
entry point; only the addresses and folders differ, which it writes fixed (/etc, /opt/ml).

Source: sagemaker_inference/model_server.py and sagemaker_huggingface_inference_toolkit/mms_model_server.py.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.peers.environments import packages_of, python_of
from benchmarks.rig.processes import free_port, running

HANDLER = "sagemaker_huggingface_inference_toolkit.handler_service"


@contextmanager
def served(
    models: Mapping[str, Path], *, workers: int = 1, threads: int = 1, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[int, psutil.Process, Path]]:
    """Serve model directories while the block runs: port, process, and the log.

    One model alone answers at /invocations, each of several at /predictions/NAME.

    /ping is 200 at once, also when the model cannot be loaded: wait for a first answer.

    Args:
        models: The unpacked archives by name.
        workers: Processes that each hold the model (SAGEMAKER_MODEL_SERVER_WORKERS in the container).
        threads: Of torch in each.
        environment: More variables, such as HF_TASK.
    """
    python = python_of("toolkit")
    packages = packages_of(python)
    with tempfile.TemporaryDirectory(prefix="tarmac-mms-") as scratch:
        home = Path(scratch)
        (home / "ml").mkdir()
        for name, model_dir in models.items():
            (home / "ml" / name).symlink_to(model_dir.resolve())
        port = free_port()
        configuration = home / "mms.properties"
        defaults = (packages / "sagemaker_inference" / "etc" / "default-mms.properties").read_text(encoding="utf-8")
        configuration.write_text(f"{defaults}\n{_own(port, workers)}", encoding="utf-8")
        command = [
            *(str(python), str(python.parent / "multi-model-server"), "--start", "--foreground"),
            *("--model-store", "/", "--mms-config", str(configuration)),
            *("--log-config", str(packages / "sagemaker_inference" / "etc" / "log4j2.xml")),
            *("--models", *(f"{name}={home / 'ml' / name}" for name in models)),
        ]
        variables = {**_variables(home, threads), **(environment or {})}
        with running(command, variables, log=home / "log", cwd=home) as process:
            yield port, process, home / "log"


def _own(port: int, workers: int) -> str:
    settings = {
        "default_response_timeout": 60,
        "default_workers_per_model": workers,
        "inference_address": f"http://127.0.0.1:{port}",
        "management_address": f"http://127.0.0.1:{port}",
        "vmargs": "-XX:-UseContainerSupport",
        "default_service_handler": HANDLER,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _variables(home: Path, threads: int) -> dict[str, str]:
    """One server a temporary directory: its file with the process id is there."""
    return {
        "TEMP": str(home),
        "TMPDIR": str(home),
        "LOG_LOCATION": str(home / "logs"),
        "METRICS_LOCATION": str(home / "logs"),
        "SAGEMAKER_BASE_DIR": str(home / "ml"),
        "PYTHONPATH": f"{home / 'ml' / 'model' / 'code'}:",
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
