"""
The transformation of a Firehose stream: an event of records to a response, no call but through what it is given.

The lines of all records become one batch of columns; the documents are cut apart again at the end, and each record's
are found by the numbers of its lines. Every record is answered exactly once, in order.
"""

from vpcflow.transform.answer import Firehose
from vpcflow.transform.requeue import Requeue
from vpcflow.transform.shed import SHED_NAMES, SHED_ORDER
from vpcflow.transform.transformation import References, Transformation, Transformed

__all__ = [
    "SHED_NAMES",
    "SHED_ORDER",
    "Firehose",
    "References",
    "Requeue",
    "Transformation",
    "Transformed",
]
