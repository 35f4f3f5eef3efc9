"""Apache Kafka itself on this machine's Java: KRaft, one node, its jars fetched from Maven Central."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from infra.local.broker import STOP_TIMEOUT_S, BrokerOptions, Kind, UnavailableError, answers, create_topic
from infra.local.kafka_properties import CLUSTER_ID, as_file, properties
from infra.local.ports import LOOPBACK, free_port
from infra.local.processes import Program, Say, Server, watch

OLDEST_JAVA = 17
POM = Path(__file__).parent / "files" / "pom.xml"
LOG4J = Path(__file__).parent / "files" / "log4j2.properties"
JARS_HOME = Path(".eskit") / "jars"  # in the checkout, shared by its runs and its tests
DOWNLOAD_TIMEOUT_S = 600.0
PROGRESS_EVERY_S = 3.0
START_TIMEOUT_S = 60.0


class MavenKafka:
    """Listens on the loopback address only; about 340 MB of memory."""

    kind: Kind = "maven"
    durable = True

    def __init__(self, options: BrokerOptions) -> None:
        self._options = options
        self._java, self._java_version = find_java()
        if shutil.which("mvn") is None and not jars_folder().exists():
            raise UnavailableError("Maven (mvn) is not installed")
        self._folder = options.data_dir / "maven"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._server = Server(self._folder / "kafka.log")
        self._controller_port = free_port()

    @property
    def description(self) -> str:
        return f"Apache Kafka {kafka_version()} from Maven Central, Java {self._java_version}"

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self._options.port}"

    def alive(self) -> bool:
        return self._server.alive()

    def start(self) -> None:
        if self.alive():
            return
        jars = fetch_jars(self._options.say)
        config, data = self._folder / "server.properties", self._folder / "data"
        port, controller_port = self._options.port, self._controller_port
        settings = properties(host=LOOPBACK, port=port, controller_port=controller_port, data=str(data))
        config.write_text(as_file(settings))
        if not (data / "meta.properties").exists():
            self._format(jars, config)
        self._server.launch(self._program(jars, "kafka.Kafka", str(config)))
        if not self._server.wait_until(lambda: answers(self.bootstrap), timeout_s=START_TIMEOUT_S):
            raise UnavailableError(f"it did not start:\n{self._server.last_words()}")

    def stop(self, *, grace_s: float = STOP_TIMEOUT_S) -> None:
        self._server.stop(signal.SIGTERM, grace_s=grace_s)

    def kill(self) -> None:
        self._server.kill()

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def create_topic(self, name: str, partitions: int) -> None:
        create_topic(self.bootstrap, name, partitions)

    def _format(self, jars: Path, config: Path) -> None:
        arguments = ("format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(config))
        formatter = Server(self._server.log)
        process = formatter.launch(self._program(jars, "kafka.tools.StorageTool", *arguments))
        try:
            process.wait(START_TIMEOUT_S)
        finally:
            formatter.kill()  # nothing to do where it has ended
        if process.returncode != 0:
            raise UnavailableError(f"its data folder could not be formatted:\n{formatter.last_words()}")

    def _program(self, jars: Path, main_class: str, *arguments: str) -> Program:
        quick = ("-XX:TieredStopAtLevel=1",) if self._options.quick else ()
        java = (self._java, "-Xmx512m", "-XX:+UseSerialGC", *quick, f"-Dlog4j2.configurationFile={LOG4J}")
        return Program((*java, "-cp", f"{jars}/*", main_class, *arguments), cwd=self._folder)


def find_java() -> tuple[str, int]:
    """The program and its major version: JAVA_HOME's, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise UnavailableError(f"Java is not installed ({OLDEST_JAVA} or newer)")
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', printed)
    if match is None or int(match[1]) < OLDEST_JAVA:
        raise UnavailableError(f"Java {match[1] if match else '?'} is too old, it needs {OLDEST_JAVA} or newer")
    return java, int(match[1])


def kafka_version() -> str:
    name = "{http://maven.apache.org/POM/4.0.0}kafka.version"
    return next(element.text or "" for element in ET.parse(POM).iter(name))  # noqa: S314  our own file


def jars_folder() -> Path:
    return (JARS_HOME / f"kafka-{kafka_version()}").absolute()


def fetch_jars(say: Say) -> Path:
    """The folder with the broker's jars, fetched once: about 45 MB, or nothing when Maven has them already."""
    folder = jars_folder()
    if folder.exists():
        return folder
    say(f"Kafka: fetching Apache Kafka {kafka_version()} from Maven Central (about 45 MB, once)")
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        _run_maven(unfinished, say)
        unfinished.rename(folder)
    except OSError:
        if not folder.exists():  # else somebody else was faster
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _run_maven(into: Path, say: Say) -> None:
    goal = ("dependency:copy-dependencies", f"-DoutputDirectory={into}")
    progress = _Progress(say)
    try:
        command = ("mvn", "--batch-mode", "--file", str(POM), *goal)
        code = watch(Program(command), progress.heard, timeout_s=DOWNLOAD_TIMEOUT_S)
    except TimeoutError:
        raise UnavailableError(f"Maven did not finish in {DOWNLOAD_TIMEOUT_S:.0f} s") from None
    if code != 0:
        raise UnavailableError(f"Maven could not fetch the jars ({progress.error or f'exit {code}'})")


class _Progress:
    """Reads what Maven prints and says now and then how far it has come."""

    def __init__(self, say: Say) -> None:
        self.error = ""
        self._say = say
        self._files = 0
        self._kilobytes = 0.0
        self._said_at = time.monotonic()

    def heard(self, line: str) -> None:
        if line.startswith("[ERROR]"):
            self.error = self.error or line.removeprefix("[ERROR]").strip()
        if match := re.search(r"Downloaded from .* \(([\d.]+) ([kM]?)B at ", line):
            self._files += 1
            self._kilobytes += float(match[1]) * {"": 0.001, "k": 1, "M": 1000}[match[2]]
        if time.monotonic() - self._said_at > PROGRESS_EVERY_S:
            self._said_at = time.monotonic()
            self._say(f"Kafka: {self._files} files, {self._kilobytes / 1000:.0f} MB so far")
