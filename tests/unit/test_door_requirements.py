"""What a requirements.txt asks for, held against what the container has."""

import pytest

from chalicelib.door.requirements import is_excluded, versions_in

REGISTRY = "763104351884.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("clauses", "has"),
    [
        ("==2.1.0", "2.6.0"), ("==2.6.1", "2.6.0"), ("==2.5.*", "2.6.0"), (">=2.7", "2.6.0"), ("<2.6", "2.6.0"),
        ("<=2.5.9", "2.6.0"), (">2.6.0", "2.6.0"), ("!=2.6.0", "2.6.0"), ("~=2.7", "2.6.0"), ("~=2.5.0", "2.6.0"),
        ("~=2.6.1", "2.6.0"), (">=4.40,<5", "5.5.3"), ("==1.3.2", "1.2"), (">=1.3", "1.2"), ("<1.2", "1.2"),
        ("===2.1.0", "2.6.0"), (" == 2.1.0 ", "2.6.0"), ("==2.1.0+cu121", "2.6.0"), ("~=1.3.0", "1.2"),
    ],
)  # fmt: skip
def test_a_version_that_the_clauses_leave_out_is_excluded(clauses: str, has: str) -> None:
    assert is_excluded(clauses, has)


@pytest.mark.parametrize(
    ("clauses", "has"),
    [
        ("", "2.6.0"), ("==2.6.0", "2.6.0"), ("==2.6", "2.6.0"), ("==2.6.*", "2.6.0"), (">=2.0", "2.6.0"),
        ("<3", "2.6.0"), ("<=2.6.0", "2.6.0"), ("~=2.1", "2.6.0"), ("~=2.6.0", "2.6.0"), ("!=2.5.0", "2.6.0"),
        ("==2.6.0+cpu", "2.6.0"), (">=4.40,<6", "5.5.3"),
        # Of 1.2-1 the tag tells two parts, so the third may be any.
        ("==1.2.1", "1.2"), (">=1.2.1", "1.2"), ("<=1.2.0", "1.2"), ("!=1.2.1", "1.2"), ("~=1.2.1", "1.2"),
        # What is no version clause says nothing that pip would not say itself.
        ("=>3", "2.6.0"), ("==nonsense", "2.6.0"), ("==" + "9" * 5000, "2.6.0"),
    ],
)  # fmt: skip
def test_a_version_that_may_do_is_not_excluded(clauses: str, has: str) -> None:
    assert not is_excluded(clauses, has)


@pytest.mark.parametrize(
    ("image", "versions"),
    [
        (
            "huggingface-pytorch-inference:2.6.0-transformers5.5.3-cpu-py312-ubuntu22.04",
            {"torch": "2.6.0", "transformers": "5.5.3"},
        ),
        ("pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker", {"torch": "2.6.0"}),
        ("sagemaker-scikit-learn:1.2-1-cpu-py3", {"scikit-learn": "1.2"}),
        ("tensorflow-inference:2.19.0-cpu", {"tensorflow": "2.19.0"}),
        ("sagemaker-xgboost:3.0-5", {"xgboost": "3.0"}),
        ("my-own:latest", {}),
    ],
)
def test_the_tag_tells_what_the_image_is_made_of(image: str, versions: dict[str, str]) -> None:
    assert versions_in(f"{REGISTRY}/{image}") == versions
