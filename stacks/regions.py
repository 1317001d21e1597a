"""What regions lack of what settings ask for, and which region a synthesis is for."""

from __future__ import annotations

import os

from stacks.settings import SettingError, Settings

WITHOUT_BUDGETS = frozenset({
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-2", "ap-southeast-3",
    "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1",
    "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "il-central-1", "me-central-1",
    "mx-central-1", "us-gov-east-1", "us-gov-west-1",
})  # fmt: skip
"""Regions whose CloudFormation knows no budgets."""

WITHOUT_CLOUDFRONT = frozenset({"cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1"})
"""Regions whose CloudFormation knows no origin access controls, by which CloudFront reads buckets.

GovCloud has no CloudFront; that of China also refuses to serve from a name of its own ("Getting
Started with Amazon Web Services in China", Amazon CloudFront).
"""


def region() -> str | None:
    """The region of the deployment, if the CDK's command line or `excamera deploy` says it.

    The template is the same for all regions; this only tells what one of them would refuse.
    """
    return os.environ.get("CDK_DEFAULT_REGION") or None


def check(settings: Settings, region: str) -> None:
    """Raise `SettingError` if a region cannot give what the settings ask for."""
    if settings.budget_usd and region.startswith("cn-"):
        raise SettingError(
            f"budget_usd: in {region} bills are not in dollars: set it to 0, and make a budget in "
            "the console"
        )
    if settings.budget_usd and region in WITHOUT_BUDGETS:
        raise SettingError(
            f"budget_usd: CloudFormation in {region} cannot make budgets: set it to 0, and make "
            "a budget in the console, or with a stack of another region"
        )
    if settings.cloudfront_public_keys and region in WITHOUT_CLOUDFRONT:
        raise SettingError(
            f"cloudfront_public_keys: in {region} there is no CloudFront that this stack could "
            "make (docs/account.md): leave it empty, and the API's URLs are those of S3"
        )
    certificate = settings.api_certificate_arn
    if certificate and certificate.split(":")[3] != region:
        raise SettingError(
            f"api_certificate_arn: {certificate} is no certificate of {region}, the stack's region"
        )
    for name, keys in (("kms_key", [settings.kms_key]), ("bucket_kms_keys",
                                                         settings.bucket_kms_keys)):  # fmt: skip
        for key in keys:
            if key.startswith("arn:") and key.split(":")[3] != region:
                raise SettingError(f"{name}: {key} is no key of {region}, the stack's region")
