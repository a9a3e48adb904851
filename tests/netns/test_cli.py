# SPDX-License-Identifier: MIT
"""test_cli.py - both programs as a person or a script meets them

    r  198.18.0.1      (for what needs a running router; most of this file needs no network at all)
"""

import base64
import json
import os
import re
import shutil
import subprocess

import pytest

from lab import BUILD, PORT, ROUTER4, Lab

PROGRAMS = ["sixtap-router", "sixtap-client"]
KEY = base64.b64encode(bytes(range(1, 33))).decode()


def run(program, *args, stdin="", cwd=None):
    return subprocess.run([os.path.join(BUILD, program), *args], input=stdin, capture_output=True, text=True, cwd=cwd,
                          timeout=60)


def write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_and_help(program):
    version = run(program, "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert re.fullmatch(program + r" \d+\.\d+\.\d+\n"
                        r"AES-256-GCM: \w.*\nChaCha20-Poly1305: \w.*\n", version.stdout), "who does the ciphers here"
    for word in ("--help", "-h", "help"):
        text = run(program, word)
        assert text.returncode == 0
        for command in ("run", "check", "status", "keygen", "pubkey"):
            assert re.search(rf"^  {command}\b", text.stdout, re.M)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("args,code,word", [
    ([], 64, "command"),
    (["rnu"], 64, "did you mean run"),
    (["run", "--jsno"], 64, "--jsno"),
    (["status", "--jsno"], 64, "did you mean --json"),
    (["check", "-c"], 64, "needs a value"),
    (["keygen", "-c", "x"], 64, "no option of this command"),
    (["check", "-c", "/nonexistent/x.yaml"], 78, "/nonexistent/x.yaml"),
    (["run", "-c", "/nonexistent/x.yaml"], 78, "/nonexistent/x.yaml"),
    (["status", "--control", "@sixtap-nobody-is-here"], 69, "sixtap-nobody-is-here"),
])
def test_wrong_usage(program, args, code, word):
    got = run(program, *args)
    assert got.returncode == code, got.stderr
    assert got.stdout == ""
    assert word in got.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_keys(program):
    private = run(program, "keygen").stdout
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", private)
    assert private != run(program, "keygen").stdout
    public = run(program, "pubkey", stdin=private)
    assert public.returncode == 0
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", public.stdout)
    for other in PROGRAMS:
        assert run(other, "pubkey", stdin=private).stdout == public.stdout
    piped = subprocess.run(f"{BUILD}/{program} keygen | {BUILD}/{program} pubkey", shell=True, capture_output=True,
                           text=True, check=True)
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", piped.stdout)
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", run(program, "keygen", "--psk").stdout)


def test_pubkey_of_a_published_key():
    """RFC 7748 6.1: Alice."""
    private = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    got = run("sixtap-router", "pubkey", stdin=base64.b64encode(private).decode() + "\n")
    assert base64.b64decode(got.stdout) == public


@pytest.mark.parametrize("text", ["", "\n", "abc\n", KEY[:-1], KEY + KEY, "!" * 44, "A" * 100000],
                         ids=["empty", "newline", "short", "cut", "twice", "no-base64", "endless"])
def test_pubkey_refuses(text):
    got = run("sixtap-client", "pubkey", stdin=text)
    assert got.returncode == 65
    assert got.stdout == ""
    assert len(got.stderr.strip()) > 10


def minimal(tmp_path):
    for name in ("router", "client"):
        write(tmp_path / f"{name}.key", run("sixtap-router", "keygen").stdout)
    write(tmp_path / "router.yaml", "listen: 198.18.0.1:6464\nprivate_key_file: router.key\nprefix: 2001:db8:1::/64\n"
          "addressing: stable        # or eui64\nuplink: { mode: routed, device: sixtap0 }\nclients:\n"
          f"  - {{ name: alice, public_key: {KEY} }}\n")
    write(tmp_path / "client.yaml", f"router: 198.18.0.1:6464\nrouter_key: {KEY}\nprivate_key_file: client.key\n"
          "device: tap6\n")


def test_minimal_files_are_fine_from_anywhere(tmp_path):
    """File names are relative to the file, not to where the command was typed."""
    minimal(tmp_path)
    for program, name in (("sixtap-router", "router.yaml"), ("sixtap-client", "client.yaml")):
        for cwd, path in ((tmp_path, name), ("/", str(tmp_path / name))):
            got = run(program, "check", "-c", path, cwd=cwd)
            # what this host lacks is told, but is no fault of the file
            said = [line for line in got.stderr.splitlines() if not line.startswith("this host")]
            assert (got.returncode, got.stdout, said) == (0, f"{path}: ok\n", [])


def own_key(tmp_path):
    return run("sixtap-router", "pubkey", stdin=(tmp_path / "router.key").read_text()).stdout.strip()


# what is written in place of the first line that begins with the key; the line it is reported for; words of the report
REFUSED = [
    ("router", "listen: 198.18.0.1:80x", 1, ["80x", "1..65535"]),
    ("router", "listen: 198.18.0.1:65536", 1, ["65536", "1..65535"]),
    ("router", "listen: 0.0.0.0:6464", 1, ["public_address"]),
    ("router", "prefix: 2001:db8:1::5/64", 3, ["2001:db8:1::5/64", "2001:db8:1::/64"]),
    ("router", "prefix: 2001:db8:1::/129", 3, ["129"]),
    ("router", "prefix: [1]", 3, ["prefix"]),
    ("router", "addressing: stabel", 4, ["stabel", "stable", "eui64"]),
    ("router", "addresing: stable", 4, ["addresing", "addressing"]),
    ("router", "uplink: { mode: rooted, device: sixtap0 }", 5, ["rooted", "routed"]),
    ("router", "uplink: { mode: routed, device: averyveryverylongname }", 5, ["averyveryverylongname"]),
    ("router", "prefix: *segment", 3, ["alias"]),
    ("router", "private_key_file: nowhere.key", 2, ["nowhere.key"]),
    ("client", "router: 198.18.0.1:80x", 1, ["80x"]),
    ("client", "router_key: short=", 2, ["short="]),
    ("client", "device: a/b", 4, ["a/b"]),
    ("client", "device: tap6\nport: 0", 5, ["0", "1..65535"]),
    ("client", "device: tap6\nport: 80x", 5, ["80x", "1..65535"]),
    ("client", "device: tap6\nmtu: 1279", 5, ["1279", "1280..9000"]),
    ("client", "device: tap6\ndevice: tap7", 5, ["device"]),
    ("client", "device: tap6\nkeepalive: 4", 5, ["4", "5..120"]),
    ("client", "device: tap6\nconfigure: dhcp", 5, ["dhcp", "netlink", "ra"]),
]


@pytest.mark.parametrize("which,line,number,words", REFUSED, ids=[f"{w}:{t}" for w, t, _, _ in REFUSED])
def test_refusals_name_file_line_word_and_what_is_allowed(tmp_path, which, line, number, words):
    minimal(tmp_path)
    path = tmp_path / f"{which}.yaml"
    lines = path.read_text().split("\n")
    lines[number - 1 - line.count("\n")] = line
    path.write_text("\n".join(lines))
    for command in ("check", "run"):
        got = run(f"sixtap-{which}", command, "-c", str(path))
        assert got.returncode == 78, got.stderr
        said = [s for s in got.stderr.splitlines() if s.startswith(f"{path}:{number}:")]
        assert said, got.stderr
        for word in words:
            assert word in " ".join(said)


def test_all_problems_in_one_run(tmp_path):
    minimal(tmp_path)
    path = tmp_path / "router.yaml"
    text = path.read_text().replace(":6464", ":80x").replace("1::/64", "1::1/64").replace("stable ", "stabel ")
    path.write_text(text)
    got = run("sixtap-router", "check", "-c", str(path))
    assert got.returncode == 78
    for number in (1, 3, 4):
        assert re.search(rf"^{re.escape(str(path))}:{number}:\d+: ", got.stderr, re.M), got.stderr


def test_eui64_needs_a_64(tmp_path):
    minimal(tmp_path)
    path = tmp_path / "router.yaml"
    path.write_text(path.read_text().replace("1::/64", "1::/80").replace("stable ", "eui64 "))
    got = run("sixtap-router", "check", "-c", str(path))
    assert got.returncode == 78
    assert "/64" in got.stderr and "eui64" in got.stderr


def test_routers_own_key_is_no_client(tmp_path):
    minimal(tmp_path)
    path = tmp_path / "router.yaml"
    path.write_text(path.read_text().replace(KEY, own_key(tmp_path)))
    got = run("sixtap-router", "check", "-c", str(path))
    assert got.returncode == 78
    assert f"{path}:7:" in got.stderr and "own" in got.stderr


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_key_file_others_can_read(tmp_path, mode):
    minimal(tmp_path)
    private = (tmp_path / "router.key").read_text().strip()
    (tmp_path / "router.key").chmod(mode)
    got = run("sixtap-router", "check", "-c", str(tmp_path / "router.yaml"))
    assert got.returncode == 78
    assert f"{tmp_path}/router.yaml:2:" in got.stderr and "router.key" in got.stderr
    assert private not in got.stderr


def test_running_daemon(tmp_path):
    with Lab() as lab:
        router = lab.router(clients=["a"])
        status = router.status()
        assert status["program"] == "sixtap-router"
        assert status["endpoint"] == f"{ROUTER4}:{PORT}"
        assert status["public_key"] == lab.key("router")
        assert status["members"] == []
        assert all(isinstance(n, int) for n in status["drops"].values())
        text = lab.r.run(router.program, "status", "-c", router.conf).stdout
        assert f"{ROUTER4}:{PORT}" in text
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)
        by_name = lab.r.run(router.program, "status", "--json", "--control", "@sixtap-router-sixtap0").stdout
        assert json.loads(by_name)["public_key"] == lab.key("router")
        second = lab.r.run(router.program, "run", "-c", router.conf, check=False)
        assert second.returncode == 71, "two routers on one port"
        assert "198.18.0.1:6464" in second.stderr
        assert router.stop() == 0
        gone = lab.r.run(router.program, "status", "-c", router.conf, check=False)
        assert gone.returncode == 69
        for key in ("router", "a"):
            with open(os.path.join(lab.dir, key + ".key"), encoding="ascii") as f:
                assert f.read().strip() not in router.log(), "private keys are in no log"


def test_client_without_permission(tmp_path):
    """One line that names the need, not a stack of errors."""
    minimal(tmp_path)
    got = subprocess.run(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                          os.path.join(BUILD, "sixtap-client"), "run", "-c", str(tmp_path / "client.yaml")],
                         capture_output=True, text=True, timeout=60)
    assert got.returncode != 0
    assert "CAP_NET_ADMIN" in got.stderr


def keys_of(schema):
    """Names of all keys, those of maps and lists too."""
    for name, value in schema["properties"].items():
        yield name
        inner = value.get("items", value)
        if "properties" in inner:
            yield from keys_of(inner)


@pytest.mark.parametrize("program", PROGRAMS)
def test_manual_and_schema_hold_every_key(program):
    """The three are made from one table; the shipped file is held equal to it by tests/router and tests/client."""
    schema = json.loads(run(program, "schema").stdout)
    keys = sorted(keys_of(schema))
    assert schema["additionalProperties"] is False
    assert len(keys) > 15
    page = run(program, "man", "5").stdout
    assert sorted(re.findall(r"^\.It Cm (\S+)$", page, re.M)) == keys
    name = program.split("-")[1]
    with open(os.path.join(os.path.dirname(__file__), "../../conf", name + ".yaml"), encoding="utf-8") as f:
        shipped = f.read()
    for key in keys:
        assert re.search(rf"\b{key}\b", shipped), key
    assert run(program, "man", "7").returncode == 64


@pytest.mark.parametrize("program", PROGRAMS)
def test_manual_names_commands_and_options_of_the_help(program):
    text, page = run(program, "--help").stdout, run(program, "man", "8").stdout
    commands = re.findall(r"^  ([a-z]+)(?: [A-Z]+)? {2,}", text.split("\nOptions:")[0], re.M)
    assert "run" in commands and "man" in commands
    for command in commands:
        assert re.search(rf"^\.It Cm {command}\b", page, re.M), command
    for option in re.findall(r" --([a-z-]+)", text.split("\nOptions:")[1].split("First steps")[0]):
        assert f"Fl -{option}" in page, option


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("section", ["5", "8"])
def test_manual_is_clean(program, section, tmp_path):
    page = tmp_path / f"page.{section}"
    page.write_text(run(program, "man", section).stdout)
    got = subprocess.run(["mandoc", "-Tlint", str(page)], capture_output=True, text=True, check=False)
    wrong = [s for s in got.stdout.splitlines() if "referenced manual not found" not in s]
    assert wrong == []
