"""Turns the checkout into a bundle and plain CloudFormation, offline. Called by deploy and `make package`."""

import copy
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tarmac.stack.bundles import lay_out
from tarmac.stack.errors import PackagingFailed

ROOT = Path(__file__).parents[2]
CHALICE_STAGE = "dev"
"""Chalice's own notion of a stage is not used: what differs between stages is the template's parameters."""
NOT_EVERYWHERE = {"aws-us-gov": ("AWS::Budgets::Budget",)}
"""Resource types that a partition does not know, by partition. Source: cfn-lint's region data (E3006)."""

Template = dict[str, Any]


@dataclass(frozen=True)
class Package:
    """What `chalice package` made: the SAM template as a mapping, and the zip that all functions share."""

    sam: Template
    bundle: Path

    def translated(self, *, bucket: str, key: str, region: str) -> Template:
        """Make plain CloudFormation of it, with the code at s3://bucket/key."""
        return translate(self.sam, bucket=bucket, key=key, region=region)


def package(out: Path, *, root: Path = ROOT, region: str = "us-east-1") -> Package:
    """Package the application with its merge template.

    Args:
        out: Where sam.yaml and deployment.zip are to lie.
        root: The checkout.
        region: Chalice asks for one; nothing in the template depends on it.

    Raises:
        PackagingFailed: With Chalice's own words.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tarmac-package-") as scratch:
        project = Path(scratch) / "project"
        lay_out(root, project)
        _run_chalice(project, out.resolve(), merge=(root / "infra" / "resources.yaml").resolve(), region=region)
    return Package(sam=yaml.safe_load((out / "sam.yaml").read_text()), bundle=out / "deployment.zip")


def _run_chalice(project: Path, out: Path, *, merge: Path, region: str) -> None:
    arguments = ["package", "--stage", CHALICE_STAGE, "--template-format", "yaml", "--merge-template", str(merge)]
    # Chalice imports the app: it gets no credentials, no profile and no settings of whoever runs this.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TARMAC_", "PYTHON"))}
    ran = subprocess.run(
        [sys.executable, "-c", "from chalice.cli import main; main()", *arguments, str(out)],
        cwd=project,
        env={**kept, "AWS_DEFAULT_REGION": region, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        raise PackagingFailed(f"chalice package: {said[-1] if said else 'no reason given'}")


def translate(sam: Template, *, bucket: str, key: str, region: str) -> Template:
    """Translate a SAM template here, as the transform would do in AWS.

    So the template that was linted and tested is the one that is deployed, and no macro needs to be allowed
    (docs/decisions/0009-translate-here.md).

    Raises:
        PackagingFailed: The translator refuses the template.
    """
    import boto3
    from samtranslator.parser.parser import Parser
    from samtranslator.public.exceptions import InvalidDocumentException
    from samtranslator.translator.translator import Translator

    located = copy.deepcopy(sam)
    for resource in located["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": key}
    session = boto3.Session(region_name=region)
    translator = Translator({}, Parser(), None, session)
    try:
        translated: Template = translator.translate(located, {})
    except InvalidDocumentException as exc:
        causes = "; ".join(str(cause.message) for cause in exc.causes)
        raise PackagingFailed(f"the SAM translator refuses the template: {causes or exc.message}") from exc
    finally:
        # Nobody reads them; unpublished ones make the translator complain on stderr.
        translator.metrics.publish()
    return _fit(translated, session.get_partition_for_region(region))


def published_for(template: Template, origin: str) -> Template:
    """Give the API's deployment another name for another CorsOrigin.

    API Gateway publishes its own error answers, which name the origin, only with a new deployment of the API; and to
    CloudFormation a deployment is new when its name is, as SAM's translator makes it be for any other change.
    """
    if not origin:
        return template
    kinds = {name: raw["Type"] for name, raw in template["Resources"].items()}
    digest = hashlib.sha256(origin.encode()).hexdigest()[:10]
    text = json.dumps(template)
    for name in [name for name, kind in kinds.items() if kind == "AWS::ApiGateway::Deployment"]:
        text = text.replace(f'"{name}"', f'"{name}{digest}"')
    renamed: Template = json.loads(text)
    return renamed


def _fit(template: Template, partition: str) -> Template:
    """Leave out what the partition does not know, and the conditions and parameters that nothing asks for any more."""
    missing = NOT_EVERYWHERE.get(partition, ())
    fitted = {
        **template,
        "Resources": {name: raw for name, raw in template["Resources"].items() if raw["Type"] not in missing},
    }
    for section in ("Conditions", "Parameters"):
        fitted[section] = {name: raw for name, raw in fitted[section].items() if _is_asked_for(name, fitted)}
    return fitted


def _is_asked_for(name: str, template: Template) -> bool:
    if isinstance(template, dict):
        return any(
            (key in {"Ref", "Condition"} and value == name)
            or (key == "Fn::If" and value[0] == name)
            or (key == "Fn::Sub" and f"${{{name}}}" in json.dumps(value))
            or _is_asked_for(name, value)
            for key, value in template.items()
        )
    return isinstance(template, list) and any(_is_asked_for(name, value) for value in template)
