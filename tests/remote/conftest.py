"""An object store of our own, that speaks S3 over HTTP."""

import logging
import uuid

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from graphs.places import resolve_folder


@pytest.fixture(scope="module")
def endpoint():
    """Address of the server; the environment leads to it, as a user's would."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        # another test's client would lead elsewhere
        S3FileSystem.clear_instance_cache()
        yield f"http://{host}:{port}"
    S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def store(endpoint):
    """Client of the server that knows nothing of fsspec."""
    client = boto3.client("s3", endpoint_url=endpoint)
    yield client
    client.close()


@pytest.fixture(scope="module")
def bucket(store):
    """Name of a bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    store.create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["memory", "s3"])
def folder(request):
    """A new folder at a URL: of this process's memory, and of the object store."""
    name = uuid.uuid4().hex
    if request.param == "memory":
        return resolve_folder(f"memory://{name}/run")
    return resolve_folder(f"s3://{request.getfixturevalue('bucket')}/{name}/run")
