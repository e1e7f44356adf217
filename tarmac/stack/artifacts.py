"""Where CloudFormation and Lambda fetch what is deployed: a bucket of the account's own. Called by deploy."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tarmac.stack.accounts import Account
from tarmac.stack.errors import NoAccess
from tarmac.stack.explanations import explained
from tarmac.stack.packaging import Template


def default_bucket(account: Account) -> str:
    """The name of the bucket that all stages of this account and region share."""
    return f"tarmac-artifacts-{account.account_id}-{account.region}"


@dataclass(frozen=True)
class Artifacts:
    """Uploads, each under the hash of its content: the same twice is uploaded once.

    Nothing is ever deleted here: a rollback fetches the bundle of the version before.
    """

    account: Account
    bucket: str

    def prepare(self) -> None:
        """Make the bucket where it is missing: private, encrypted, and certainly this account's.

        Raises:
            NoAccess: The bucket is somebody else's.
        """
        s3 = self.account.clients("s3")
        try:
            # The owner is asked for, so that nobody can wait with a bucket of this name for our code.
            s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self.account.account_id)
        except ClientError as exc:
            if exc.response["Error"]["Code"] not in {"404", "NoSuchBucket"}:
                raise NoAccess(
                    f"the bucket {self.bucket!r} is not this account's, or may not be used",
                    fix="name one of your own: --artifacts-bucket NAME",
                ) from exc
            with explained():
                self._create(s3)

    def _create(self, s3: Any) -> None:
        where = {} if self.account.region == "us-east-1" else {"LocationConstraint": self.account.region}
        s3.create_bucket(Bucket=self.bucket, **({"CreateBucketConfiguration": where} if where else {}))
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))

    def put_bundle(self, bundle: Path) -> str:
        """Upload the bundle, and return its key."""
        content = bundle.read_bytes()
        return self._put(content, "bundle", "zip")

    def put_template(self, template: Template) -> str:
        """Upload the template, and return its URL: beyond 51,200 bytes CloudFormation takes it only so."""
        key = self._put(json.dumps(template, indent=1, sort_keys=True).encode(), "template", "json")
        suffix = "amazonaws.com.cn" if self.account.partition == "aws-cn" else "amazonaws.com"
        return f"https://{self.bucket}.s3.{self.account.region}.{suffix}/{key}"

    def _put(self, content: bytes, kind: str, extension: str) -> str:
        key = f"{kind}/{hashlib.sha256(content).hexdigest()}.{extension}"
        s3, owner = self.account.clients("s3"), self.account.account_id
        try:
            s3.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=owner)
        except ClientError:
            with explained():
                s3.put_object(Bucket=self.bucket, Key=key, Body=content, ExpectedBucketOwner=owner)
        return key
