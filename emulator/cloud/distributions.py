"""CloudFront's public keys and key groups in templates; distributions are MiniStack's own.

No distribution here checks signatures of URLs.
"""

# mypy: disable-error-code="import-not-found"

from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import cloudfront
from ministack.services.cloudformation import provisioners


def _create_key(
    _logical_id: str, properties: dict[str, Any], _stack: str
) -> tuple[str, dict[str, Any]]:
    config = properties["PublicKeyConfig"]
    for other in cloudfront._public_keys.values():
        for name in ("CallerReference", "Name"):
            if other["Config"][name] == config[name]:
                raise ValueError(f"there is a public key with the {name} {config[name]}")
    name = cloudfront._pk_id()
    cloudfront._public_keys[name] = {
        "Id": name, "ETag": new_uuid(), "CreatedTime": cloudfront._now_iso(), "Config": config,
    }  # fmt: skip
    return name, {"Id": name}


def _update_key(
    name: str, old: dict[str, Any], new: dict[str, Any], *_more: Any
) -> tuple[str, dict[str, Any]]:
    before, after = old["PublicKeyConfig"], new["PublicKeyConfig"]
    if {**before, "Comment": ""} != {**after, "Comment": ""}:
        raise ValueError(f"{name}: CloudFront changes only the comments of public keys")
    cloudfront._public_keys[name]["Config"] = after
    return name, {"Id": name}


def _delete_key(name: str, _properties: dict[str, Any]) -> None:
    if cloudfront._public_keys_using(name):
        raise ValueError(f"{name}: a key group has this public key")
    cloudfront._public_keys.pop(name, None)


def _group(properties: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = properties["KeyGroupConfig"]
    for key in config["Items"]:
        if key not in cloudfront._public_keys:
            raise ValueError(f"there is no public key {key}")
    return {"ETag": new_uuid(), "LastModifiedTime": cloudfront._now_iso(), "Config": config}


def _create_group(
    _logical_id: str, properties: dict[str, Any], _stack: str
) -> tuple[str, dict[str, Any]]:
    name = cloudfront._kg_id()
    cloudfront._key_groups[name] = {"Id": name, **_group(properties)}
    return name, {"Id": name}


def _update_group(
    name: str, _old: dict[str, Any], new: dict[str, Any], *_more: Any
) -> tuple[str, dict[str, Any]]:
    cloudfront._key_groups[name] = {"Id": name, **_group(new)}
    return name, {"Id": name}


def install() -> None:
    """Makes templates with public keys and key groups deploy."""
    provisioners._RESOURCE_HANDLERS["AWS::CloudFront::PublicKey"] = {
        "create": _create_key, "update": _update_key, "delete": _delete_key,
    }  # fmt: skip
    provisioners._RESOURCE_HANDLERS["AWS::CloudFront::KeyGroup"] = {
        "create": _create_group,
        "update": _update_group,
        "delete": lambda name, _properties: cloudfront._key_groups.pop(name, None),
    }
