"""What a requirements.txt asks for, held against what the container has."""

import packaging.markers
import packaging.requirements
import packaging.utils
import pytest

from chalicelib.door.requirement_lines import (
    contradiction,
    decode,
    holds,
    is_excluded,
    nested_files,
    read_requirements,
)
from chalicelib.door.requirements import versions_in

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


@pytest.mark.parametrize(
    "line",
    [
        "numpy", "numpy==1.26.4", "numpy >= 1.26 , < 3", "numpy (>=1.26)", "numpy[extra,more]~=1.26", "numpy!=1.*",
        "numpy===1.26", "numpy>=1.26,", "a.b-c_d==1!2.0rc1.post1.dev0+local", "numpy; python_version < '3.9'",
        'numpy ; sys_platform == "win32" and python_version >= "3.9"',
    ],
)  # fmt: skip
def test_what_pip_takes_is_taken(line: str) -> None:
    (found,) = read_requirements(line)

    assert packaging.requirements.Requirement(line)
    assert not found.is_nonsense
    assert found.name == packaging.utils.canonicalize_name(packaging.requirements.Requirement(line).name)


@pytest.mark.parametrize(
    "line",
    ["numpy=>1", "numpy=1", "numpy 1.26", "import numpy", "[", "numpy>=", "numpy>1<3", "numpy==", "==1", "~x"],
)
def test_what_pip_refuses_is_called_no_requirement(line: str) -> None:
    (found,) = read_requirements(line)

    with pytest.raises(packaging.requirements.InvalidRequirement):
        packaging.requirements.Requirement(line)
    assert found.is_nonsense


@pytest.mark.parametrize("python", ["3.8", "3.9", "3.12"])
@pytest.mark.parametrize(
    "marker",
    [
        'python_version < "3.9"', "python_version>='3.9'", 'python_version == "3.12"', 'python_version != "3.12"',
        'python_version ~= "3.9"', 'python_version <= "3.9"', 'python_version > "3.9"', 'sys_platform == "win32"',
        'sys_platform != "win32"', 'platform_system == "Linux" and python_version > "3"', 'os_name == "posix"',
        'os_name == "nt" or python_version >= "3.9"', 'os_name == "nt" and extra == "x" or python_version < "3.9"',
        'platform_machine == "x86_64"', 'implementation_name == "cpython"',
        'platform_python_implementation != "PyPy"', 'sys_platform == "darwin" and python_version < "3.9"',
    ],
)  # fmt: skip
def test_a_marker_that_can_be_told_is_told_as_pip_tells_it(marker: str, python: str) -> None:
    surroundings = {
        "python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux", "os_name": "posix",
        "platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython",
        "platform_python_implementation": "CPython", "extra": "",
    }  # fmt: skip

    assert holds(marker, python) is packaging.markers.Marker(marker).evaluate(surroundings)


@pytest.mark.parametrize(
    "marker", ['(os_name == "nt")', 'extra == "x"', 'python_version in "3.8 3.9"', '"3.9" > python_version', "nonsense"]
)
def test_a_marker_that_cannot_be_told_is_left_open(marker: str) -> None:
    assert holds(marker, "3.12") is None
    assert holds('python_version < "3.9"', None) is None


@pytest.mark.parametrize(
    ("first", "second", "excludes"),
    [
        ("a==1.0.0", "a==2.0.0", True), ("a==1.0", "a==2.0", True), ("a==1.0", "a>=2", True), ("a<1", "a==1.0.0", True),
        ("a==1.0", "a==1.0.0", False), ("a==1.*", "a==2.*", False), ("a>=1", "a<1", False),
        ("a==1.0", "a>=1,<2", False),
        ("a==1.0", "a~=1.0", False), ("a==1.5.0", "a!=1.5.0", True),
    ],
)  # fmt: skip
def test_two_lines_exclude_each_other_only_where_that_is_sure(first: str, second: str, *, excludes: bool) -> None:
    one, other = read_requirements(f"{first}\n{second}\n")

    assert contradiction(one, other) is excludes
    assert contradiction(other, one) is excludes


def test_lines_are_read_as_pip_reads_them() -> None:
    text = (
        "a==1 \\\n --hash=sha256:0\n# b \\\nc # d\n-r e.txt\n-ce\n--requirement='f.txt'\n-e g/h\n\ni @ https://j/k#l\n"
    )

    assert [(each.line, each.text) for each in read_requirements(text)] == [
        (1, "a==1"), (4, "c"), (8, "g/h"), (10, "i @ https://j/k#l"),
    ]  # fmt: skip
    assert list(nested_files(text)) == [(5, "e.txt"), (6, "e"), (7, "f.txt")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_that_pip_reads_is_read(encoding: str) -> None:
    assert decode("numpy\r\n".encode(encoding)) == "numpy\r\n"
    assert decode("numpy".encode("utf-16-le")) is None
    assert decode("# caf\xe9".encode("latin-1")) is None
