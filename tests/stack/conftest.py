"""The stack as it is packaged, once for all tests of this room."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tarmac.stack.packaging import Package, Template, package

BUCKET, KEY, REGION = "tarmac-artifacts", "bundle/x.zip", "eu-west-1"


@dataclass(frozen=True)
class Packaged:
    """What `make package` makes, and the plain CloudFormation of it."""

    package: Package
    out: Path

    @property
    def sam(self) -> Template:
        return self.package.sam

    def cloudformation(self, region: str = REGION) -> Template:
        return self.package.translated(bucket=BUCKET, key=KEY, region=region)


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    out = tmp_path_factory.mktemp("package")
    return Packaged(package(out, region=REGION), out)
