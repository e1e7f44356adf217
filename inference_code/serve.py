"""The model server: SageMaker's container contract for one model directory. Started by the embedded AWS or a container.

`python serve.py [--host 127.0.0.1] [--port 8080]` starts the server again when it dies or hangs;
`python serve.py --fd N` leaves that to whoever gave the listening socket N. The model directory is SM_MODEL_DIR.
Exit code 0 after SIGTERM or SIGINT, 1 when the model cannot be loaded, 70 when it does not come back from a request:
the last line on standard error then says why.
"""

from tarmac_inference.supervising import main  # type: ignore[import-not-found]  # found beside this script, not by mypy

if __name__ == "__main__":
    main()
