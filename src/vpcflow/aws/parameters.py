"""Secrets in Parameter Store, read with decryption and remembered for a while."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from vpcflow.aws.clients import IN_A_FUNCTION, client
from vpcflow.aws.failures import aws_errors
from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

KEEP_S = 900.0
KEEP_PERMANENT_FAILURE_S = 300.0
KEEP_FAILURE_S = 10.0


def _make_client() -> Any:
    return client("ssm", patience=IN_A_FUNCTION)


class SecretParameter:
    """
    The value of a parameter, a SecureString or another, by name: calling it gives the value or raises ``AwsError``.

    A value is asked for again after 15 minutes; where that fails for now, the old one serves on. A failure that no
    retry mends (no such parameter, access denied) is remembered for five minutes, any other for ten seconds. The client
    is made at the first call. The value is in no error, no ``repr`` and no log.
    """

    def __init__(
        self,
        name: str,
        make_client: Callable[[], Any] = _make_client,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._make_client = make_client
        self._clock = clock
        self._lock = threading.Lock()
        self._client: Any = None
        self._value: str | None = None
        self._error: AwsError | None = None
        self._ask_s = 0.0

    def __call__(self) -> str:
        with self._lock:
            if self._clock() >= self._ask_s:
                self._ask()
            if self._error is not None and (self._value is None or self._error.permanent):
                # A new one each time: one error raised again and again would hold on to every caller's frames.
                raise AwsError(
                    str(self._error), code=self._error.code, permanent=self._error.permanent
                )
            assert self._value is not None
            return self._value

    def _ask(self) -> None:
        try:
            self._value, self._error = self._read(), None
            keep_s = KEEP_S
        except AwsError as error:
            self._error = AwsError(str(error), code=error.code, permanent=error.permanent)
            keep_s = KEEP_PERMANENT_FAILURE_S if error.permanent else KEEP_FAILURE_S
        self._ask_s = self._clock() + keep_s

    def _read(self) -> str:
        if self._client is None:
            self._client = self._make_client()
        _keep_answers_out_of_the_log()
        with aws_errors(f"read the parameter {self._name!r}"):
            answer = self._client.get_parameter(Name=self._name, WithDecryption=True)
        return str(answer["Parameter"]["Value"])


def _keep_answers_out_of_the_log() -> None:
    """Let the SDK log from INFO on: at DEBUG, which a function's log level may be, it writes down what it got."""
    sdk = logging.getLogger("botocore")
    if sdk.getEffectiveLevel() < logging.INFO:
        sdk.setLevel(logging.INFO)
