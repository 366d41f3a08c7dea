"""What goes wrong in a call to AWS, as an error of ours that says whether trying again can mend it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERMANENT_CODES = frozenset(
    "AccessDenied AccessDeniedException AuthFailure ExpiredToken ExpiredTokenException InvalidAccessKeyId"
    " InvalidAccessKeyIdException InvalidArgumentException InvalidClientTokenId InvalidKMSResourceException"
    " InvalidBucketName InvalidObjectState InvalidParameterValue InvalidSignatureException InvalidSourceException"
    " NoSuchBucket NoSuchKey OptInRequired ParameterNotFound"
    " PermanentRedirect QueueDoesNotExist ResourceNotFoundException SignatureDoesNotMatch UnauthorizedOperation"
    " UnrecognizedClientException ValidationException AWS.SimpleQueueService.NonExistentQueue 401 403 404".split()
)
_PERMANENT_KINDS = (
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)


@contextlib.contextmanager
def aws_errors(what: str) -> Iterator[None]:
    """
    Raise ``AwsError`` for what a call raises; ``what`` tells what was tried: ``put records on 'my-stream'``.

    The text is AWS's own, which names the caller, the action and the resource and never a secret.
    """
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code = str(answer.get("Code", "Unknown"))
        raise AwsError(
            f"cannot {what}: {code}: {answer.get('Message', 'no message')}",
            code=code,
            permanent=code in _PERMANENT_CODES,
        ) from error
    # An answer that is no answer of AWS's, as a proxy's page of HTML, is apart from all of botocore's other errors.
    except (BotoCoreError, ResponseParserError) as error:
        raise AwsError(
            f"cannot {what}: {error}",
            code=type(error).__name__,
            permanent=isinstance(error, _PERMANENT_KINDS),
        ) from error
