"""Addresses of clusters: a wrong one is an error at once."""

import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from graphs.errors import ResourceError
from pipeline.cluster_address import cluster_address
from pipeline.options import Machine
from pipeline.parallel import open_cluster

# answers as the head of a cluster does first: an empty SETTINGS frame of HTTP/2
SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def answering():
    """Start a server that sends some bytes to whoever connects; give its address."""
    closing = []

    def start(answer):
        server = socket.create_server(("127.0.0.1", 0))

        def serve():
            connection, _ = server.accept()
            with connection:
                for piece in answer:
                    connection.sendall(piece)
                connection.recv(100)

        thread = threading.Thread(target=serve)
        thread.start()
        closing.append((server, thread))
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server, thread in closing:
        thread.join()
        server.close()


def test_without_any_a_ray_of_its_own_is_started():
    assert cluster_address(None) == "local"


def test_the_environment_names_the_cluster(monkeypatch, answering):
    monkeypatch.setenv("RAY_ADDRESS", address := answering([SETTINGS]))
    assert cluster_address(None) == address


def test_the_option_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    assert cluster_address("auto") == "auto"


def test_an_answer_in_pieces(answering):
    address = answering([SETTINGS[:2], SETTINGS[2:]])
    assert cluster_address(address) == address


@pytest.mark.parametrize(
    "address", ["head", "http://head:8265", "ray://head:10001", "head:0", "head:70000", "a b:1"]
)
def test_what_is_no_address(address):
    with pytest.raises(ResourceError, match="is no address of a Ray cluster; write HOST:PORT"):
        cluster_address(address)


def test_an_environment_that_is_no_address_is_named(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    with pytest.raises(ResourceError, match="^RAY_ADDRESS=http://127.0.0.1:8265 is no address"):
        cluster_address(None)


def test_nothing_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    begin = time.monotonic()
    with pytest.raises(ResourceError, match=f"--ray-address 127.0.0.1:{port}: nothing answers"):
        cluster_address(f"127.0.0.1:{port}")
    assert time.monotonic() - begin < 10


def test_a_server_that_says_nothing(monkeypatch):
    monkeypatch.setattr("pipeline.cluster_address.ANSWER_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(ResourceError, match="nothing answers there .timed out."),
    ):
        cluster_address(f"127.0.0.1:{server.getsockname()[1]}")


def test_a_server_that_ends_at_once(answering):
    with pytest.raises(ResourceError, match="what answers there is no Ray cluster"):
        cluster_address(answering([b"\x00"]))


def test_another_kind_of_server():
    class Quiet(BaseHTTPRequestHandler):
        def log_request(self, *_):
            pass

        log_error = log_request

    server = HTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(ResourceError, match="what answers there is no Ray cluster"):
            cluster_address(f"127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_encrypted_cluster_is_only_asked_whether_it_is_there(monkeypatch, answering):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    address = answering([b""])
    assert cluster_address(address) == address


def test_an_address_without_the_executor():
    with (
        pytest.raises(ResourceError, match="is of no use to the executor local; add --executor"),
        open_cluster(Machine(ray_address="head:6379")),
    ):
        pass


def test_local_work_needs_no_cluster(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    with open_cluster(Machine()) as cluster:
        assert cluster is None


@pytest.mark.slow
def test_a_missing_ray_is_named_with_the_extra_to_install(tmp_path):
    program = (
        "import sys; sys.modules['ray'] = None; from pipeline.cli import main; "
        f"main(['activations', '--model', 'mlp', '--executor', 'ray', '--out', {str(tmp_path)!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "stratagraph: error: --executor ray: the package ray is not installed; "
        "install it with pip install -e '.[ray]', on every node\n"
    )
