"""``vpcflow generate --template``, and the templates that come with vpcflow."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from commands import Outcome, Vpcflow
from moto_server import moto_server

from vpcflow.aws.clients import client
from vpcflow.generate.scenario import LAYOUTS

KDG = Path(__file__).parents[2] / "deploy" / "kdg"
TEMPLATES = sorted(KDG.glob("*.txt"))
VALUES = {
    "ACCOUNT_ID": "123456789012",
    "ENI_ID": "eni-0a1b2c3d4e5f60718",
    "VPC_ID": "vpc-0a1b2c3d4e5f60718",
    "SUBNET_ID": "subnet-0a1b2c3d4e5f60718",
    "INSTANCE_ID": "i-0a1b2c3d4e5f60718",
}
AT = ("--seed", "1", "--start", "2026-01-31T12:00:00Z")


def lines_of(vpcflow: Vpcflow, template: Path, count: int) -> bytes:
    names = re.findall(r"<<(\w+)>>", template.read_text())
    values = [word for name in set(names) for word in ("--set", f"{name}={VALUES[name]}")]
    made = vpcflow("generate", "--template", template, "--count", str(count), *AT, *values)
    assert made.status == 0
    return made.out


def parsed(vpcflow: Vpcflow, template: Path, count: int = 500) -> Outcome:
    version = re.match(r"v(\d+)", template.name)
    layout = LAYOUTS[version[0]] if version else ()
    return vpcflow(
        "parse", "--log-format", " ".join(layout), given=lines_of(vpcflow, template, count)
    )


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_is_one_line(template: Path) -> None:
    text = template.read_text()

    assert text.endswith("\n") and text.count("\n") == 1


@pytest.mark.parametrize(
    "template",
    [path for path in TEMPLATES if "rejects" not in path.name],
    ids=lambda path: path.name,
)
def test_what_a_template_makes_are_flow_records(vpcflow: Vpcflow, template: Path) -> None:
    found = parsed(vpcflow, template)

    assert found.status == 0
    assert len(found.documents) == 500
    assert {flow["interface_id"] for flow in found.documents} == {VALUES["ENI_ID"]}


def test_the_layout_of_version_5_is_told_as_it_is() -> None:
    told = (KDG / "README.md").read_text()

    assert " ".join(f"${{{name}}}" for name in LAYOUTS["v5"]) in told


def test_every_template_is_told_of() -> None:
    told = re.findall(r"\]\((\S+\.txt)\)", (KDG / "README.md").read_text())

    assert sorted(told) == [path.name for path in TEMPLATES]


def test_the_template_of_rejects_makes_both_kinds(vpcflow: Vpcflow) -> None:
    found = parsed(vpcflow, KDG / "v2-rejects.txt")

    assert found.status == 3
    assert 350 < len(found.documents) < 450
    assert "too_few_fields" in found.err and "bad_number" in found.err


def test_the_template_without_data_makes_every_log_status(vpcflow: Vpcflow) -> None:
    found = parsed(vpcflow, KDG / "v2-nodata.txt")

    assert {flow["log_status"] for flow in found.documents} == {"OK", "NODATA", "SKIPDATA"}


def test_ipv6_is_ipv6(vpcflow: Vpcflow) -> None:
    found = parsed(vpcflow, KDG / "v2-ipv6.txt")

    assert all(str(flow["srcaddr"]).startswith("2001:db8:") for flow in found.documents)


def test_times_go_on_with_the_rate(vpcflow: Vpcflow) -> None:
    made = vpcflow(
        "generate", "--template", '{{date.now("X")}}', "--count", "5", "--rate", "2",
        "--start", "2026-01-31T12:00:00Z",
    )  # fmt: skip

    assert made.out.split() == [b"1769860800"] * 2 + [b"1769860801"] * 2 + [b"1769860802"]
    assert re.match(r"5 records in [\d.]+ s", made.err)


def test_without_a_rate_it_is_fifty_a_second(vpcflow: Vpcflow) -> None:
    made = vpcflow("generate", "--template", "{{random.uuid}}", "--seconds", "3", *AT)

    assert len(set(made.out.split())) == 150


def test_the_same_seed_makes_the_same_file(vpcflow: Vpcflow, tmp_path: Path) -> None:
    for name in ("one.log.gz", "two.log.gz"):
        vpcflow("generate", "--template", "{{internet.ip}} x", "--count", "50", *AT, "--to", name)

    files = [(tmp_path / name).read_bytes() for name in ("one.log.gz", "two.log.gz")]
    assert files[0] == files[1]
    assert gzip.decompress(files[0]).count(b"\n") == 50


def test_without_a_seed_each_run_is_another(vpcflow: Vpcflow) -> None:
    made = {
        vpcflow("generate", "--template", "{{random.uuid}}", "--count", "1").out for _ in range(2)
    }

    assert len(made) == 2


@pytest.mark.integration
def test_records_go_to_a_stream(vpcflow: Vpcflow, monkeypatch: pytest.MonkeyPatch) -> None:
    with moto_server() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            monkeypatch.setenv(name, value)
        client("s3").create_bucket(Bucket="flows")
        client("firehose").create_delivery_stream(
            DeliveryStreamName="flows",
            ExtendedS3DestinationConfiguration={
                "BucketARN": "arn:aws:s3:::flows",
                "RoleARN": "arn:aws:iam::123456789012:role/firehose",
            },
        )

        made = vpcflow(
            "generate",
            "--template",
            "{{internet.ip}} x",
            "--count",
            "600",
            "--to",
            "firehose://flows",
        )

        keys = [one["Key"] for one in client("s3").list_objects_v2(Bucket="flows")["Contents"]]
        bodies = [client("s3").get_object(Bucket="flows", Key=key)["Body"].read() for key in keys]
        assert (made.status, made.out) == (0, b"")
        assert b"".join(bodies).count(b" x\n") == 600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--template", "x {{internet.ip"], "not in balance"),
        (["--template", "<<ENI_ID>>", "--count", "1"], "<<ENI_ID>>: give --set ENI_ID="),
        (["--template", "<<A>>", "--set", "A", "--count", "1"], "--set 'A': write NAME=VALUE"),
        (["--template", "missing.txt", "--count", "1"], "no template file 'missing.txt'"),
        (["--template", "{{random.word}}"], "give --count N, or --seconds S"),
        (["--template", "x", "--minutes", "3", "--truth"], "--minutes, --truth: go without --template"),
        (["--template", "x", "--simulate", "company"], "--simulate: go without --template"),
        (["--template", "{{random.word}}", "--count", "1", "--to", "s3://b/k"], "go to a file or to firehose://NAME"),
        (["--count", "5", "--set", "A=1"], "--count, --set: go with --template"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_wrong_usage(
    vpcflow: Vpcflow, arguments: list[str], said: str
) -> None:
    made = vpcflow("generate", *arguments)

    assert (made.status, made.out) == (2, b"")
    assert said in made.err
