"""
AWS as far as the functions ask it, on a loopback port: every call is remembered, as the permission it needs.

What it answers is the least that boto3 takes; an account here has one network interface and nothing else.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from xml.sax.saxutils import escape

INTERFACE_ID = "eni-0a1b2c3d4e5f60718"
INTERFACE_ADDRESS = "10.0.1.24"
GROUP_ID = "sg-0a1b2c3d4e5f60718"

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_EC2_LISTS = {
    "DescribeFlowLogs": "flowLogSet",
    "DescribeInstances": "reservationSet",
    "DescribeManagedPrefixLists": "prefixListSet",
    "DescribeNetworkAcls": "networkAclSet",
    "DescribeNetworkInterfaces": "networkInterfaceSet",
    "DescribeSecurityGroupRules": "securityGroupRuleSet",
    "DescribeSecurityGroupVpcAssociations": "securityGroupVpcAssociationSet",
    "DescribeSecurityGroups": "securityGroupInfo",
    "DescribeSubnets": "subnetSet",
    "DescribeTransitGatewayVpcAttachments": "transitGatewayVpcAttachments",
    "DescribeTransitGateways": "transitGatewaySet",
    "DescribeVpcPeeringConnections": "vpcPeeringConnectionSet",
    "DescribeVpcs": "vpcSet",
    "GetManagedPrefixListEntries": "entrySet",
}
_INTERFACE = f"""<item><networkInterfaceId>{INTERFACE_ID}</networkInterfaceId><ownerId>123456789012</ownerId>
<vpcId>vpc-0a1b2c3d4e5f60718</vpcId><subnetId>subnet-0a1b2c3d4e5f60718</subnetId><interfaceType>interface</interfaceType>
<privateIpAddress>{INTERFACE_ADDRESS}</privateIpAddress>
<groupSet><item><groupId>{GROUP_ID}</groupId><groupName>web</groupName></item></groupSet>
<privateIpAddressesSet><item><privateIpAddress>{INTERFACE_ADDRESS}</privateIpAddress><primary>true</primary></item>
</privateIpAddressesSet></item>"""
_PREFIX_LIST = """<item><prefixListId>pl-0a1b2c3d4e5f60718</prefixListId><prefixListName>offices</prefixListName>
<addressFamily>IPv4</addressFamily><ownerId>123456789012</ownerId><version>1</version></item>"""


class Call(NamedTuple):
    """A call: the permission it needs, and what it is about: an object, a stream, a parameter, a role."""

    action: str
    resource: str


class Aws(ThreadingHTTPServer):
    """``objects`` are those of S3, by bucket/key; ``records`` are those put on streams and in indexes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[Call] = []
        self.objects: dict[str, bytes] = {}
        self.records: list[bytes] = []
        self.refused: set[str] = set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent about a process that was ended in the middle of a connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def environment(self) -> dict[str, str]:
        """What leads the SDK here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def running_aws() -> Iterator[Aws]:
    with Aws() as aws:
        thread = threading.Thread(target=aws.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield aws
        finally:
            aws.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Aws
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        match = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        service = match[2] if match else "nobody"
        self._answer(*getattr(self, f"_{service}")(body))

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        size, _, rest = body.partition(b"\r\n")
        return rest[: int(size.partition(b";")[0], 16)]

    def _call(self, action: str, resource: str) -> bool:
        self.server.calls.append(Call(action, resource))
        return action not in self.server.refused

    def _firehose(self, body: bytes) -> tuple[int, str, bytes]:
        given = json.loads(body)
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        if not self._call(f"firehose:{operation}", given["DeliveryStreamName"]):
            return 400, "application/x-amz-json-1.1", b'{"__type":"AccessDeniedException"}'
        self.server.records += [record["Data"].encode() for record in given["Records"]]
        taken = [{"RecordId": str(i)} for i in range(len(given["Records"]))]
        answer = {"FailedPutCount": 0, "RequestResponses": taken}
        return 200, "application/x-amz-json-1.1", json.dumps(answer).encode()

    def _ssm(self, body: bytes) -> tuple[int, str, bytes]:
        given = json.loads(body)
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self._call(f"ssm:{operation}", given["Name"])
        if given.get("WithDecryption"):
            # Parameter Store decrypts as the caller.
            self._call("kms:Decrypt", given["Name"])
        parameter = {"Name": given["Name"], "Type": "SecureString", "Value": "k", "Version": 1}
        return 200, "application/x-amz-json-1.1", json.dumps({"Parameter": parameter}).encode()

    def _ec2(self, body: bytes) -> tuple[int, str, bytes]:
        given = dict(urllib.parse.parse_qsl(body.decode()))
        operation = given["Action"]
        self._call(f"ec2:{operation}", "*")
        items = {
            "DescribeNetworkInterfaces": _INTERFACE,
            "DescribeManagedPrefixLists": _PREFIX_LIST,
        }.get(operation, "")
        listed = _EC2_LISTS[operation]
        text = f"<{operation}Response><{listed}>{items}</{listed}></{operation}Response>"
        return 200, "text/xml", text.encode()

    def _sts(self, body: bytes) -> tuple[int, str, bytes]:
        given = dict(urllib.parse.parse_qsl(body.decode()))
        operation = given["Action"]
        if operation == "AssumeRole":
            self._call("sts:AssumeRole", given["RoleArn"])
            inner = (
                "<Credentials><AccessKeyId>AKIDOTHER</AccessKeyId><SecretAccessKey>none</SecretAccessKey>"
                "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
                "<AssumedRoleUser><Arn>a</Arn><AssumedRoleId>i</AssumedRoleId></AssumedRoleUser>"
            )
        else:
            # Everybody may ask who they are.
            inner = "<Account>123456789012</Account><Arn>a</Arn><UserId>u</UserId>"
        text = f"<{operation}Response><{operation}Result>{inner}</{operation}Result></{operation}Response>"
        return 200, "text/xml", text.encode()

    def _s3(self, body: bytes) -> tuple[int, str, bytes]:
        path, _, query = self.path.partition("?")
        name = urllib.parse.unquote(path).lstrip("/")
        given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        bucket, _, key = name.partition("/")
        if self.command in ("GET", "HEAD") and not key:
            self._call("s3:ListBucket", f"{bucket}/{given.get('prefix', '')}")
            return 200, "application/xml", self._listing(bucket, given).encode()
        if self.command in ("GET", "HEAD"):
            self._call("s3:GetObject", name)
            if name not in self.server.objects:
                # Only who may list a bucket hears that an object is not there; others hear that they may not.
                self._call("s3:ListBucket", name)
                return 404, "application/xml", b"<Error><Code>NoSuchKey</Code></Error>"
            return 200, "application/octet-stream", self.server.objects[name]
        if self.command == "DELETE":
            action = "s3:AbortMultipartUpload" if "uploadId" in given else "s3:DeleteObject"
            self._call(action, name)
            return 204, "application/xml", b""
        self._call("s3:PutObject", name)
        if "uploads" in given:
            text = (
                f"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
                "<UploadId>1</UploadId></InitiateMultipartUploadResult>"
            )
            return 200, "application/xml", text.encode()
        if "uploadId" in given and self.command == "POST":
            return (
                200,
                "application/xml",
                b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
            )
        self.server.objects[name] = (
            self.server.objects.get(name, b"") + body if "partNumber" in given else body
        )
        return 200, "application/xml", b""

    def _listing(self, bucket: str, given: dict[str, str]) -> str:
        prefix, after = given.get("prefix", ""), given.get("start-after", "")
        found = sorted(
            name.removeprefix(f"{bucket}/")
            for name in self.server.objects
            if name.startswith(f"{bucket}/{prefix}") and name.removeprefix(f"{bucket}/") > after
        )
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server.objects[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2026-01-15T09:00:00.000Z</LastModified><ETag>e</ETag></Contents>"
            for key in found
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>"

    def _es(self, body: bytes) -> tuple[int, str, bytes]:
        # A domain is told by its host, of which there is one here.
        self._call(f"es:ESHttp{self.command.title()}", f"opensearchdomain{self.path}")
        if "_bulk" not in self.path:
            return 200, "application/json", b"{}"
        documents = gzip.decompress(body).splitlines()[1::2]
        self.server.records += documents
        answer = {"errors": False, "items": [{"index": {"status": 201}} for _ in documents]}
        return 200, "application/json", json.dumps(answer).encode()

    def _aoss(self, body: bytes) -> tuple[int, str, bytes]:
        self._call("aoss:APIAccessAll", self.path)
        return 200, "application/json", b"{}"

    def _nobody(self, body: bytes) -> tuple[int, str, bytes]:
        """Take what is not signed: an answer to CloudFormation."""
        self.server.objects["answer"] = body
        return 200, "application/json", b"{}"

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
