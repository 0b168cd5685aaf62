"""Operator that turns KronosDeployment resources into running forecast servers."""
