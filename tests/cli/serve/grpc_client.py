"""Embeds the case's texts by gRPC, alone and then many at once, and compares with its vectors, bit for bit.

    grpc_client.py HOST:PORT CASE.json KEY

The services are found by reflection: there is no generated code.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import grpc
import numpy
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

address, case_file, key = sys.argv[1:]
case = json.load(open(case_file, encoding="utf-8"))
TEXTS = case["texts"]
CHECKS = []


class Client:
    """The services of tei.v1 as the server describes them."""

    def __init__(self, key):
        self.channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        self.metadata = [("authorization", f"Bearer {key}")] if key else []
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        # All at once: threads that look for something new would ask for the same file.
        self.file = DescriptorPool(self.database).FindFileContainingSymbol("tei.v1.Embed")

    def message(self, name):
        return GetMessageClass(self.file.message_types_by_name[name])

    def call(self, service, method, argument, **options):
        described = self.file.services_by_name[service].methods_by_name[method]
        kind = "stream_stream" if described.client_streaming else "unary_unary"
        callable = getattr(self.channel, kind)(
            f"/tei.v1.{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        return callable(argument, metadata=self.metadata, timeout=600, **options)

    def embed(self, text, **more):
        return self.call("Embed", "Embed", self.message("EmbedRequest")(inputs=text, **more))


def check(function):
    CHECKS.append(function)
    return function


def same(found, expected="vectors"):
    found, expected = numpy.asarray(found, dtype=numpy.float32), numpy.asarray(case[expected], dtype=numpy.float32)
    assert found.shape == expected.shape, f"{found.shape} instead of {expected.shape}"
    assert (found.view(numpy.uint32) == expected.view(numpy.uint32)).all(), "other bits"


def refused(code, ask):
    try:
        ask()
    except grpc.RpcError as error:
        assert error.code() == code, error
    else:
        raise AssertionError(f"not refused: {code}")


@check
def single(client):
    same([client.embed(text).embeddings for text in TEXTS])
    if case["query"]:
        same([client.embed(text, prompt_name=case["query"]).embeddings for text in TEXTS], "query_vectors")


@check
def stream(client):
    request = client.message("EmbedRequest")
    for times in [1, 100]:
        answers = client.call("Embed", "EmbedStream", (request(inputs=text) for text in TEXTS * times))
        vectors = [answer.embeddings for answer in answers]
        for i in range(times):
            same(vectors[i * len(TEXTS) :][: len(TEXTS)])


@check
def tokens(client):
    encode, decode = client.message("EncodeRequest"), client.message("DecodeRequest")
    answer = client.call("Tokenize", "Tokenize", encode(inputs=TEXTS[0], add_special_tokens=True))
    ids = [token.id for token in answer.tokens]
    text = client.call("Tokenize", "Decode", decode(ids=ids, skip_special_tokens=True)).text
    assert text.split(), text
    rows = client.call("Embed", "EmbedAll", client.message("EmbedAllRequest")(inputs=TEXTS[0])).token_embeddings
    assert len(rows) == len(ids), (len(rows), len(ids))


@check
def described(client):
    services = set(client.database.get_services())
    assert {"tei.v1.Embed", "tei.v1.Info", "tei.v1.Tokenize", "grpc.health.v1.Health"} <= services, services
    info = client.call("Info", "Info", client.message("InfoRequest")())
    assert info.model_id and info.max_input_length > 0, info
    health = health_pb2_grpc.HealthStub(client.channel)
    for service in ["", "tei.v1.Embed", "tei.v1.Info", "tei.v1.Tokenize"]:
        assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == 1, service


@check
def refusals(client):
    code = grpc.StatusCode
    refused(code.INVALID_ARGUMENT, lambda: client.embed("word " * 20_000))
    refused(code.INVALID_ARGUMENT, lambda: client.embed("a", dimensions=0))
    assert client.embed("word " * 20_000, truncate=True).embeddings
    sparse = client.channel.unary_unary("/tei.v1.Embed/EmbedSparse")
    refused(code.UNIMPLEMENTED, lambda: sparse(b"", metadata=client.metadata))
    stranger = Client(None)
    refused(code.UNAUTHENTICATED, lambda: stranger.embed("a"))
    stranger.channel.close()


def main():
    for function in CHECKS:
        function(Client(key))
    # Once more, all at the same time, on one channel and on several.
    clients = [Client(key) for _ in range(4)]
    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(function, client) for client in clients for function in CHECKS for _ in range(4)]
        for job in jobs:
            job.result()
    for client in clients:
        client.channel.close()
    names = ["grpcio", "grpcio-health-checking", "grpcio-reflection"]
    print(", ".join(f"{name} {version(name)}" for name in names) + ": the same bits, alone and all at once")


main()
