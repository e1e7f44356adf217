"""What a model server is to run, and the environment it gets for that. Made by deployments.py for servers.py."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tarmac.local.environments import Environments
from tarmac.local.hub_models import HubModels

_CONTAINER_MODEL_DIR = re.compile(r"/opt/ml/model(?=/|$)")

# What a process needs of its surroundings to run at all. Everything else, credentials above all, stays outside: the
# container that this stands in for has none of it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_PASSED_ON_PREFIXES = ("CUDA_", "NVIDIA_")
_PASSED_ON_WHEN_OPEN_PREFIXES = ("HF_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_")
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


@dataclass(frozen=True)
class Checkups:
    """How a server in service is asked whether it is well."""

    every_s: float = 5.0
    misses: int = 6
    """So many in a row that it does not answer with 200 within two seconds, and it is replaced."""


@dataclass(frozen=True)
class Workload:
    """What a server is to run, and where."""

    endpoint_name: str
    variant_name: str
    generation: int
    find_archive: Callable[[], Path] | None
    """Gives model.tar.gz as a file, or raises BadArchiveError; None for a container that brings its own model."""
    environment: Mapping[str, str]
    is_isolated: bool
    serve_path: Path
    endpoint_dir: Path
    environments: Environments
    ping_timeout_s: float
    """Seconds from the process's start in which /ping must answer 200."""
    checkups: Checkups = Checkups()
    hub_models: HubModels | None = None
    """Where a container without an archive gets the model that its environment names."""

    @property
    def directory(self) -> Path:
        """The generation's own directory: what is `/` in the container."""
        return self.endpoint_dir / str(self.generation)

    @property
    def model_dir(self) -> Path:
        """What is /opt/ml/model in the container."""
        return self.directory / "opt" / "ml" / "model"


def container_environment(workload: Workload, *, surroundings: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Make the environment that SageMaker gives a hosting container, with the model directory where it is here."""
    prefixes = _PASSED_ON_PREFIXES + (() if workload.is_isolated else _PASSED_ON_WHEN_OPEN_PREFIXES)
    passed_on = {k: v for k, v in surroundings.items() if k in _PASSED_ON or k.upper().startswith(prefixes)}
    model_dir = str(workload.model_dir)
    asked = {key: _CONTAINER_MODEL_DIR.sub(model_dir, value) for key, value in workload.environment.items()}
    given = {
        "HOME": str(workload.directory),
        "SM_MODEL_DIR": model_dir,
        "SAGEMAKER_BASE_DIR": str(workload.model_dir.parent),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",  # torch's own default was erratic for small models and many of them share this machine
    }
    if not workload.is_isolated:
        # A name on the Hub instead of an archive is the one reason to go there; serve.py stays offline otherwise.
        given["HF_HUB_OFFLINE"] = "0" if "HF_MODEL_ID" in asked else "1"
    if not workload.is_isolated and "HF_HOME" not in passed_on:
        given["HF_HOME"] = str(Path(surroundings.get("HOME", str(Path.home()))) / ".cache" / "huggingface")
    forced = {"SM_MODEL_DIR": model_dir} | (_OFFLINE if workload.is_isolated else {})
    kept = {key: value for key, value in asked.items() if not key.startswith("AWS_")}
    return passed_on | given | kept | forced
