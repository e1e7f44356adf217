"""AWS's scikit-learn container as far as hooks see it: run with MODEL_DIR, requests on standard input, replies out.

A Flask application that loads the user's module once and calls its hooks in turn. It takes what output_fn gives as a
body or as a body with its content type, and puts a page without words in place of whatever a hook raises.

Source: sagemaker-containers 2.8.6.post2 (_transformer.py, _functions.py); sagemaker-scikit-learn-container, serving.py.
"""

import base64
import importlib
import json
import sys
import types
from typing import Any

import flask

sys.modules["sagemaker_containers"] = types.ModuleType("sagemaker_containers")
_UTF8_TYPES = ("application/json", "text/csv")


def _application(model_dir: str) -> flask.Flask:
    sys.path.insert(0, f"{model_dir}/code")
    module = importlib.import_module("inference")
    model = module.model_fn(model_dir)
    app = flask.Flask("container")

    @app.post("/invocations")
    def invocations() -> Any:
        request = flask.request
        content_type = request.headers.get("Content-Type") or "application/json"
        accept = request.headers.get("Accept")
        body = request.get_data(as_text=content_type in _UTF8_TYPES)
        data = module.input_fn(body, content_type)
        prediction = module.predict_fn(data, model)
        result = module.output_fn(prediction, "application/json" if accept in (None, "*/*") else accept)
        return flask.Response(result[0], mimetype=result[1]) if isinstance(result, tuple) else result

    return app


def main() -> None:
    """Answer every request on standard input."""
    client = _application(sys.argv[1]).test_client()
    replies = []
    for request in json.load(sys.stdin):
        headers = {name: request[name] for name in ("Content-Type", "Accept") if request[name]}
        reply = client.post("/invocations", data=base64.b64decode(request["body"]), headers=headers)
        replies.append([reply.status_code, reply.mimetype, base64.b64encode(reply.data).decode()])
    json.dump(replies, sys.stdout)


if __name__ == "__main__":
    main()
