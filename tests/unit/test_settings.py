"""Settings: what each variable may be, and that a bad one is named."""

import pytest

from chalicelib.errors import InvalidSetting
from chalicelib.settings import parse_duration_s, read_hub, read_settings

GOOD = {
    "TARMAC_BUCKET": "bucket",
    "TARMAC_QUEUE_URL": "https://queue",
    "TARMAC_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
    "AWS_REGION": "eu-west-1",
}


def test_four_variables_are_enough() -> None:
    """The rest has defaults: those of AWS."""
    settings = read_settings(GOOD)

    assert (settings.bucket, settings.region, settings.app) == ("bucket", "eu-west-1", "tarmac")
    assert (settings.idle_after_s, settings.idle_floor_s, settings.releases_kept) == (900.0, 900.0, 3)
    assert settings.token_sha256 == frozenset()


def test_every_variable_is_read() -> None:
    """And an empty one is as good as none."""
    settings = read_settings(
        {
            **GOOD,
            "AWS_REGION": "",
            "AWS_DEFAULT_REGION": "us-east-1",
            "TARMAC_APP": "plane",
            "TARMAC_IDLE_AFTER": "never",
            "TARMAC_IDLE_FLOOR": "5s",
            "TARMAC_TOKEN_SHA256": "aa, bb cc",
            "TARMAC_INSTANCE_TYPE": "ml.t2.medium",
            "TARMAC_EXPECTED_START": "90s",
            "TARMAC_RELEASES_KEPT": "5",
        }
    )

    assert (settings.region, settings.app, settings.idle_after_s, settings.idle_floor_s) == (
        "us-east-1",
        "plane",
        None,
        5,
    )
    assert settings.token_sha256 == {"aa", "bb", "cc"}
    assert (settings.instance_type, settings.expected_start_s, settings.releases_kept) == ("ml.t2.medium", 90, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARMAC_BUCKET", ""),
        ("TARMAC_BUCKET", "  "),
        ("TARMAC_QUEUE_URL", ""),
        ("TARMAC_ROLE_ARN", ""),
        ("TARMAC_APP", "Tarmac"),
        ("TARMAC_APP", "x" * 13),
        ("TARMAC_APP", "tarmac-dev"),
        ("TARMAC_IDLE_AFTER", "15"),
        ("TARMAC_IDLE_AFTER", "0s"),
        ("TARMAC_IDLE_AFTER", "-5m"),
        ("TARMAC_IDLE_FLOOR", "never"),
        ("TARMAC_EXPECTED_START", "soon"),
        ("TARMAC_RELEASES_KEPT", "0"),
        ("TARMAC_RELEASES_KEPT", "two"),
        ("TARMAC_DROPS_PREFIX", "models"),
        ("TARMAC_DROPS_PREFIX", "/"),
        ("TARMAC_DROPS_PREFIX", "/models/"),
        ("TARMAC_DROPS_PREFIX", "../models/"),
        ("TARMAC_DROPS_PREFIX", "a*/"),
        ("TARMAC_DROPS_PREFIX", "x" * 64 + "/"),
        ("TARMAC_DROPS_PREFIX", "releases/"),
        ("TARMAC_DROPS_PREFIX", "usage/drops/"),
        ("TARMAC_DROPS_PREFIX", "asleep/"),
        ("TARMAC_DROPS_PREFIX", "requests/"),
        ("TARMAC_DROPS_PREFIX", "training/"),
        ("TARMAC_TRUST", "Trusted"),
        ("TARMAC_TRUST", "none"),
        ("TARMAC_CORS_ORIGIN", "*"),
        ("TARMAC_CORS_ORIGIN", "https://app.example.com/"),
        ("TARMAC_CORS_ORIGIN", "https://a.example https://b.example"),
        ("TARMAC_CORS_ORIGIN", "app.example.com"),
        ("TARMAC_VOLUME_KMS_KEY", "alias/mine"),
    ],
)
def test_a_bad_variable_is_named(name: str, value: str) -> None:
    """So that nobody has to guess."""
    with pytest.raises(InvalidSetting) as caught:
        read_settings({**GOOD, name: value})

    assert caught.value.name == name


def test_what_a_stage_decides_is_read() -> None:
    """A prefix that only looks like one of Tarmac's own is a good one."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/1-2"
    settings = read_settings(
        {
            **GOOD,
            "TARMAC_DROPS_PREFIX": "releases-of/team.a/",
            "TARMAC_TRUST": "strict",
            "TARMAC_CORS_ORIGIN": "http://localhost:3000",
            "TARMAC_VOLUME_KMS_KEY": key,
        }
    )

    assert (settings.drops_prefix, settings.trust) == ("releases-of/team.a/", "strict")
    assert (settings.cors_origin, settings.volume_kms_key_arn) == ("http://localhost:3000", key)
    defaults = read_settings(GOOD)
    assert (defaults.drops_prefix, defaults.trust, defaults.cors_origin) == ("models/", "trusted", None)
    assert defaults.volume_kms_key_arn is None


def test_the_hub_is_where_its_own_clients_look_and_its_token_is_never_shown() -> None:
    """Empty is as good as unset; what is no URL is named."""
    settings = read_settings({**GOOD, "HF_ENDPOINT": "http://127.0.0.1:8080/hub/", "HF_TOKEN": "hf_secret"})

    assert (settings.hub_url, settings.hub_token) == ("http://127.0.0.1:8080/hub", "hf_secret")
    assert "hf_secret" not in repr(settings)
    assert read_hub({"HF_ENDPOINT": "", "HF_TOKEN": ""}) == ("https://huggingface.co", None)
    with pytest.raises(InvalidSetting, match="HF_ENDPOINT"):
        read_hub({"HF_ENDPOINT": "huggingface.co"})


def test_a_missing_region_is_named() -> None:
    """Lambda sets one variable, the AWS CLI the other."""
    with pytest.raises(InvalidSetting, match="AWS_DEFAULT_REGION"):
        read_settings({name: value for name, value in GOOD.items() if name != "AWS_REGION"})


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("15m", 900), ("1.5h", 5400), ("2d", 172800), (" 5 s ", 5), ("never", None)]
)
def test_durations_are_read(text: str, expected: float | None) -> None:
    """In seconds; None for never."""
    assert parse_duration_s(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "5w", "0m", "1h30m", "-1s", "inf s", "nans", "1e3s"])
def test_other_texts_are_no_durations(text: str) -> None:
    """The message shows what is."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration_s(text)
