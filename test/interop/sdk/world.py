"""What the tests share: the SDK with a key, and things to make with it."""

import functools
import json
import os
import time
import unittest
import urllib.request

import mixpeek
from mixpeek import models as m
from mixpeek.exceptions import ApiException, ConflictException, UnprocessableEntityException

ENV = os.environ
URL, EMAIL = ENV["MOORING_URL"], ENV["MOORING_EMAIL"]
MARKER = "****************REDACTED****************"
ODD_NAMES = ["a/b", "ü @?&", "100%+", "list"]
OPERATIONS = 39  # that the server has in common with the SDK, at least
PATIENCE = 60  # seconds until something must have happened

APIS = {
    "connections": mixpeek.OrganizationConnectionsApi,
    "syncs": mixpeek.BucketSyncsApi,
    "buckets": mixpeek.BucketsApi,
    "objects": mixpeek.BucketObjectsApi,
    "audit": mixpeek.OrganizationAuditApi,
    "keys": mixpeek.OrganizationAPIKeysApi,
    "analytics": mixpeek.AnalyticsBucketsApi,
    "health": mixpeek.HealthApi,
    "tasks": mixpeek.TasksApi,
}

called = set()


class Noted:
    """One of the SDK's classes, with what is called of it noted."""

    def __init__(self, api):
        self.api = api

    def __getattr__(self, name):
        called.add(name.removesuffix("_with_http_info"))
        return getattr(self.api, name)


class Client:
    """The SDK's classes with a key of their own."""

    def __init__(self, key):
        raw = mixpeek.ApiClient(mixpeek.Configuration(host=URL))
        if key:
            raw.set_default_header("Authorization", "Bearer " + key)
        for name, api in APIS.items():
            setattr(self, name, Noted(api(raw)))


sdk = Client(ENV["MOORING_API_KEY"])


def uncalled():
    """The operations that the server shares with the SDK and that no test has called."""
    with urllib.request.urlopen(URL + "/openapi.json") as answer:
        paths = json.load(answer)["paths"]
    served = {op["operationId"] for path in paths.values() for op in path.values()}
    shared = {name for name in served if any(hasattr(api, name) for api in APIS.values())}
    if len(shared) < OPERATIONS:
        raise AssertionError(f"the server has only {len(shared)} operations of the SDK: {sorted(shared)}")
    return sorted(shared - called)


def access_key(**more):
    credentials = {"type": "access_key", "access_key_id": ENV["S3_KEY"], "secret_access_key": ENV["S3_SECRET"]}
    return {"region": ENV["S3_REGION"], "endpoint_url": ENV["S3_ENDPOINT"], "credentials": {**credentials, **more}}


def connect(name, config=None, provider="s3", **more):
    request = m.StorageConnectionCreateRequest(name=name, provider_type=provider, provider_config=config or access_key(), **more)
    return sdk.connections.create_storage_connection_organizations(request)


def make_bucket(name, **properties):
    schema = m.BucketSchemaInput(properties={k: m.BucketSchemaFieldInput(type=v) for k, v in properties.items()})
    return sdk.buckets.create_bucket(m.BucketCreateRequest(bucket_name=name, bucket_schema=schema))


def make_sync(bucket, connection, path="harbour/media", **more):
    request = m.SyncCreateRequest(connection_id=connection.connection_id, source_path=path, **more)
    return sdk.syncs.create_sync_configuration_buckets(bucket.bucket_id, request)


def until(holds):
    """Waits for something to hold."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.05)


def wait_for(sync, holds):
    """Waits until a sync has come to a state and returns it."""
    end = time.monotonic() + PATIENCE
    while True:
        got = sdk.syncs.get_sync_configuration_buckets_id_config(sync.bucket_id, sync.sync_config_id)
        if holds(got):
            return got
        if time.monotonic() > end:
            raise AssertionError(f"the sync stays {got.to_dict()}")
        time.sleep(0.05)


def trigger(sync):
    """Triggers a sync, as soon as none of its runs is under way: until then it is a conflict."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return sdk.syncs.trigger_sync_configuration_buckets_id_config(sync.bucket_id, sync.sync_config_id)
        except ConflictException:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def field(source, **more):
    return m.MappingsValue(m.FieldMappingEntry(source=m.Source1(source), **more))


def blob(source, **more):
    return m.MappingsValue(m.BlobMappingEntry(source=m.Source(source), **more))


def mapping():
    """Every kind of source that S3 has."""
    return m.SchemaMappingInput(mappings={
        "content": blob(m.FileSource(), blob_type="auto", blob_property="content"),
        "poster": blob(m.ConstantSource(value="https://example.com/a.png"), blob_type="image", blob_property="poster", mime_type_override="image/png"),
        "category": field(m.S3TagSource(key="category"), transform="lowercase"),
        "author": field(m.S3MetadataSource(key="author"), transform="trim"),
        "facts": field(m.S3MetadataSource(key="facts"), transform="json_parse"),
        "day": field(m.FilenameRegexSource(pattern=r"^(\d{4}-\d{2}-\d{2})", default="never"), transform="uppercase", required=True),
        "team": field(m.FolderPathSource(segment=0)),
        "folder": field(m.FolderPathSource(full_path=True)),
        "parent": field(m.FolderPathSource()),
        "origin": field(m.ConstantSource(value={"env": "prod", "level": 2})),
    })


FILTERS = {
    "include_patterns": ["*.txt", "*.pdf", "*.csv", "*.tmp"], "exclude_patterns": ["left-out*"], "extensions": [".txt", ".pdf", ".csv"],
    "min_size_bytes": 1, "max_size_bytes": 1 << 40, "modified_after": "2020-01-02T03:04:05Z", "modified_before": "2999-01-01T00:00:00Z",
    "mime_types": ["text/*", "application/pdf"],
}


@functools.lru_cache(maxsize=None)
def synced():
    """A bucket into which the storage was synced, and the sync."""
    bucket = make_bucket("synced", content="text", day="string")
    sync = make_sync(bucket, connect("synced"), sync_mode="initial_only", schema_mapping=mapping(), file_filters=FILTERS, metadata={"for": ["tests"]})
    return bucket, wait_for(sync, lambda s: s.status != "PENDING" and s.status != "ACTIVE")


class Case(unittest.TestCase):
    def refused(self, exception, call, *args, **kwargs):
        """The typed error that a call raises."""
        with self.assertRaises(ApiException) as caught:
            call(*args, **kwargs)
        e = caught.exception
        self.assertIs(type(e), exception, e)
        if exception in (ConflictException, ApiException):  # the SDK has no type for these bodies
            e.data = m.ErrorResponse.from_json(e.body)
        if exception is UnprocessableEntityException:
            self.assertIs(type(e.data), m.HTTPValidationError)
            self.assertTrue(e.data.detail)
            for d in e.data.detail:
                self.assertTrue(d.msg and d.type)
            self.assertIs(m.ErrorResponse.from_json(e.body).success, False)
            return e.data
        self.assertIs(type(e.data), m.ErrorResponse, e)
        self.assertEqual((e.data.status, e.data.success), (e.status, False))
        self.assertTrue(e.data.error.message and e.data.error.type.endswith("Error"))
        return e.data

    def where(self, error):
        return sorted(".".join(str(part.actual_instance) for part in d.loc) for d in error.detail)

    def typed(self, connection, config, credentials):
        self.assertIs(type(connection), m.StorageConnectionModel)
        got = connection.provider_config.actual_instance
        self.assertIs(type(got), config)
        kept = got.credentials
        kept = getattr(kept, "actual_instance", kept)
        self.assertIs(type(kept), credentials)
        return got, kept

    def paged(self, call, total, key, **kwargs):
        """Reads a list by cursor and by offset: both give all, in one order."""
        by_cursor, cursor = [], None
        while True:
            page = call(limit=2, cursor=cursor, include_total=True, **kwargs)
            self.assertLessEqual(len(page.results), 2)
            self.assertEqual((page.pagination.page_size, page.pagination.total, page.pagination.total_pages), (2, total, (total + 1) // 2))
            by_cursor += page.results
            cursor = page.pagination.next_cursor
            if cursor is None:
                break
        by_offset = []
        for offset in range(0, total, 2):
            page = call(limit=2, offset=offset, **kwargs)
            self.assertEqual(page.pagination.page, offset // 2 + 1)
            self.assertIsNone(page.pagination.total)
            by_offset += page.results
        keys = [getattr(r, key) for r in by_cursor]
        self.assertEqual((len(keys), len(set(keys))), (total, total))
        self.assertEqual(keys, [getattr(r, key) for r in by_offset])
        return by_cursor
