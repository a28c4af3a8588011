"""Flags parse as docker's do: clusters, values, `--`, and the texts of mistakes (recorded from docker 28.2)."""

import pytest

from hakobu.cli import kind
from hakobu.cli.command.ps import PS
from hakobu.cli.command.run import RUN
from hakobu.cli.failure import BadArguments, BadFlags, HelpWanted
from hakobu.cli.flag import parse_command, parse_flags


def test_clusters_values_and_the_end_of_flags():
    values, arguments = parse_command(RUN, ["-itp80:80", "-e", "A=b", "--name=x", "--rm", "bb", "ls", "-l", "--", "x"])
    assert values.on("interactive") and values.on("tty") and values.on("rm")
    assert values.texts("publish") == ["80:80"]
    assert (values.texts("env"), values.text("name")) == (["A=b"], "x")
    assert arguments == ["bb", "ls", "-l", "--", "x"]


def test_flags_may_follow_arguments_where_none_are_passed_on():
    _, arguments = parse_flags(PS.flags, ["a", "-q", "b", "--", "-x"])
    assert arguments == ["a", "b", "-x"]


def test_old_spellings():
    values, _ = parse_command(RUN, ["--net", "n", "--dns-opt", "x", "bb"])
    assert values.texts("dns-option") == ["x"]
    assert "network" in values.given


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--foo"], "unknown flag: --foo"),
        (["-Z"], "unknown shorthand flag: 'Z' in -Z"),
        (["-m"], "flag needs an argument: 'm' in -m"),
        (["--name"], "flag needs an argument: --name"),
        (["--memory", "abc", "bb"], 'invalid argument "abc" for "-m, --memory" flag: invalid size: \'abc\''),
        (["--cpus", "x"], 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'),
        (
            ["--rm=maybe"],
            'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            ["--blkio-weight", "70000"],
            'invalid argument "70000" for "--blkio-weight" flag: '
            'strconv.ParseUint: parsing "70000": value out of range',
        ),
        (["--health-interval", "x"], 'invalid argument "x" for "--health-interval" flag: time: invalid duration "x"'),
        (["-a", "foo"], 'invalid argument "foo" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR'),
        (["--ulimit", "foo"], 'invalid argument "foo" for "--ulimit" flag: invalid ulimit argument: foo'),
        (["--sysctl", "a"], 'invalid argument "a" for "--sysctl" flag: sysctl \'a\' is not allowed'),
        (["--add-host", "x"], 'invalid argument "x" for "--add-host" flag: bad format for add-host: "x"'),
        (["--dns", "x"], 'invalid argument "x" for "--dns" flag: IP address is not correctly formatted: x'),
        (["--network", "a=b"], 'invalid argument "a=b" for "--network" flag: invalid field key a'),
        (["--mount", "type=foo"], 'invalid argument "type=foo" for "--mount" flag: target is required'),
        (["--shm-size", "-1"], 'invalid argument "-1" for "--shm-size" flag: invalid size: \'-1\''),
    ],
)
def test_mistakes_have_dockers_words(argv, message):
    with pytest.raises(BadFlags) as caught:
        parse_command(RUN, argv)
    assert caught.value.message == message


def test_numbers_of_arguments():
    with pytest.raises(BadArguments, match="requires at least 1 argument"):
        parse_command(RUN, [])
    with pytest.raises(BadArguments, match="accepts no arguments"):
        parse_command(PS, ["x"])
    with pytest.raises(HelpWanted):
        parse_command(PS, ["--help"])


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("10", 10),
        ("1k", 1024),
        ("1.5m", 1572864),
        ("2GiB", 2 << 30),
        ("3kb", 3072),
        ("7b", 7),
        ("1T", 1 << 40),
    ],
)
def test_bytes(text, size):
    assert kind.parse_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("0", 0), ("1s", 10**9), ("1h30m", 5400 * 10**9), ("1.5s", 15 * 10**8), ("-2ms", -2000000)],
)
def test_durations(text, nanoseconds):
    assert kind.parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "s", "1", "1x", "1h x", "--1s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError):
        kind.parse_duration(text)


def test_cpus_are_exact():
    assert kind.parse_cpus("1.5") == 1500000000
    with pytest.raises(ValueError, match="too precise"):
        kind.parse_cpus("0.0000000001")
