"""What a download of 2 GB through the server costs it. Prints Markdown tables.

    files.py memory   the most memory that the server takes meanwhile, beside what it had before
    files.py cpu      the CPU time, beside that of `kubectl port-forward` and curl for the same file. Needs KUBEBUILDER_ASSETS,
                      and dufs and go on PATH: files come from a real kube-apiserver and the port-forwarding code of a real kubelet"""

import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scale"))
from platform_dev import Platform, ask  # noqa: E402

SIZE = int(os.environ.get("FILES_BYTES", 2 << 30))
WITHIN_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")
KUBELET = Path(__file__).resolve().parent / "kubelet"
DRIVE = "mutation { initializeUserStorage(input: {}) { pvc { id phase } } }"
OPEN = "mutation($i: OpenFilesInput!) { openFiles(input: $i) { fileSession { url } } }"


def main() -> None:
    part = {"memory": memory, "cpu": cpu}[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="bench-files-") as folder:
        part(Path(folder))


class Files:
    """A server, and a drive with a large file in it."""

    def __init__(self, folder: Path, arguments: tuple[str, ...] = ()):
        # The volumes are in the cluster's folder, which is a temporary one.
        self.platform = Platform({"TMPDIR": str(folder), "RUST_LOG": "warn"}, arguments)
        self.pid = self.platform.process.pid
        self.token = self.platform.log_in("ada")
        claim = until(self.bound)
        volume = until(lambda: next(iter(glob.glob(f"{folder}/*/volumes/*/pvc-*")), None))
        with open(f"{volume}/big.bin", "wb") as file:
            file.truncate(SIZE)
        opened = ask(self.platform.connect(), OPEN, {"i": {"claimId": claim}}, self.token)
        self.url = f"http://127.0.0.1:{self.platform.port}{opened['openFiles']['fileSession']['url']}big.bin"
        # The first request waits for the pod.
        until(lambda: self.download("0-0") == 1 or None)

    def bound(self) -> str | None:
        pvc = ask(self.platform.connect(), DRIVE, {}, self.token)["initializeUserStorage"]["pvc"]
        return pvc["id"] if pvc["phase"] == "BOUND" else None

    def download(self, span: str | None = None) -> int:
        return curl(self.url, "-H", f"Authorization: Bearer {self.token}", *(["-r", span] if span else []))


def until(found):
    """What `found` answers once it answers something."""
    end = time.monotonic() + WITHIN_SECONDS
    while (answer := found()) is None:
        if time.monotonic() > end:
            raise SystemExit("nothing came of it in time")
        time.sleep(0.2)
    return answer


def curl(url: str, *arguments: str) -> int:
    """Downloads, and answers how many bytes came."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", *arguments, url]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def status(pid: int, field: str) -> int:
    """A field of /proc/PID/status in bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", text)[1]) * 1024


def cpu_of(pid: int) -> float:
    """The CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory(folder: Path) -> None:
    files = Files(folder)
    try:
        before = status(files.pid, "VmRSS")
        # Forgets the peak so far.
        Path(f"/proc/{files.pid}/clear_refs").write_text("5")
        began = time.perf_counter()
        assert files.download() == SIZE
        took = time.perf_counter() - began
        peak = status(files.pid, "VmHWM")
    finally:
        files.platform.stop()
    mb = [figure / 2**20 for figure in (SIZE, before, peak, peak - before)]
    print("| MiB | time | memory before | at most | more |\n|--:|--:|--:|--:|--:|")
    print(f"| {mb[0]:.0f} | {took:.1f} s | {mb[1]:.1f} MiB | {mb[2]:.1f} MiB | {mb[3]:.1f} MiB |")


def cpu(folder: Path) -> None:
    kubectl = f"{os.environ['KUBEBUILDER_ASSETS']}/kubectl"
    if not shutil.which("dufs") or not shutil.which("go"):
        raise SystemExit("dufs and go are required on PATH")
    program = folder / "kubelet"
    subprocess.run(["go", "build", "-o", program, "."], cwd=KUBELET, check=True)
    files = Files(folder, ("--cluster", "real"))
    started = []
    try:
        (config,) = glob.glob(f"{folder}/*/kubeconfig")
        kube = [kubectl, "--kubeconfig", config]
        # From here on, the kubelet of the nodes is one that speaks SPDY as well, and leads to the same dufs.
        socket = glob.glob(f"{folder}/dev-cluster-files-*/socket")[0]
        kubelet = subprocess.Popen([program, socket], stdout=subprocess.PIPE, text=True)
        started.append(kubelet)
        endpoint = f'{{"status": {{"daemonEndpoints": {{"kubeletEndpoint": {{"Port": {int(kubelet.stdout.readline())}}}}}}}}}'
        for node in ("gpu-1", "gpu-2"):
            patch = ["patch", "node", node, "--subresource", "status", "--type", "merge", "-p", endpoint]
            subprocess.run([*kube, *patch], check=True, capture_output=True)
        pods = ["get", "pods", "-A", "-o", 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}']
        listed = subprocess.run([*kube, *pods], check=True, capture_output=True, text=True).stdout.splitlines()
        namespace, pod = next(line.split() for line in listed if " files-" in line)
        forward = [*kube, "-n", namespace, "port-forward", f"pod/{pod}", ":5000"]
        forwarding = subprocess.Popen(forward, stdout=subprocess.PIPE, text=True)
        started.append(forwarding)
        port = re.search(r"127.0.0.1:(\d+)", forwarding.stdout.readline())[1]
        path = f"/files/{pod.removeprefix('files-')}/big.bin"

        figures = {}
        for name, pid, download in [
            ("`kubectl port-forward` and curl", forwarding.pid, lambda: curl(f"http://127.0.0.1:{port}{path}")),
            ("the server and curl", files.pid, files.download),
        ]:
            kubelet_before, before, began = cpu_of(kubelet.pid), cpu_of(pid) + cpu_of_children(), time.perf_counter()
            assert download() == SIZE
            used = cpu_of(pid) + cpu_of_children() - before
            figures[name] = (used, time.perf_counter() - began, cpu_of(kubelet.pid) - kubelet_before)
    finally:
        for process in started:
            process.terminate()
        files.platform.stop()
    print(f"| {SIZE / 2**20:.0f} MiB through | CPU time | time | CPU time of the kubelet |\n|---|--:|--:|--:|")
    for name, (used, took, of_kubelet) in figures.items():
        print(f"| {name} | {used:.2f} s | {took:.1f} s | {of_kubelet:.2f} s |")
    kubectl_used, server_used = (used for used, _, _ in figures.values())
    print(f"\nThe server takes {server_used / kubectl_used:.2f} times the CPU time of kubectl.")


if __name__ == "__main__":
    main()
