"""CORS: off unless one origin is named; then every answer names exactly that one, in both worlds."""

import json

import pytest
from chalice.test import Client

from tarmac.local.gateway import Gateway, HttpRequest
from tarmac.stack.packaging import published_for
from tests.stack.judging import resource

ORIGIN = "https://app.example.com"
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"


@pytest.fixture
def api(monkeypatch):
    import app

    for name, value in {
        "TARMAC_BUCKET": "b",
        "TARMAC_QUEUE_URL": "https://sqs/q",
        "TARMAC_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    app.application.cache_clear()
    with Client(app.app) as client:
        yield client.http
    app.application.cache_clear()


def cors_of(answer):
    return {
        name: value for name, value in answer.headers.items() if name.startswith("Access-Control") or name == "Vary"
    }


@pytest.mark.parametrize("path", ["/health", "/models", "/models/cat"])
def test_without_a_named_origin_no_answer_has_a_cors_header_and_options_is_an_unknown_method(api, path):
    got, asked = api.get(path), api.options(path, headers={"Origin": ORIGIN})

    assert (cors_of(got), cors_of(asked)) == ({}, {})
    assert asked.status_code == 405
    assert asked.json_body["error"]["code"] == "method_not_allowed"


def test_every_route_answers_a_preflight_without_a_token_once_an_origin_is_named(api, monkeypatch):
    import app

    monkeypatch.setenv("TARMAC_CORS_ORIGIN", ORIGIN)
    for route, methods in app.app.routes.items():
        answer = api.options(route.replace("{", "").replace("}", ""), headers={"Origin": ORIGIN})

        allowed = set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        assert (answer.status_code, answer.body) == (204, b"")
        assert allowed == set(methods) - {"OPTIONS"}
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/models", 401)])
def test_every_answer_names_exactly_that_origin_whoever_asks(api, monkeypatch, path, status):
    monkeypatch.setenv("TARMAC_CORS_ORIGIN", ORIGIN)

    answer = api.get(path, headers={"Origin": "https://evil.example"})

    assert answer.status_code == status
    assert cors_of(answer)["Access-Control-Allow-Origin"] == ORIGIN
    assert cors_of(answer)["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(("method", "target"), [("GET", "/nowhere"), ("PUT", "/health"), ("OPTIONS", "/health")])
def test_the_local_gateway_s_own_answers_name_it_too(monkeypatch, method, target):
    import app

    off = Gateway(app.app).handle(HttpRequest(method, target, ()))
    monkeypatch.setenv("TARMAC_CORS_ORIGIN", ORIGIN)
    on = Gateway(app.app).handle(HttpRequest(method, target, ()))

    assert "Access-Control-Allow-Origin" not in dict(off.headers)
    assert dict(on.headers)["Access-Control-Allow-Origin"] == ORIGIN
    assert on.status == (204 if method == "OPTIONS" else off.status)


def test_what_api_gateway_answers_by_itself_names_the_origin_only_where_there_is_one(packaged):
    def answers(origin):
        return resource(packaged, "RestAPI", "Body", GATEWAY_RESPONSES, CorsOrigin=origin).values()

    header = "gatewayresponse.header.Access-Control-Allow-Origin"
    assert {raw["responseParameters"].get(header) for raw in answers(ORIGIN)} == {f"'{ORIGIN}'"}
    assert "Access-Control" not in json.dumps(list(answers("")))


def test_each_path_has_an_options_method_that_reaches_the_function(packaged):
    paths = packaged.cloudformation()["Resources"]["RestAPI"]["Properties"]["Body"]["paths"]

    integrations = [raw["options"]["x-amazon-apigateway-integration"] for raw in paths.values()]

    assert {raw["type"] for raw in integrations} == {"aws_proxy"}


def test_another_origin_publishes_the_api_anew_and_the_same_one_does_not(packaged):
    template = packaged.cloudformation()

    def deployment(origin):
        made = published_for(template, origin)
        (name,) = [name for name, raw in made["Resources"].items() if raw["Type"] == "AWS::ApiGateway::Deployment"]
        (stage,) = [raw for raw in made["Resources"].values() if raw["Type"] == "AWS::ApiGateway::Stage"]
        assert stage["Properties"]["DeploymentId"] == {"Ref": name}
        return name

    assert deployment(ORIGIN) == deployment(ORIGIN)
    assert len({deployment(""), deployment(ORIGIN), deployment("http://localhost:3000")}) == 3
