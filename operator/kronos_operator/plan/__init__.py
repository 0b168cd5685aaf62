"""Decides what the spec alone cannot, from spec, observation and time."""

from kronos_operator.plan.decision import Plan, PoolPlan, plan
from kronos_operator.plan.rollout import Stage

__all__ = ["Plan", "PoolPlan", "Stage", "plan"]
