"""The model server: SageMaker's container contract for one model directory. Started by the embedded AWS or a container.

`python serve.py [--host 127.0.0.1] [--port 8080] [--fd N]`; the model directory is SM_MODEL_DIR.
Exit code 0 after SIGTERM or SIGINT, 1 when the model cannot be loaded: the last line on standard error then says why.
"""

from tarmac_inference.serving import main  # type: ignore[import-not-found]  # found beside this script, not by mypy

if __name__ == "__main__":
    main()
