"""CloudFront in front of the results, and domains: what the template has of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from emulator.excamera.synthesis import STACK
from stacks import public_key, regions
from stacks.settings import SettingError
from tests.infra.test_regions import REGISTRY, lint
from tests.support.assembly import built, resources
from tests.support.keys import public_pem
from tests.support.pages import section

Template = dict[str, Any]

P_256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
OURS = "arn:aws:acm:us-east-1:123456789012:certificate/0b6e7a5c"
PAGE = "https://films.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stack with CloudFront; one of its two public keys is in a file."""
    out = tmp_path_factory.mktemp("delivered")
    file = tmp_path_factory.mktemp("keys") / "public.pem"
    file.write_text(public_pem(RSA))
    built(
        out, cloudfront_public_keys=[public_pem(P_256), str(file)], kms_key="create",
        cors_origins=[PAGE], cloudfront_domain="films.example.com",
        cloudfront_certificate_arn=OURS,
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def delivered(folder: Path) -> Template:
    """Its template."""
    template: Template = json.loads((folder / f"{STACK}.template.json").read_text())
    return template


def one(template: Template, kind: str) -> tuple[str, Any]:
    """Returns the name and the properties of the only resource of a kind."""
    [(name, resource)] = resources(template, kind).items()
    return name, resource["Properties"]


def test_without_the_setting_there_is_no_cloudfront(stack: Template) -> None:
    """If this fails, a stack has a distribution or a secret that nobody asked for."""
    kinds = {resource["Type"] for resource in stack["Resources"].values()}
    assert not [kind for kind in kinds if "CloudFront" in kind or "SecretsManager" in kind]
    assert "AWS::ApiGateway::DomainName" not in kinds
    layers = [len(one["Properties"]["Layers"]) for one in
              resources(stack, "AWS::Lambda::Function").values()
              if one["Properties"]["Handler"] == "functions.api.handler.handler"]  # fmt: skip
    assert layers == [2]


def test_only_signed_urls_over_https_are_served(delivered: Template) -> None:
    """If this fails, results are open to everybody, or to those who listen."""
    _, properties = one(delivered, "AWS::CloudFront::Distribution")
    config = properties["DistributionConfig"]
    behavior = config["DefaultCacheBehavior"]
    group, _ = one(delivered, "AWS::CloudFront::KeyGroup")
    assert behavior["TrustedKeyGroups"] == [{"Ref": group}]
    assert "CacheBehaviors" not in config, "another behaviour may need no signature"
    assert behavior["ViewerProtocolPolicy"] == "https-only"
    assert config["HttpVersion"] == "http2and3"
    assert behavior["Compress"] is False
    assert config["Aliases"] == ["films.example.com"]
    assert config["ViewerCertificate"] == {
        "AcmCertificateArn": OURS, "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }  # fmt: skip
    told = [
        load_pem_public_key(key["Properties"]["PublicKeyConfig"]["EncodedKey"].encode())
        for key in resources(delivered, "AWS::CloudFront::PublicKey").values()
    ]
    assert told == [P_256.public_key(), RSA.public_key()]


def test_caches_keep_results_as_long_as_urls_are_valid(delivered: Template) -> None:
    """If this fails, results stay in caches, or a replaced result is served for the new one."""
    _, properties = one(delivered, "AWS::CloudFront::CachePolicy")
    config = properties["CachePolicyConfig"]
    assert (config["DefaultTTL"], config["MaxTTL"], config["MinTTL"]) == (3600, 3600, 0)
    assert config["ParametersInCacheKeyAndForwardedToOrigin"]["QueryStringsConfig"] == {
        "QueryStringBehavior": "whitelist", "QueryStrings": ["v"],
    }  # fmt: skip


def test_only_the_distribution_reads_the_bucket_and_its_key(delivered: Template) -> None:
    """If this fails, CloudFront cannot read results, or other distributions can."""
    distribution, properties = one(delivered, "AWS::CloudFront::Distribution")
    access, _ = one(delivered, "AWS::CloudFront::OriginAccessControl")
    [origin] = properties["DistributionConfig"]["Origins"]
    assert origin["OriginAccessControlId"] == {"Fn::GetAtt": [access, "Id"]}
    [bucket] = [name for name in resources(delivered, "AWS::S3::Bucket") if "Output" in name]
    assert origin["DomainName"] == {"Fn::GetAtt": [bucket, "RegionalDomainName"]}
    policies = resources(delivered, "AWS::S3::BucketPolicy").values()
    [policy] = [
        one["Properties"] for one in policies if one["Properties"]["Bucket"] == {"Ref": bucket}
    ]
    [reads] = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]
    assert reads["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert reads["Action"] == "s3:GetObject"
    assert {"Ref": distribution} in reads["Condition"]["StringEquals"]["AWS:SourceArn"]["Fn::Join"][
        1
    ]
    _, key = one(delivered, "AWS::KMS::Key")
    [decrypts] = [one for one in key["KeyPolicy"]["Statement"] if one.get("Sid") == "CloudFront"]
    shown = json.loads(re.findall(r"```json\n(.*?)```", section("docs/account.md", "CloudFront"),
                                  re.S)[0])  # fmt: skip
    for name in ("Action", "Principal", "Effect", "Resource"):
        assert decrypts[name] == shown[name]
    assert {"Ref": "AWS::AccountId"} in decrypts["Condition"]["ArnLike"]["AWS:SourceArn"][
        "Fn::Join"
    ][1]


def test_pages_may_read_answers(delivered: Template) -> None:
    """If this fails, browsers play results of another kind, or scripts of pages get none."""
    _, properties = one(delivered, "AWS::CloudFront::ResponseHeadersPolicy")
    config = properties["ResponseHeadersPolicyConfig"]
    assert config["SecurityHeadersConfig"] == {"ContentTypeOptions": {"Override": True}}
    assert config["CorsConfig"]["AccessControlAllowOrigins"] == {"Items": [PAGE]}
    [header] = config["CustomHeadersConfig"]["Items"]
    assert header["Value"] == "private, max-age=3600"


def test_only_the_api_may_read_the_private_key(delivered: Template) -> None:
    """If this fails, the API cannot sign URLs, or other functions can."""
    secret, properties = one(delivered, "AWS::SecretsManager::Secret")
    assert not {"SecretString", "GenerateSecretString"} & set(properties)
    readers = {
        policy["Properties"]["Roles"][0]["Ref"]: statement
        for policy in resources(delivered, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "secretsmanager" in json.dumps(statement)
    }
    [(role, statement)] = readers.items()
    assert "WorkersApi" in role
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert statement["Resource"] == {"Fn::GetAtt": [secret, "Id"]}


def test_names_differ_between_regions(delivered: Template) -> None:
    """If this fails, an account cannot have the stack in a second region."""
    for resource in delivered["Resources"].values():
        if (
            resource["Type"].startswith("AWS::CloudFront::")
            and "Distribution" not in resource["Type"]
        ):
            [config] = resource["Properties"].values()
            for name in {"Name", "CallerReference"} & set(config):
                assert {"Ref": "AWS::Region"} in config[name]["Fn::Join"][1], resource["Type"]


@pytest.mark.slow
def test_cloudformation_knows_it(folder: Path) -> None:
    """If this fails, CloudFormation refuses a property of the distribution."""
    assert lint(folder, "us-east-1", "eu-north-1") == ""


@pytest.mark.slow
def test_the_owner_of_an_existing_bucket_is_told_what_its_policy_needs(tmp_path: Path) -> None:
    """If this fails, CloudFront answers 403 to everything, and nobody knows why."""
    made = built(tmp_path, cloudfront_public_keys=[public_pem(RSA)], output_bucket="our-results")
    told = made["Outputs"]["OutputBucketPolicy"]["Value"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "x" for part in told)
    statement = json.loads(text)
    assert statement["Resource"] == "arn:x:s3:::our-results/*"
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert (
        statement["Condition"]["StringEquals"]["AWS:SourceArn"]
        == "arn:x:cloudfront::x:distribution/x"
    )
    assert "ResultsDomainTarget" not in made["Outputs"]


def test_regions_without_cloudfront_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, CloudFormation refuses the whole template, and names no setting."""
    without = {
        file.stem for file in REGISTRY.glob("*.json")
        if "iso" not in file.stem and file.stem not in ("sam", "eusc-de-east-1")
        and "AWS::CloudFront::OriginAccessControl" not in json.loads(file.read_text())
    }  # fmt: skip
    assert without == regions.WITHOUT_CLOUDFRONT
    for region in without:
        monkeypatch.setenv("CDK_DEFAULT_REGION", region)
        with pytest.raises(SettingError, match=f"cloudfront_public_keys: in {region} there is no"):
            built(tmp_path, cloudfront_public_keys=[public_pem(P_256)])


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"cloudfront_public_keys": ["/nowhere/public.pem"]}, "/nowhere/public.pem cannot be read"),
        ({"cloudfront_public_keys": [public_pem(ec.generate_private_key(ec.SECP384R1()))]},
         "the text is no public key in PEM that CloudFront takes"),
        ({"cloudfront_public_keys": [public_pem(rsa.generate_private_key(65537, 1024))]},
         "the text is no public key in PEM that CloudFront takes"),
        ({"cloudfront_public_keys": [
            P_256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()]},
         "a private key belongs into the stack's secret"),
        ({"cloudfront_domain": "films.example.com", "cloudfront_certificate_arn": OURS},
         "cloudfront_domain needs cloudfront_public_keys"),
        ({"cloudfront_public_keys": [public_pem(P_256)], "cloudfront_domain": "films.example.com"},
         "cloudfront_domain and cloudfront_certificate_arn need each other"),
        ({"cloudfront_public_keys": [public_pem(P_256)], "cloudfront_domain": "films.example.com",
          "cloudfront_certificate_arn": OURS.replace("us-east-1", "eu-west-1")},
         "cloudfront_certificate_arn must be the ARN of a certificate of ACM of us-east-1"),
        ({"api_domain": "https://api.example.com", "api_certificate_arn": OURS},
         "api_domain must be a name such as"),
        ({"api_domain": "api.example.com", "api_certificate_arn": OURS},
         "api_certificate_arn: .* is no certificate of eu-west-1"),
    ],
)  # fmt: skip
def test_wrong_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: dict[str, Any], words: str
) -> None:
    """If this fails, a deployment fails half-way, or gives URLs that nobody serves."""
    monkeypatch.setenv("CDK_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(SettingError, match=words):
        built(tmp_path, **context)


def test_a_key_has_one_digest_however_it_is_written() -> None:
    """If this fails, a key with other line ends is another key to the API."""
    pem = public_pem(P_256)
    body = "".join(pem.splitlines()[1:-1])
    other = f"\n-----BEGIN PUBLIC KEY-----\r\n{body}\r\n-----END PUBLIC KEY-----"
    assert public_key.read(other) == pem
    assert public_key.digest(public_key.read(other)) == public_key.digest(pem)
