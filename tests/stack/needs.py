"""From a recorded call to what it needs of IAM. A call that is not in the table fails the test by name.

Sources: the Service Authorization Reference (actions, resources, dependent actions), and S3's documentation of each
operation for the permissions whose names are not the operation's own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.recording import AwsCall
from tests.stack.policies import Need

MISSING = frozenset({"404", "NoSuchKey"})


@dataclass
class Needs:
    """Translates calls in the order in which they were made, so that it knows the tags of what was created before."""

    account: str
    region: str
    partition: str = "aws"
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def of(self, call: AwsCall) -> list[Need]:
        """What a call needs.

        Raises:
            AssertionError: The table does not know the operation: it must be added before it may be allowed.
        """
        translate = getattr(self, f"_{call.service.replace('-', '_')}", None)
        found = list(translate(call)) if translate is not None else []
        assert found, f"{call.service} {call.operation} is not in the table of tests/stack/needs.py"
        return found

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def _s3(self, call: AwsCall) -> Iterator[Need]:
        params = call.params
        bucket = f"arn:{self.partition}:s3:::{params['Bucket']}"
        target = f"{bucket}/{params.get('Key')}"
        match call.operation:
            case "ListObjectsV2":
                yield Need("s3:ListBucket", bucket, {"s3:prefix": params.get("Prefix", "")})
            case "HeadObject" | "GetObject":
                yield Need("s3:GetObject", target)
                if call.error in MISSING:
                    # Without it S3 says 403 where it should say 404; such a request has no s3:prefix.
                    yield Need("s3:ListBucket", bucket)
            case "PutObject" | "CreateMultipartUpload" | "CompleteMultipartUpload":
                yield Need("s3:PutObject", target)
            case "CopyObject" | "UploadPartCopy":
                # botocore has joined and quoted it already.
                yield Need("s3:GetObject", f"arn:{self.partition}:s3:::{unquote(params['CopySource'])}")
                yield Need("s3:PutObject", target)
            case "AbortMultipartUpload":
                yield Need("s3:AbortMultipartUpload", target)
            case "DeleteObject":
                yield Need("s3:DeleteObject", target)
                if "IfMatch" in params:
                    yield Need("s3:GetObject", target)
            case "DeleteObjects":
                for entry in params["Delete"]["Objects"]:
                    yield Need("s3:DeleteObject", f"{bucket}/{entry['Key']}")

    def _sagemaker(self, call: AwsCall) -> Iterator[Need]:
        params, action = call.params, f"sagemaker:{call.operation}"
        kinds = {"EndpointName": "endpoint", "EndpointConfigName": "endpoint-config", "ModelName": "model"}
        arns = [
            self._arn("sagemaker", f"{kind}/{params[name]}".lower()) for name, kind in kinds.items() if name in params
        ]
        if call.operation.startswith("Create"):
            yield from self._creation(call, action, arns)
        elif call.operation.startswith("List"):
            yield Need(action, params.get("ResourceArn", "*"))
        else:
            for arn in arns:
                yield Need(action, arn, _prefixed("aws:ResourceTag", self.tags.get(arn, {})))

    def _creation(self, call: AwsCall, action: str, arns: list[str]) -> Iterator[Need]:
        params = call.params
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        asked: dict[str, Any] = _prefixed("aws:RequestTag", tags)
        if "ProductionVariants" in params:
            # A serverless variant has none, and then the key is not in the request.
            types = [raw["InstanceType"] for raw in params["ProductionVariants"] if "InstanceType" in raw]
            asked |= {"sagemaker:InstanceTypes": types} if types else {}
        for arn in arns:
            yield Need(action, arn, asked)
        if tags:
            yield Need("sagemaker:AddTags", arns[0], asked)
        if call.error is None:
            self.tags[arns[0]] = tags
        if "ExecutionRoleArn" in params:
            yield Need("iam:PassRole", params["ExecutionRoleArn"], {"iam:PassedToService": "sagemaker.amazonaws.com"})

    def _sagemaker_runtime(self, call: AwsCall) -> Iterator[Need]:
        arn = self._arn("sagemaker", f"endpoint/{call.params['EndpointName']}")
        yield Need(f"sagemaker:{call.operation}", arn, _prefixed("aws:ResourceTag", self.tags.get(arn, {})))

    def _sqs(self, call: AwsCall) -> Iterator[Need]:
        yield Need(f"sqs:{call.operation}", self._arn("sqs", call.params["QueueUrl"].rsplit("/", 1)[-1]))

    def _cloudwatch(self, call: AwsCall) -> Iterator[Need]:
        yield Need(f"cloudwatch:{call.operation}", "*")

    def _service_quotas(self, call: AwsCall) -> Iterator[Need]:
        yield Need(f"servicequotas:{call.operation}", "*")

    def _application_autoscaling(self, call: AwsCall) -> Iterator[Need]:
        action = f"application-autoscaling:{call.operation}"
        if call.operation.startswith("Describe"):
            yield Need(action, "*")
            return
        namespace = {"application-autoscaling:service-namespace": call.params["ServiceNamespace"]}
        yield Need(action, self._arn("application-autoscaling", "scalable-target/0ec51234567890"), namespace)
        endpoint = call.params["ResourceId"].split("/")[1]
        # What the service then does in the caller's name, or once for the account.
        # Source: Application Auto Scaling's user guide, identity-based policy examples.
        alarm = self._arn("cloudwatch", f"alarm:TargetTracking-{call.params['ResourceId']}-AlarmHigh-1")
        match call.operation:
            case "RegisterScalableTarget":
                arn = self._arn("sagemaker", f"endpoint/{endpoint}")
                yield Need("sagemaker:UpdateEndpointWeightsAndCapacities", arn)
                service = "sagemaker.application-autoscaling.amazonaws.com"
                role = f"aws-service-role/{service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
                arn = f"arn:{self.partition}:iam::{self.account}:role/{role}"
                yield Need("iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": service})
            case "PutScalingPolicy":
                yield Need("cloudwatch:PutMetricAlarm", alarm)
                yield Need("cloudwatch:DescribeAlarms", alarm)
            case "DeregisterScalableTarget":
                yield Need("cloudwatch:DeleteAlarms", alarm)

    def _scheduler(self, call: AwsCall) -> Iterator[Need]:
        params = call.params
        yield Need(
            f"scheduler:{call.operation}", self._arn("scheduler", f"schedule/{params['GroupName']}/{params['Name']}")
        )
        if "Target" in params:
            role_arn = params["Target"]["RoleArn"]
            yield Need("iam:PassRole", role_arn, {"iam:PassedToService": "scheduler.amazonaws.com"})


def _prefixed(prefix: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {f"{prefix}/{key}": value for key, value in tags.items()}
