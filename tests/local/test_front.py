"""The HTTP front around a small Chalice app: what a client sends is what the app sees, and nothing ends the server."""

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from chalice.app import Chalice, Response

from tarmac.local.front import Front, PortInUse, bind_loopback
from tarmac.local.gateway import Gateway


def small_app() -> Chalice:
    app = Chalice(app_name="small", configure_logs=False)
    app.api.binary_types = ["*/*"]

    @app.route("/models/{name}/invocations", methods=["POST"], content_types=["*/*"])
    def echo(name: str) -> Response:
        request = app.current_request
        return Response(
            bytes(request.raw_body),
            headers={
                "Content-Type": request.headers.get("content-type", "none/none"),
                "x-name": name.encode().hex(),
                "x-request": request.context["requestId"],
            },
        )

    @app.route("/slow", methods=["GET"])
    def slow() -> dict[str, Any]:
        time.sleep(0.2)
        return {"query": app.current_request.query_params.getlist("q") if app.current_request.query_params else None}

    @app.route("/text", methods=["GET"])
    def text() -> Response:
        return Response(b"words", headers={"Content-Type": "text/plain"})

    return app


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    front = Front(Gateway(small_app()), bind_loopback(0, option="--port"))
    front.start()
    yield front
    front.stop()


@pytest.fixture
def connection(front: Front) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=20)
    yield connection
    connection.close()


def raw_socket(front: Front) -> socket.socket:
    host, port = front.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def error_of(answer: http.client.HTTPResponse) -> dict[str, str]:
    return json.loads(answer.read())["error"]


def test_every_byte_goes_in_and_comes_out_as_it_was(connection: http.client.HTTPConnection) -> None:
    body = bytes(range(256)) * 16

    for content_type in ("application/x-npy", "text/plain; charset=utf-8", "application/json", "image/png"):
        connection.request("POST", "/models/a/invocations", body, {"Content-Type": content_type})
        answer = connection.getresponse()

        assert (answer.status, answer.getheader("content-type")) == (200, content_type)
        assert answer.read() == body


def test_a_body_of_six_megabytes_passes_whole(connection: http.client.HTTPConnection) -> None:
    body = os.urandom(6 * 1024 * 1024)

    connection.request("POST", "/models/a/invocations", body, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()

    assert hashlib.sha256(answer.read()).digest() == hashlib.sha256(body).digest()


def test_a_chunked_body_arrives(connection: http.client.HTTPConnection) -> None:
    chunks = iter([b"first,", b"second,", b"\x00third"])

    connection.request("POST", "/models/a/invocations", chunks, encode_chunked=True)
    answer = connection.getresponse()

    assert answer.read() == b"first,second,\x00third"


def test_a_declared_body_that_is_too_large_is_refused_unread(front: Front) -> None:
    with raw_socket(front) as client:
        client.sendall(b"POST /models/a/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        client.settimeout(5)
        answer = http.client.HTTPResponse(client)
        answer.begin()

        assert answer.status == 413
        assert error_of(answer)["code"] == "body_too_large"


def test_a_client_that_sends_everything_first_still_reads_the_refusal(connection: http.client.HTTPConnection) -> None:
    body = bytes(12 * 1024 * 1024)

    connection.request("POST", "/models/a/invocations", body)
    answer = connection.getresponse()

    assert answer.status == 413
    assert error_of(answer)["code"] == "body_too_large"


def test_a_chunked_body_that_grows_too_large_is_refused(connection: http.client.HTTPConnection) -> None:
    chunks = (bytes(1024 * 1024) for _ in range(12))

    connection.request("POST", "/models/a/invocations", chunks, encode_chunked=True)

    assert connection.getresponse().status == 413


def test_path_parameters_are_decoded(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/models/a%20b%2Fc%C3%A9/invocations", b"x")
    answer = connection.getresponse()
    answer.read()

    assert bytes.fromhex(answer.getheader("x-name") or "").decode() == "a b/cé"


def test_head_answers_like_get_without_a_body(connection: http.client.HTTPConnection) -> None:
    connection.request("HEAD", "/text")
    answer = connection.getresponse()

    assert (answer.status, answer.getheader("content-length"), answer.read()) == (200, "5", b"")


def test_an_unknown_route_is_404_in_the_house_format(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/nowhere")
    answer = connection.getresponse()

    assert answer.status == 404
    error = error_of(answer)
    assert error["code"] == "route_not_found"
    assert "/nowhere" in error["message"]
    assert error["fix"]


def test_a_wrong_method_is_405_and_says_which_are_right(connection: http.client.HTTPConnection) -> None:
    connection.request("PUT", "/text", b"x")
    answer = connection.getresponse()

    assert answer.status == 405
    assert answer.getheader("allow") == "GET, HEAD, OPTIONS"
    assert error_of(answer)["code"] == "method_not_allowed"


def test_the_request_id_is_the_apps_and_the_answers(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/models/a/invocations", b"x")
    answer = connection.getresponse()
    answer.read()

    assert len(answer.getheader("x-amzn-RequestId") or "") == 36
    assert answer.getheader("x-request") == answer.getheader("x-amzn-RequestId")


def test_one_connection_carries_many_requests(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    local_port = connection.sock.getsockname()[1]

    for _ in range(5):
        connection.request("GET", "/text")
        assert connection.getresponse().read() == b"words"

    assert connection.sock.getsockname()[1] == local_port


def test_query_parameters_keep_every_value(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/slow?q=1&q=a%20b&q=")

    assert json.loads(connection.getresponse().read()) == {"query": ["1", "a b", ""]}


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: minus\r\n\r\n",
        b"POST /models/a/invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /%zz%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_malformed_request_gets_4xx_and_harms_nobody(
    front: Front, connection: http.client.HTTPConnection, raw: bytes
) -> None:
    with raw_socket(front) as client:
        client.sendall(raw)
        first_line = client.recv(4096).split(b"\r\n")[0]

    connection.request("GET", "/text")
    assert connection.getresponse().status == 200
    assert first_line.startswith(b"HTTP/1.1 4")


def test_a_client_that_hangs_up_in_the_middle_harms_nobody(
    front: Front, connection: http.client.HTTPConnection
) -> None:
    with raw_socket(front) as client:
        client.sendall(b"POST /models/a/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")

    connection.request("GET", "/text")
    assert connection.getresponse().status == 200


def test_slow_clients_block_nobody(front: Front, connection: http.client.HTTPConnection) -> None:
    slow_clients = [raw_socket(front) for _ in range(100)]
    for client in slow_clients:
        client.sendall(b"POST /models/a/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    began_s = time.monotonic()

    connection.request("GET", "/text")
    status = connection.getresponse().status

    assert status == 200
    assert time.monotonic() - began_s < 2
    for client in slow_clients:
        client.sendall(b"cde")
        assert client.recv(12) == b"HTTP/1.1 200"
        client.close()


def test_sixty_four_requests_run_at_once_each_seeing_its_own(front: Front) -> None:
    barrier = threading.Barrier(64)

    def ask(number: int) -> bytes:
        connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=20)
        barrier.wait(timeout=20)
        connection.request("GET", f"/slow?q={number}")
        body = connection.getresponse().read()
        connection.close()
        return body

    began_s = time.monotonic()
    with ThreadPoolExecutor(64) as pool:
        bodies = list(pool.map(ask, range(64)))

    assert [json.loads(body) for body in bodies] == [{"query": [str(number)]} for number in range(64)]
    assert time.monotonic() - began_s < 64 * 0.2 / 2


def test_a_port_in_use_is_named_with_its_option(front: Front) -> None:
    port = int(front.url.rsplit(":", 1)[1])

    with pytest.raises(PortInUse, match=str(port)) as caught:
        bind_loopback(port, option="--port")

    assert "--port" in (caught.value.fix or "")


def test_a_request_that_outlives_the_front_is_told_to_come_again() -> None:
    app = Chalice(app_name="endless", configure_logs=False)
    begun, over = threading.Event(), threading.Event()

    @app.route("/endless", methods=["GET"])
    def endless() -> dict[str, Any]:
        begun.set()
        over.wait(20)
        return {}

    front = Front(Gateway(app), bind_loopback(0, option="--port"))
    front.start()
    connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=20)
    connection.request("GET", "/endless")
    assert begun.wait(5)

    front.stop()
    answer = connection.getresponse()

    assert (answer.status, answer.getheader("retry-after")) == (503, "5")
    assert error_of(answer)["message"] == "the engine is stopping"
    over.set()
    connection.close()


def test_a_stopped_front_leaves_its_port_free() -> None:
    front = Front(Gateway(small_app()), bind_loopback(0, option="--port"))
    front.start()
    port = int(front.url.rsplit(":", 1)[1])

    front.stop()

    bind_loopback(port, option="--port").close()
