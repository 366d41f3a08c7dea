"""Understand and tighten AWS network traffic: VPC Flow Logs with their meaning."""

__version__ = "0.1.0"
