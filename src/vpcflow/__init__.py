"""Understand and tighten AWS network traffic: VPC Flow Logs with their meaning."""
