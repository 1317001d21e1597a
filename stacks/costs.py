"""Tags by which the bill can be split, and a budget that warns when it grows."""

from __future__ import annotations

from aws_cdk import Stack, Tags
from aws_cdk import aws_budgets as budgets
from constructs import Construct

from stacks.settings import Settings

_TELL_AT_PERCENT = (80, 100)


def tag_everything(stack: Stack, settings: Settings) -> None:
    """Add the stack's and the user's tags to every resource that can have tags."""
    for name, value in {"app": "excamera", "stack": stack.stack_name, **settings.tags}.items():
        Tags.of(stack).add(name, value)


class Budget(Construct):
    """A monthly budget for all resources with the stack's tag."""

    def __init__(
        self, scope: Construct, construct_id: str, *, limit_usd: float, email: str
    ) -> None:
        super().__init__(scope, construct_id)
        budgets.CfnBudget(
            self,
            "Monthly",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=limit_usd, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:stack${Stack.of(self).stack_name}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type="ACTUAL",
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budgets.CfnBudget.SubscriberProperty(
                            subscription_type="EMAIL", address=email
                        )
                    ],
                )
                for percent in _TELL_AT_PERCENT
            ],
        )
