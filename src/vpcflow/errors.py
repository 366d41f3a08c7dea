"""
What vpcflow raises. A bad record is never an exception: it is a reject, counted by reason (``codes.REJECT_REASONS``).

::

    VpcflowError
    ├── FormatError        a log format, header or option value that makes no sense
    ├── SourceError        an input that cannot be read (further)
    ├── InventoryError     an inventory that cannot be loaded
    ├── ReferenceDataError a geolocation database, address range or network file that cannot be used
    ├── SinkError          an output that cannot be written
    ├── AwsError           a call to AWS that was refused, or found no answer
    ├── SettingsError      an environment variable of a Lambda function that makes no sense
    └── BooksError         records found and records accounted for differ: a defect of ours
"""

__all__ = [
    "AwsError",
    "BooksError",
    "FormatError",
    "InventoryError",
    "ReferenceDataError",
    "SettingsError",
    "SinkError",
    "SourceError",
    "VpcflowError",
]


class VpcflowError(Exception):
    """The root of all errors a caller may want to catch; its text says what, where and what to do."""


class FormatError(VpcflowError):
    """A log format, header line or option value makes no sense."""


class SourceError(VpcflowError):
    """An input cannot be read, or not any further."""


class InventoryError(VpcflowError):
    """An inventory file or directory cannot be loaded."""


class ReferenceDataError(VpcflowError):
    """A geolocation database, address range or network file cannot be used."""


class SinkError(VpcflowError):
    """An output cannot be written."""


class AwsError(VpcflowError):
    """
    A call to AWS was refused, or found no answer.

    ``code`` is AWS's error code or the name of the SDK's exception; ``permanent`` tells that no retry can mend it.
    """

    def __init__(self, text: str, *, code: str, permanent: bool) -> None:
        super().__init__(text)
        self.code = code
        self.permanent = permanent


class SettingsError(VpcflowError):
    """A Lambda function's environment makes no sense; the text names each variable and what it may be."""


class BooksError(VpcflowError):
    """The books do not balance: records found are not all accounted for."""
