"""The inventory function: captures the accounts into a snapshot in S3, on a schedule and after changes."""

from __future__ import annotations

import functools
from typing import Any

from vpcflow.aws.ec2 import IN_A_FUNCTION, open_ec2
from vpcflow.aws.s3 import S3
from vpcflow.lambdas.capturing import Capturing
from vpcflow.lambdas.start import settings_at_start

SETTINGS = settings_at_start("inventory")


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Take a schedule's event, a change event of CloudTrail, or a batch of these from SQS: see ``capturing``."""
    return _capturing()(event, context)


@functools.cache
def _capturing() -> Capturing:
    open_ = functools.partial(open_ec2, patience=IN_A_FUNCTION)
    return Capturing(SETTINGS, S3(patience=IN_A_FUNCTION), open_)
