"""
What the functions take from their environment: one table, ``SETTINGS``, from which all is read and documented.

Names and defaults are a contract. The first three are those of aws-vpc-flow-log-appender.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from vpcflow.errors import SettingsError, VpcflowError
from vpcflow.layout import parse_log_format
from vpcflow.object_store import ObjectUrl, parse_object_url
from vpcflow.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FUNCTIONS = ("ingestor", "decorator", "objects", "inventory")
LOG_STATUSES = ("OK", "NODATA", "SKIPDATA")
ACTIONS = ("ACCEPT", "REJECT")


class Setting(NamedTuple):
    """
    One environment variable: its name, the functions that read it, its default as text, how it is read, what it is.

    An empty variable counts as not set. ``read`` raises ``ValueError`` saying what the value may be.
    """

    name: str
    functions: tuple[str, ...]
    default: str
    read: Callable[[str], Any]
    help: str


class Settings:
    """The settings of one function, by lower-case name: ``settings.response_limit_bytes``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = MappingProxyType(dict(values))

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None


def load_settings(function: str, environ: Mapping[str, str]) -> Settings:
    """
    Read the settings of a function; raises ``SettingsError``, one line that names each wrong variable.

    >>> load_settings("ingestor", {"DELIVERY_STREAM_NAME": "flows"}).raw_lines
    False
    """
    values, wrong = {}, []
    for setting in SETTINGS:
        if function not in setting.functions:
            continue
        given = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.name.lower()] = setting.read(given)
        except (ValueError, VpcflowError) as error:
            wrong.append(f"{setting.name}={given!r}: {error}")
    if wrong:
        raise SettingsError("; ".join(wrong))
    return Settings(values)


def _text(value: str) -> str | None:
    return value or None


def _required(value: str) -> str:
    if not value:
        raise ValueError("must be set")
    return value


def _flag(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("may be true or false")
    return value.lower() == "true"


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"may be a whole number from {least} to {most}")
        return int(value)

    return read


def _one_of(*known: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in known:
            raise ValueError(f"may be {', '.join(known)}")
        return value

    return read


def _some_of(*known: str) -> Callable[[str], frozenset[str]]:
    def read(value: str) -> frozenset[str]:
        words = frozenset(_words(value))
        if not words or not words <= set(known):
            raise ValueError(f"may be some of {', '.join(known)}, divided by commas")
        return words

    return read


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _object_folder(value: str) -> ObjectUrl:
    place = parse_object_url(_required(value))
    return place._replace(key=place.folder)


def _layouts(value: str) -> tuple[Any, ...]:
    return (parse_log_format(value),) if value else ()


_ENRICHING = ("decorator", "objects")
_ANY_S = _number(0, 31_536_000)

SETTINGS: tuple[Setting, ...] = (
    Setting("DELIVERY_STREAM_NAME", ("ingestor", *_ENRICHING), "", _text,
            "Firehose stream that flow lines are put on. The ingestor, and `objects` with the output `firehose`, need it;"
            " the decorator puts lines back on it, and takes the stream that invokes it where this is not set."),
    Setting("GEOLOCATION_ENABLED", _ENRICHING, "false", _flag, "Whether documents get the place of public addresses, and their autonomous system where ASN_DATABASE is set."),
    Setting("GEOLOCATION_API_KEY_NAME", _ENRICHING, "ipstack-api-key", _text,
            "Name of the SecureString in Parameter Store that holds ipstack's key."),
    Setting("GEOLOCATION_PROVIDER", _ENRICHING, "auto", _one_of("auto", "mmdb", "ipstack"),
            "Who knows places: `mmdb` needs GEO_DATABASE; `auto` is `mmdb` where GEO_DATABASE is set, else `ipstack`."),
    Setting("GEO_DATABASE", _ENRICHING, "", _text, "MMDB file of places: a path or an `s3://` address."),
    Setting("ASN_DATABASE", _ENRICHING, "", _text, "MMDB file of autonomous systems: a path or an `s3://` address; GEOLOCATION_ENABLED is for it too."),
    Setting("GEO_CACHE_S", _ENRICHING, "86400", _ANY_S,
            "Seconds for which an answer of ipstack is remembered; also how often an MMDB file in S3 is looked at anew."),
    Setting("GEO_MONTHLY_BUDGET", _ENRICHING, "10000", _number(0, 1_000_000_000),
            "Addresses that ipstack may be asked for in a calendar month (UTC). Each instance of the function spends it at the pace"
            " of the month, and a hundredth (at least 50) at once; it does not know what others spend."),
    Setting("GEO_WAIT_MS", _ENRICHING, "2000", _number(0, 60_000),
            "Milliseconds that a batch may wait for ipstack; what was not answered is blank, and looked up with a later batch."),
    Setting("GEO_BULK", _ENRICHING, "false", _flag, "Whether ipstack's plan takes 50 addresses in one request."),
    Setting("INVENTORY", _ENRICHING, "aws", _text,
            "What `--inventory` takes: a directory or file, local or `s3://`; `aws` asks EC2 and remembers the answer."),
    Setting("INVENTORY_MAX_AGE_S", _ENRICHING, "3600", _number(1, 31_536_000),
            "Seconds from a snapshot within which an answer counts as `nearest`; with INVENTORY=aws also when EC2 is asked again."),
    Setting("INVENTORY_REFRESH_S", _ENRICHING, "60", _ANY_S, "Seconds between looks for newer snapshots in S3."),
    Setting("INVENTORY_HISTORY_S", _ENRICHING, "21600", _ANY_S, "How far back snapshots in S3 are read."),
    Setting("INVENTORY_LOOK_UPS", _ENRICHING, "true", _flag,
            "Whether EC2 is asked for network interfaces that the inventory lacks."),
    Setting("INVENTORY_LOOK_UPS_PER_MINUTE", _ENRICHING, "2", _number(1, 600),
            "Most such look-ups a minute, for each instance of the function; each asks for up to 200 interfaces at once."),
    Setting("AWS_RANGES", _ENRICHING, "", _text, "AWS's `ip-ranges.json`: a path or an `s3://` address."),
    Setting("NETWORKS", _ENRICHING, "", _text, "File of named networks: a path or an `s3://` address."),
    Setting("SCHEMA", _ENRICHING, "appender", _one_of(*SCHEMAS), "Form of the documents."),
    Setting("LOG_FORMAT", ("ingestor", *_ENRICHING), "", _layouts,
            "Layout of lines without a header, as AWS shows it: `${version} ${account-id} …`. Not set: what the account's"
            " flow logs say (they come with the inventory), else AWS's default."),
    Setting("LOG_STATUSES", _ENRICHING, "OK,NODATA,SKIPDATA", _some_of(*LOG_STATUSES),
            "Records of any other log status are left out, and counted as filtered. Without one in the layout they stay."),
    Setting("ACTIONS", _ENRICHING, "ACCEPT,REJECT", _some_of(*ACTIONS),
            "Records of any other action are left out, and counted as filtered; those without one, as NODATA has none, stay."),
    Setting("RAW_LINES", ("ingestor",), "false", _flag,
            "Send bare lines, as aws-vpc-flow-log-appender did, instead of lines in an envelope."),
    Setting("ONE_DOCUMENT", ("decorator",), "false", _flag,
            "A record becomes one document at most, as a stream to OpenSearch needs; further lines go back on the stream singly."),
    Setting("RESPONSE_LIMIT_BYTES", ("decorator",), "5000000", _number(10_000, 6_200_000),
            "Bytes that the decorator's response may have; Lambda takes 6 MB."),
    Setting("MAX_ATTEMPTS", ("decorator",), "3", _number(0, 10), "How often a line may be put back on the stream."),
    Setting("OUTPUT", ("objects",), "firehose", _required,
            "Where enriched records go: `firehose`, each document a record, on a stream that has no transformation;"
            " `s3://BUCKET/PREFIX/`, as Parquet by day and hour; or `opensearch+https://HOST/NAME`, to the indexes of their"
            " days in an OpenSearch domain, signed by the function's role. The index template has to be there."),
    Setting("SNAPSHOTS", ("inventory",), "", _object_folder, "Where snapshots go: `s3://BUCKET/PREFIX/`."),
    Setting("ROLE_ARNS", ("inventory",), "", _words, "Roles to assume, divided by commas, one for each further account."),
    Setting("ROLE_EXTERNAL_ID", ("inventory",), "", _text, "External id that these roles ask for."),
    Setting("REGIONS", ("inventory",), "", _words, "Regions to ask, divided by commas; not set: the function's own."),
    Setting("SNAPSHOT_MIN_INTERVAL_S", ("inventory",), "60", _ANY_S,
            "Seconds from one snapshot within which a change event makes no other: one capture covers many changes."),
    Setting("METRICS_NAMESPACE", FUNCTIONS, "vpcflow", _required, "Namespace of the CloudWatch metrics."),
    Setting("LOG_LEVEL", FUNCTIONS, "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "Least level of log lines."),
)  # fmt: skip
