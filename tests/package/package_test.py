#!/usr/bin/env python3
"""Installs the Debian packages into a bare root, as apt would on another machine, and uses them as README says.

usage: package_test.py BUILD

The root is made by debootstrap from the mirror that this machine's apt uses. In it apt finds what the packages depend on;
README's example is compiled by CMake and by pkg-config and runs; the packaged order example runs as a cluster under the
packaged program, one node of it by the command line of the unit for systemd. What was downloaded stays in BUILD/debian
for the next time. Exits with 77 where a machine does not allow all this, and says why.

Nothing else is left behind: everything in the root happens in namespaces of its own, for mounts, processes and, where the
programs run, the network. The kernel ends them with their first process, which ends with this one.
"""

import contextlib
import ctypes
import fcntl
import glob
import json
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt
IN_ORDER, DATA_IN_USE = 0, 6  # exit codes of a node, see docs/operations.md
LIBC = ctypes.CDLL(None, use_errno=True)

README = open(os.path.join(SOURCE, "README.md")).read()


class Skip(Exception):
    pass


def check(holds, *said):
    if not holds:
        raise AssertionError(" ".join(str(one) for one in said))


def call(*words, **more):
    """Runs a command to its end and gives what it printed; what fails is shown whole."""
    more = {"timeout": 300, "stdin": subprocess.DEVNULL, **more}
    ended = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    check(ended.returncode == 0, f"{shlex.join(words)} ended with {ended.returncode}:\n{ended.stdout}")
    return ended.stdout


@contextlib.contextmanager
def step(what):
    begun, worked = time.monotonic(), os.times()
    yield
    processors = sum(os.times()[2:4]) - sum(worked[2:4])
    print(f"{time.monotonic() - begun:6.1f} s ({processors:5.1f} s of processors)  {what}", flush=True)


def libc(name, *arguments):
    if getattr(LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


# -- README ----------------------------------------------------------------------------------------------------------


def readme(pattern):
    found = re.search(pattern, README, re.MULTILINE)
    check(found, f"README.md has nothing like {pattern}")
    return found[1]


def indented(block):
    return re.sub("^    ", "", block, flags=re.MULTILINE)


EXAMPLE = readme(r"^## An example\n(?s:.*?)^```cpp\n((?s:.*?))^```$")
PRINTED = indented(readme(r"^    build/release/examples/readme/orders\n\n((?:    .*\n)+)    \.\.\.\n"))
CLUSTER = readme(r"^## A cluster\n(?s:.*?)^```\n((?s:.*?))^```$")
CMAKE_LINES = readme(r"^```cmake\n((?s:.*?))^```$")
COMPILE_LINE = readme(r"^    (g\+\+ .*pkg-config.*)$")


# -- the machine -----------------------------------------------------------------------------------------------------


class Mirror:
    """Where this machine's apt finds Debian itself, and how: its release, its addresses, its proxies."""

    def __init__(self):
        system = platform.freedesktop_os_release()
        self.suite = system.get("VERSION_CODENAME", "")
        if system["ID"] != "debian" or not self.suite:
            raise Skip(f"packages for Debian are tried on a Debian release, and this is {system['PRETTY_NAME']}")
        self.architecture = call("dpkg", "--print-architecture").strip()
        targets = call(
            "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ARCHITECTURE)",
            "Created-By: Packages",
        )  # fmt: skip
        self.sources = []
        for uri, release, component, architecture in (line.split() for line in targets.splitlines()):
            ours = release.split("-")[0] == self.suite and component == "main" and architecture == self.architecture
            if ours and uri.startswith("http"):
                self.sources.append((uri, release))
        self.address = next((uri for uri, release in self.sources if release == self.suite), None)
        if self.address is None:
            raise Skip(f"apt has no http address of Debian's {self.suite} here")

    def try_it(self):
        with tempfile.TemporaryDirectory() as folder:
            tried = subprocess.run(
                [
                    "/usr/lib/apt/apt-helper", "download-file",
                    f"{self.address}dists/{self.suite}/Release", f"{folder}/Release",
                ],
                capture_output=True, text=True, timeout=120,
            )  # fmt: skip
        if tried.returncode != 0:
            why = re.search("^E: (.*)$", tried.stderr, re.MULTILINE)
            raise Skip(f"apt's mirror cannot be reached: {why[1] if why else tried.stderr.strip()}")


def cannot_run():
    """Raises a Skip where the machine does not allow a root of our own."""
    if os.geteuid() != 0:
        raise Skip("a Debian root needs root")
    for program in ("debootstrap", "unshare", "apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")
    tried = subprocess.run([*NAMESPACES, "--net", "true"], capture_output=True, text=True, timeout=60)
    if tried.returncode != 0:
        raise Skip(f"no namespaces of our own: {tried.stderr.strip()}")
    Mirror().try_it()


# -- the root --------------------------------------------------------------------------------------------------------

NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


class Root:
    """A Debian with what its packages cannot do without, and nothing else."""

    def __init__(self, path, cache):
        self.path = path
        self.mirror = Mirror()
        self.cache = os.path.join(cache, f"{self.mirror.suite}-{self.mirror.architecture}")
        os.makedirs(os.path.join(self.cache, "archives", "partial"), exist_ok=True)

    def at(self, path):
        return os.path.join(self.path, path.lstrip("/"))

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        with open(self.at(path), "w") as file:
            file.write(text)

    def make(self):
        base = os.path.join(self.cache, "base.tar")
        if os.path.exists(base):
            os.makedirs(self.path)
            call("tar", "--extract", "--numeric-owner", "--file", base, "--directory", self.path)
            return
        self.write("/etc/dpkg/dpkg.cfg.d/unsafe-io", "force-unsafe-io\n")  # nobody misses this root after a power cut
        call("debootstrap", "--variant=minbase", self.mirror.suite, self.path, self.mirror.address, timeout=600)
        call("tar", "--create", "--numeric-owner", "--file", base + ".new", "--directory", self.path, ".")
        os.rename(base + ".new", base)

    def prepare(self):
        """Gives it what a machine has: /proc, names, and this machine's way to the mirror."""
        call("mount", "-t", "proc", "proc", self.at("/proc"))
        call("mount", "--bind", os.path.join(self.cache, "archives"), self.at("/var/cache/apt/archives"))
        files = {"/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"}
        settings = ['APT::Keep-Downloaded-Packages "true";', 'APT::Install-Recommends "false";']
        for line in call("apt-config", "dump").splitlines():
            if re.match("Acquire::(http|https|Retries)", line):
                settings.append(line)
                files.update(re.findall('"(/[^"]+)"', line))
        self.write("/etc/apt/apt.conf.d/machine", "\n".join(settings) + "\n")
        for file in filter(os.path.isfile, files):
            os.makedirs(os.path.dirname(self.at(file)), exist_ok=True)
            shutil.copy(file, self.at(file))
        sources = [f"deb {uri} {release} main\n" for uri, release in self.mirror.sources]
        self.write("/etc/apt/sources.list", "".join(sources))
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")  # no service is started
        os.chmod(self.at("/usr/sbin/policy-rc.d"), 0o755)

    def command(self, *words, user=None, folder="/"):
        """The words of a command that runs in it."""
        inside = [] if user is None else ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        return ["chroot", self.path, "env", f"--chdir={folder}", *inside, *words]

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {**kept, "PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}

    def call(self, *words, user=None, folder="/", **more):
        return call(*self.command(*words, user=user, folder=folder), env=self.environment(), **more)

    def call_all(self, *shell_lines):
        """Runs lines of the shell at the same time. Shows what those that fail say."""
        begun = []
        for number, line in enumerate(shell_lines):
            said = open(self.at(f"/tmp/said-{number}"), "w+")
            command = self.command("sh", "-ec", line)
            begun.append((said, line, subprocess.Popen(command, stdout=said, stderr=said, env=self.environment())))
        for said, line, process in begun:
            code = process.wait(timeout=600)
            said.seek(0)
            check(code == 0, f"{line} ended with {code}:\n{said.read()}")
            said.close()


# -- installing and compiling ----------------------------------------------------------------------------------------


def install(root, build):
    with step("the packages are made"):
        call(os.path.join(SOURCE, "scripts", "package"), "--build", build, "--output", root.at("/packages"))
    packages = [os.path.join("/packages", os.path.basename(one)) for one in sorted(glob.glob(root.at("/packages/*.deb")))]
    names = [os.path.basename(one).split("_")[0] for one in packages]
    check(names == ["continuo", "libcontinuo-dev"], f"scripts/package made {packages}")
    with step("apt has installed them, and a compiler"):
        root.call("apt-get", "update")
        tools = ("g++", "make", "cmake", "pkg-config", "libcli11-dev")  # CLI11 is for the examples alone
        root.call("apt-get", "install", "--yes", *packages, *tools, timeout=600)
    for package in names:
        for file in ("copyright", "changelog.gz", "changelog.Debian.gz"):
            check(os.path.isfile(root.at(f"/usr/share/doc/{package}/{file}")), f"{package} has no {file}")
    look_at_documents(root, names)


def dead_links(folder):
    """The relative links in documents below the folder that lead nowhere."""
    dead = []
    for document in glob.glob(os.path.join(folder, "**", "*.md"), recursive=True):
        with open(document) as file:
            prose = re.sub("^```.*?^```", "", file.read(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^()#:\s]+)(?:#[^()\s]*)?\)", prose):
            if not os.path.exists(os.path.join(os.path.dirname(document), target)):
                dead.append(f"{document}: {target}")
    return dead


def look_at_documents(root, names):
    for package in names:
        dead = dead_links(root.at(f"/usr/share/doc/{package}"))
        check(not dead, "links that lead nowhere:", *dead)
    for file in ("operations.md", "http.md", "openapi.yaml", "metrics.md", "cli.md", "examples/continuo.conf",
                 "examples/prometheus.yml", "examples/alerts.yml"):  # fmt: skip
        check(os.path.isfile(root.at(f"/usr/share/doc/continuo/{file}")), f"continuo has no {file}")
    check(os.path.isdir(root.at("/etc/continuo")), "there is no /etc/continuo")


SHOPS = {"cmake": "/srv/shop/build/shop", "pkg-config": "/srv/shop/shop"}


def compile_and_run(root):
    root.write("/srv/shop/shop.cpp", EXAMPLE)
    shutil.copy(os.path.join(SOURCE, "tests", "install", "outside_test.cpp"), root.at("/srv/shop/shop_test.cpp"))
    root.write(
        "/srv/shop/CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.25)\nproject(shop LANGUAGES CXX)\n"
        "add_executable(shop shop.cpp)\nadd_executable(shop_test shop_test.cpp)\n" + CMAKE_LINES,
    )
    with step("README's example by CMake and by pkg-config, the packaged order example"):
        root.call_all(
            "cd /srv/shop; cmake -S . -B build; cmake --build build",
            f"cd /srv/shop; {COMPILE_LINE}",
            "cmake -S /usr/share/doc/libcontinuo-dev/examples -B /srv/examples -D CMAKE_UNITY_BUILD=ON;"
            "cmake --build /srv/examples --target order-node",
        )
    objects = "build/CMakeFiles/shop_test.dir/shop_test.cpp.o"
    root.call("sh", "-ec", f"g++ {objects} -o shop_test $(pkg-config --libs continuo-testing)", folder="/srv/shop")
    with step("what was compiled runs"):
        root.call_all(*(f"mkdir /srv/{one}-run; cd /srv/{one}-run; {program} >printed" for one, program in SHOPS.items()))
        for one in SHOPS:
            printed = open(root.at(f"/srv/{one}-run/printed")).read()
            check(printed.startswith(PRINTED), f"what {one} made printed:\n{printed}README says:\n{PRINTED}")
            check("o-10 completed" in printed, f"what {one} made did not come to its end:\n{printed}")
        for program in ("/srv/shop/build/shop_test", "/srv/shop/shop_test"):
            check("simulated" in root.call(program), f"{program} has simulated nothing")


# -- a cluster -------------------------------------------------------------------------------------------------------


def read_unit(root):
    """What stands in the unit for systemd, by key."""
    with open(root.at("/usr/lib/systemd/system/continuo@.service")) as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#"))


class Shop:
    """README's cluster as the unit wants it: its file in /etc/continuo, its data in /var/lib, the unit's user."""

    file = "/etc/continuo/continuo.conf"

    def __init__(self, root):
        self.root = root
        self.unit = read_unit(root)
        self.user = self.unit["User"]
        self.data = os.path.join("/var/lib", self.unit["StateDirectory"])
        arguments = json.dumps(["--ledgers", f"{self.data}/ledgers"])
        program = "/srv/examples/order_fulfilment/order-node"
        lines = f'program="{program}"\narguments={arguments}\ndata="{self.data}"'
        root.write(self.file, re.sub("^program=.*$", lambda _: lines, CLUSTER, flags=re.MULTILINE))
        root.call("install", "--directory", f"--owner={self.user}", f"--group={self.user}", "--mode=750", self.data)

    def continuo(self, *words, code=0):
        words = self.root.command("continuo", *words, user=self.user)
        ended = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, env=self.root.environment()
        )
        check(ended.returncode == code, f"{shlex.join(words)} ended with {ended.returncode}:\n{ended.stdout}")
        return ended.stdout

    def cluster(self, command, *words, code=0):
        return self.continuo("cluster", command, self.file, *words, code=code)

    def publish(self, order):
        fields = {
            "order_id": order, "cents": 4200, "item": "kettle", "quantity": 1, "method": "card", "pay_within": "30min"
        }  # fmt: skip
        said = self.continuo("publish", "order_placed", json.dumps(fields), "--config", self.file)
        check(order in said, f"publish said: {said}")

    def ends(self, order):
        self.continuo("wait", "fulfilment", order, "--timeout", "60s", "--config", self.file)
        shown = self.continuo("show", "fulfilment", order, "--config", self.file)
        check("completed" in shown, shown)

    def run_unit(self, node):
        """What systemd does to start one node."""
        words = [word.replace("%i", node) for word in self.unit["ExecStart"].split()]
        return subprocess.Popen(
            self.root.command(*words, user=self.user),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=self.root.environment(),
        )  # fmt: skip


def run_cluster(root):
    shop = Shop(root)
    # As its owner would: root makes the certificates and gives the nodes theirs.
    root.call("continuo", "cluster", "init", shop.file)
    certificates = "/etc/continuo/certificates"
    refused = shop.cluster("run", "payment", code=2)
    check("payment.key: Permission denied" in refused, f"a key that may not be read: {refused}")
    for node in ("ordering", "payment", "warehouse"):
        root.call("chown", f"{shop.user}:", f"{certificates}/{node}.key")
    root.call("chown", f"{shop.user}:", "/etc/continuo/http-token")
    check(os.stat(root.at(f"{certificates}/ca.key")).st_uid == 0, "the nodes have the key of the authority")
    shop.cluster("up", "--detach")
    shop.publish("o-1")
    shop.ends("o-1")
    shop.cluster("kill", "payment")
    shop.publish("o-2")
    check(re.search(r"^payment +payment +down", shop.cluster("status", code=1), re.MULTILINE), "payment is not down")
    shop.cluster("start", "payment")
    shop.ends("o-2")
    shop.cluster("status")

    shop.cluster("stop", "payment")
    node = shop.run_unit("payment")
    shop.publish("o-3")
    shop.ends("o-3")
    shop.cluster("status")
    check(node.poll() is None, "the process that systemd would watch is not the node")
    second = shop.run_unit("payment")
    said, _ = second.communicate(timeout=60)
    check(second.returncode == DATA_IN_USE and "runs already" in said, f"a second node: {second.returncode}: {said}")
    check(str(DATA_IN_USE) in shop.unit["RestartPreventExitStatus"].split(), "systemd would start the second one again")
    shop.cluster("stop", "payment")
    said, _ = node.communicate(timeout=60)
    check(node.returncode == IN_ORDER, f"the node of the unit ended with {node.returncode}: {said}")
    shop.cluster("down")


def look_around(root, version):
    """What people look at: the manual page, the completion, what the program says of itself."""
    check(root.call("continuo", "--version").strip() == version, "the program is of another version")
    page = call("zcat", root.at("/usr/share/man/man1/continuo.1.gz"))
    for word in re.findall(r"^## `(continuo [a-z -]+)`", open(os.path.join(SOURCE, "docs", "cli.md")).read(), re.MULTILINE):
        escaped = word.replace("-", r"\-")
        check(f"\n.SS {escaped} " in page, f"the manual page does not have {word}")
    loaded = ". /usr/share/bash-completion/completions/continuo; complete -p continuo"
    check("_continuo" in root.call("bash", "-ec", loaded), "bash completes nothing")


# -- all of it -------------------------------------------------------------------------------------------------------


def inside(build, work):
    """In namespaces of our own."""
    root = Root(os.path.join(work, "root"), os.path.join(build, "debian"))
    with step("a bare root"):
        root.make()
        root.prepare()
    install(root, build)
    clone_newnet, siocsifflags, iff_up = 0x40000000, 0x8914, 1
    libc("unshare", clone_newnet)  # from here on there is nothing but loopback, with all ports free
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sH22x", b"lo", iff_up))
    version = open(os.path.join(build, "CMakeCache.txt")).read()
    look_around(root, re.search("^CMAKE_PROJECT_VERSION:.*=(.*)$", version, re.MULTILINE)[1])
    compile_and_run(root)
    with step("a cluster of the packaged program"):
        run_cluster(root)


def die_with_parent():
    pr_set_pdeathsig = 1
    LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)


def interrupt(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows is the tidying up
    raise KeyboardInterrupt


def main():
    build = os.path.abspath(sys.argv[1])
    if "--inside" in sys.argv:
        inside(build, sys.argv[-1])
        return 0
    try:
        cannot_run()
    except Skip as why:
        print(f"skipped: {why}", flush=True)
        return SKIPPED
    signal.signal(signal.SIGTERM, interrupt)
    work = os.path.join(build, "debian", "work")
    shutil.rmtree(work, ignore_errors=True)  # of one that was killed
    try:
        words = [*NAMESPACES, sys.executable, os.path.abspath(__file__), build, "--inside", work]
        return subprocess.run(words, preexec_fn=die_with_parent).returncode
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
