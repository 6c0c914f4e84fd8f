"""Embeds the case's texts with each client, alone and then all at once, and compares with its vectors, bit for bit.

    clients.py URL CASE.json
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

os.environ.update(
    ANONYMIZED_TELEMETRY="False",
    DO_NOT_TRACK="1",
    HAYSTACK_TELEMETRY_ENABLED="False",
    HF_HUB_DISABLE_TELEMETRY="1",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    NO_PROXY="*",
)

import numpy

url, case_file = sys.argv[1:]
case = json.load(open(case_file, encoding="utf-8"))
TEXTS, MODEL, KEY = case["texts"], "embeddinggemma", "any"
CHECKS = {}


def check(package):
    def register(function):
        CHECKS[function.__name__] = (package, function)
        return function

    return register


def same(found, expected="vectors"):
    found, expected = numpy.asarray(found, dtype=numpy.float32), numpy.asarray(case[expected], dtype=numpy.float32)
    assert found.shape == expected.shape, f"{found.shape} instead of {expected.shape}"
    assert (found.view(numpy.uint32) == expected.view(numpy.uint32)).all(), "other bits"


@check("openai")
def openai_sdk():
    from openai import BadRequestError, OpenAI

    client = OpenAI(base_url=f"{url}/v1", api_key=KEY)
    vectors = lambda **more: [item.embedding for item in client.embeddings.create(model=MODEL, input=TEXTS, **more).data]
    same(vectors())
    same(vectors(encoding_format="float"))
    if case["query"]:
        same(vectors(extra_body={"prompt_name": case["query"]}), "query_vectors")
    assert [model.id for model in client.models.list()][0] == MODEL
    try:
        client.embeddings.create(model=MODEL, input=[1, 2, 3])
        raise AssertionError("token ids were taken")
    except BadRequestError as error:
        assert error.code == "token_ids_not_accepted", error


@check("langchain-openai")
def langchain_openai():
    from langchain_openai import OpenAIEmbeddings

    embeddings = OpenAIEmbeddings(base_url=f"{url}/v1", api_key=KEY, model=MODEL, check_embedding_ctx_length=False)
    same(embeddings.embed_documents(TEXTS))
    same([embeddings.embed_query(text) for text in TEXTS])


@check("langchain-ollama")
def langchain_ollama():
    from langchain_ollama import OllamaEmbeddings

    embeddings = OllamaEmbeddings(model=MODEL, base_url=url, validate_model_on_init=True)
    same(embeddings.embed_documents(TEXTS))
    same([embeddings.embed_query(text) for text in TEXTS])


@check("ollama")
def ollama_sdk():
    from ollama import Client, ResponseError

    client = Client(host=url)
    same(client.embed(model=MODEL, input=TEXTS, keep_alive=-1).embeddings)
    assert f"{MODEL}:latest" in [model.model for model in client.list().models]
    assert client.show(MODEL).capabilities == ["embedding"]
    assert len(client.embeddings(model=MODEL, prompt=TEXTS[0]).embedding) == len(case["vectors"][0])
    try:
        client.embed(model=MODEL, input="word " * 20_000, truncate=False)
        raise AssertionError("a long text was taken")
    except ResponseError as error:
        assert "exceeds the context length" in error.error, error


@check("huggingface_hub")
def hugging_face():
    from huggingface_hub import InferenceClient

    client = InferenceClient(model=url)
    same(numpy.concatenate([client.feature_extraction(text) for text in TEXTS]))
    same(client.feature_extraction(TEXTS, normalize=True, truncation_direction="right"))
    scores = client.sentence_similarity(TEXTS[0], TEXTS)
    assert abs(scores[0] - 1) < 1e-6 and len(scores) == len(TEXTS), scores


@check("llama-index-embeddings-openai")
def llama_index_openai():
    from llama_index.embeddings.openai import OpenAIEmbedding

    # It takes no names but OpenAI's.
    embedding = OpenAIEmbedding(model="text-embedding-3-small", api_base=f"{url}/v1", api_key=KEY)
    same(embedding.get_text_embedding_batch(TEXTS))


@check("llama-index-embeddings-openai-like")
def llama_index_openai_like():
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    embedding = OpenAILikeEmbedding(model_name=MODEL, api_base=f"{url}/v1", api_key=KEY)
    same(embedding.get_text_embedding_batch(TEXTS))


@check("llama-index-embeddings-ollama")
def llama_index_ollama():
    from llama_index.embeddings.ollama import OllamaEmbedding

    embedding = OllamaEmbedding(model_name=MODEL, base_url=url)
    same(embedding.get_text_embedding_batch(TEXTS))


@check("llama-index-embeddings-text-embeddings-inference")
def llama_index_tei():
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    embedding = TextEmbeddingsInference(base_url=url, model_name=MODEL)
    same(embedding.get_text_embedding_batch(TEXTS))


@check("litellm")
def litellm_sdk():
    import litellm

    for provider, base in [("openai", f"{url}/v1"), ("ollama", url), ("infinity", url)]:
        answer = litellm.embedding(model=f"{provider}/{MODEL}", api_base=base, api_key=KEY, input=TEXTS)
        same([item["embedding"] for item in answer.data])


@check("chromadb")
def chroma():
    from chromadb.utils import embedding_functions as functions

    name = "text-embedding-3-small"
    width = len(case["vectors"][0])
    open_ai = functions.OpenAIEmbeddingFunction(api_key=KEY, api_base=f"{url}/v1", model_name=name, dimensions=width)
    same(open_ai(TEXTS))
    same(functions.OllamaEmbeddingFunction(url=url, model_name=MODEL)(TEXTS))
    same(functions.HuggingFaceEmbeddingServer(url=f"{url}/embed")(TEXTS))


@check("haystack-ai")
def haystack():
    from haystack import Document
    from haystack.components.embedders import OpenAIDocumentEmbedder
    from haystack.utils import Secret

    embedder = OpenAIDocumentEmbedder(
        api_base_url=f"{url}/v1", api_key=Secret.from_token(KEY), model=MODEL, progress_bar=False
    )
    same([document.embedding for document in embedder.run([Document(content=text) for text in TEXTS])["documents"]])


def main():
    failed = []
    for name, (package, function) in CHECKS.items():
        try:
            function()
            print(f"{package} {version(package)}: the same bits")
        except Exception as error:
            failed.append(f"{package} {version(package)}, {name}: {type(error).__name__}: {error}")
    # Once more, all at the same time.
    with ThreadPoolExecutor(16) as pool:
        jobs = {pool.submit(function): name for name, (_, function) in CHECKS.items() for _ in range(4)}
        for job, name in jobs.items():
            if job.exception():
                failed.append(f"{name}, in company: {job.exception()}")
    if failed:
        sys.exit("\n".join(failed))
    print("all of them at once: the same bits")


main()
