"""A server for the messages of mu's gangs, which only their workers reach: the setting `mu_server`.

It costs something at all times: see `mu.prices` and docs/deploy.md.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import ArnFormat, Names, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from constructs import Construct

from mu.messages.rights import RIGHTS
from stacks.nag import accept, accept_wildcards

ZONES = 2
"""The fewest for a serverless cache. The endpoint for credentials is billed in each."""

MOST_GB = 10
"""What the server holds at most; ElastiCache then drops what was not used for longest."""

MOST_ECPU_A_SECOND = 100_000
"""It then answers later. A message takes some seven."""

_PORT = 6379
_VERSION = "8"
_NETWORK = "10.0.0.0/22"

_ATTACH = [
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
]  # fmt: skip
"""What Lambda needs to put functions into a network. The functions cannot reach EC2 from there."""


class MessageServer(Construct):
    """An ElastiCache Serverless cache in a network of its own, without a way to the internet.

    Attributes:
        network: where workers run.
        workers: the group of the workers, whom alone the server takes.
        url: what `mu.messages.elasticache` takes.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.network = self._network()
        self.workers = ec2.SecurityGroup(
            self,
            "Workers",
            vpc=self.network,
            description="mu: workers, which reach the server, S3 and STS",
        )
        self._allow_credentials()
        # CloudFormation wants names of these. An IAM user's name must be its id.
        name = Names.unique_resource_name(self, max_length=40).lower()
        user = elasticache.CfnUser(
            self,
            "User",
            engine="valkey",
            user_id=name,
            user_name=name,
            # A new user has no keys that a rule would have to take away.
            access_string=f"on {RIGHTS.removeprefix('resetkeys ')}",
            authentication_mode={"Type": "iam"},
        )
        # Of Valkey's engine a group needs no default user, and lets none in that it does not have.
        users = elasticache.CfnUserGroup(
            self, "Users", engine="valkey", user_group_id=name, user_ids=[user.ref]
        )
        self._cache = self._make_cache(name, users)
        self._arns = [
            Stack.of(self).format_arn(
                service="elasticache",
                resource=kind,
                resource_name=name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            for kind in ("serverlesscache", "user")
        ]
        host, port = self._cache.attr_endpoint_address, self._cache.attr_endpoint_port
        self.url = f"elasticache://{name}@{host}:{port}/{name}"

    def _network(self) -> ec2.Vpc:
        network = ec2.Vpc(
            self,
            "Network",
            ip_addresses=ec2.IpAddresses.cidr(_NETWORK),
            max_azs=ZONES,
            nat_gateways=0,
            create_internet_gateway=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                )
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
        )
        accept(
            network,
            "AwsSolutions-VPC7",
            "Nothing outside reaches the network, and it reaches only three services of AWS.",
        )
        return network

    def _allow_credentials(self) -> None:
        """Let workers take the role of their calls."""
        endpoint = self.network.add_interface_endpoint(
            "Credentials", service=ec2.InterfaceVpcEndpointAwsService.STS, open=False
        )
        endpoint.connections.allow_default_port_from(self.workers)

    def _make_cache(
        self, name: str, users: elasticache.CfnUserGroup
    ) -> elasticache.CfnServerlessCache:
        group = ec2.SecurityGroup(
            self,
            "Server",
            vpc=self.network,
            description="mu: the server for messages",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(self.workers, ec2.Port.tcp(_PORT), "workers")
        limits = elasticache.CfnServerlessCache
        return elasticache.CfnServerlessCache(
            self,
            "Cache",
            engine="valkey",
            major_engine_version=_VERSION,
            serverless_cache_name=name,
            description="mu: messages of gangs",
            cache_usage_limits=limits.CacheUsageLimitsProperty(
                data_storage=limits.DataStorageProperty(maximum=MOST_GB, unit="GB"),
                ecpu_per_second=limits.ECPUPerSecondProperty(maximum=MOST_ECPU_A_SECOND),
            ),
            subnet_ids=[one.subnet_id for one in self.network.isolated_subnets],
            security_group_ids=[group.security_group_id],
            user_group_id=users.ref,
        )

    def hosted(self) -> dict[str, Any]:
        """What puts a function into the network, as arguments of the CDK's `Function`."""
        return {
            "vpc": self.network,
            "vpc_subnets": ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            "security_groups": [self.workers],
        }

    def admit(self, workers: iam.Role, calls: iam.Role) -> None:
        """Allow Lambda to put workers into the network, and calls to sign in to the server."""
        workers.add_to_policy(iam.PolicyStatement(actions=_ATTACH, resources=["*"]))
        accept_wildcards(
            workers.node.find_child("DefaultPolicy"),
            ["*"],
            "Lambda makes the network interfaces, and looks for them in all of EC2.",
        )
        calls.add_to_policy(
            iam.PolicyStatement(actions=["elasticache:Connect"], resources=self._arns)
        )
