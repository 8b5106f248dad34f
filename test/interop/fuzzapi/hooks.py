"""What the server promises beyond its OpenAPI document, and what the fuzzer must leave alone."""
import json
import os
import zlib

import schemathesis
from schemathesis.openapi.checks import AuthScenario, IgnoredAuth
from schemathesis.specs.openapi import checks

CONNECTION = os.environ["MOORING_CONNECTION"]
PROVIDER_CONFIG = json.loads(os.environ["MOORING_PROVIDER_CONFIG"])
SOURCE = os.environ["MOORING_SOURCE"]
LONGEST_ID = 100


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Takes away that any other error may come: each status must be documented by itself."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            operation["responses"].pop("default")


@schemathesis.hook
def filter_case(context, case):
    """Leaves the key with which the fuzzer works as it is."""
    return (case.path_parameters or {}).get("key_name") != os.environ["MOORING_KEY_NAME"]


@schemathesis.hook
def map_body(context, body):
    """Makes what would be refused anyway work, so that there is more to be tried: no generated text is a storage that exists.
    What breaks the document's rules stays as it is: it is to be refused."""
    if context.operation.method == "post" and isinstance(body, dict):
        if isinstance(body.get("provider_type"), str) and isinstance(body.get("provider_config"), dict):
            return body | {"provider_type": "s3", "provider_config": PROVIDER_CONFIG}
        if isinstance(body.get("connection_id"), str) and len(body["connection_id"]) <= LONGEST_ID and isinstance(body.get("source_path"), str):
            prefix = zlib.crc32(body["source_path"].encode("utf-8", "surrogatepass"))
            return body | {"connection_id": CONNECTION, "source_path": f"{SOURCE}/{prefix:08x}"}
    return body


send_probe = checks.send_probe
throttled = set()  # probes that were refused for how many came before them


def note_throttled(context, parent, probe):
    """Keeps which probes were throttled: filter_failure is given the answer to the request before the probe."""
    response = send_probe(context, parent, probe)
    if response.status_code == 429 and response.json()["error"]["details"]["kind"] == "throttled":
        throttled.add(probe.id)
    return response


checks.send_probe = note_throttled


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Takes two answers for what they are."""
    if isinstance(failure, IgnoredAuth) and failure.scenario == AuthScenario.INVALID_AUTH and failure.case_id in throttled:
        return False  # a refusal too: whoever tries many wrong keys is slowed down
    if type(failure).__name__ == "AllowHeaderMismatch" and case.path.rsplit("/", 1)[1] in ("list", "callback"):
        return False  # GET /v1/buckets/list is a bucket that is named list
    return True
