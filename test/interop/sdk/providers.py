"""Google Drive, SharePoint and Snowflake, with each kind of credentials."""

import functools
import json

from mixpeek import models as m
from mixpeek.exceptions import BadRequestException, ConflictException, UnprocessableEntityException

from world import ENV, MARKER, Case, blob, connect, field, make_bucket, make_sync, sdk, until, wait_for

CLOUDS = json.loads(ENV["CLOUDS"])
TYPES = {
    "service_account": (m.GoogleDriveConfig, m.GoogleDriveServiceAccountCredentials),
    "oauth": (m.GoogleDriveConfig, m.GoogleDriveOAuthCredentials),
    "client_credentials": (m.SharePointConfig, m.SharePointClientCredentials),
    "delegated": (m.SharePointConfig, m.SharePointDelegatedCredentials),
    "key_pair": (m.SnowflakeConfig, m.SnowflakeKeyPairCredentials),
    "username_password": (m.SnowflakeConfig, m.SnowflakeUsernamePasswordCredentials),
}
SECRETS = "private_key", "client_secret", "refresh_token", "password"


def for_each(*providers):
    """Runs a test with every kind of credentials, each as a case of its own."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            self.assertEqual(CLOUDS.keys(), TYPES.keys())
            for kind, cloud in CLOUDS.items():
                if not providers or cloud["provider"] in providers:
                    with self.subTest(kind):
                        test(self, kind, cloud)
        return run
    return decorate


class Providers(Case):
    def kept(self, made, kind):
        """The typed config of a connection, whose secrets are markers."""
        config, credentials = self.typed(made, *TYPES[kind])
        self.assertEqual((config.provider_type, credentials.type), (CLOUDS[kind]["provider"], kind))
        sent = CLOUDS[kind]["config"]["credentials"]
        for name, value in sent.items():
            if name in type(credentials).model_fields:
                self.assertEqual(getattr(credentials, name), MARKER if name in SECRETS else value, name)
        return config

    def connected(self, kind, name):
        cloud = CLOUDS[kind]
        return connect(f"{kind} {name}", cloud["config"], cloud["provider"])

    @for_each()
    def test_typed(self, kind, cloud):
        patch = sdk.connections.update_storage_connection_organizations
        made = self.connected(kind, "typed")
        self.kept(made, kind)
        c = made.connection_id
        got = sdk.connections.get_storage_connection_organizations(c)
        self.assertEqual(got.to_dict(), made.to_dict())
        only = m.ListStorageConnectionsRequest(provider_type=cloud["provider"])
        for listed in sdk.connections.list_storage_connections_organizations(list_storage_connections_request=only).results:
            self.assertIs(type(listed.provider_config.actual_instance), TYPES[kind][0])
        self.assertTrue(sdk.connections.test_storage_connection_organizations(c).success)
        # What was read can be sent back, and changed: the secrets stay.
        config = made.provider_config.to_dict()
        change = {"sharepoint": {"folder_path": "/Ship"}, "snowflake": {"query_timeout_seconds": 60}}.get(cloud["provider"], {})
        changed = self.kept(patch(c, m.StorageConnectionUpdateRequest(provider_config={**config, **change})), kind)
        for name, value in change.items():
            self.assertEqual(getattr(changed, name), value)
        self.assertTrue(sdk.connections.test_storage_connection_organizations(c).success)
        self.assertEqual(sdk.connections.delete_storage_connection_organizations(c)["status"], "ARCHIVED")
        self.kept(sdk.connections.get_storage_connection_organizations(c), kind)
        self.refused(ConflictException, sdk.connections.test_storage_connection_organizations, c)

    @for_each()
    def test_wrong_secret(self, kind, cloud):
        config = {**cloud["config"], "credentials": {**cloud["config"]["credentials"], **cloud["wrong"]}}
        error = self.refused(BadRequestException, connect, f"{kind} wrong", config, cloud["provider"])
        self.assertIn(cloud["advice"], error.error.message)
        made = connect(f"{kind} wrong", config, cloud["provider"], test_before_save=False)
        read = sdk.connections.get_storage_connection_organizations
        until(lambda: read(made.connection_id).consecutive_failures == 1)  # one that was not tested is checked at once
        result = sdk.connections.test_storage_connection_organizations(made.connection_id)
        self.assertEqual((type(result), result.success), (m.StorageConnectionTestResponse, False))
        self.assertTrue(result.details["error_code"])
        failed = read(made.connection_id)
        self.assertEqual((failed.status, failed.consecutive_failures), (m.TaskStatusEnum.FAILED, 2))
        for text in error.error.message, result.message, failed.last_error:
            for value in cloud["wrong"].values():
                self.assertNotIn(value, text)

    @for_each()
    def test_invalid(self, kind, cloud):
        credentials = cloud["config"]["credentials"]
        for name in SECRETS:
            if name in credentials:
                config = {**cloud["config"], "credentials": {**credentials, name: MARKER}}
                error = self.refused(UnprocessableEntityException, connect, "nothing to keep", config, cloud["provider"])
                self.assertEqual(self.where(error), ["body.provider_config.credentials." + name])

    @for_each("google_drive", "sharepoint")
    def test_folders_and_files(self, kind, cloud):
        folders = sdk.connections.list_google_drive_folders_organizations_connections
        files = sdk.connections.list_google_drive_files_organizations_connections
        c = self.connected(kind, "browsed").connection_id
        above = folders(c)
        self.assertIs(type(above), m.ListFoldersResponse)
        ship = {f.name: f for f in above.results}["Ship"]
        self.assertEqual(ship.path, cloud["path"])
        self.assertEqual([f.name for f in folders(c, path=ship.path).results], ["Legal"])
        found = files(c, path=ship.path, max_results=100)
        self.assertEqual([(f["name"], f["size_bytes"]) for f in found["results"]], [("2025-01-02 log.txt", 4)])
        self.assertEqual((found["total"], found["has_more"]), (1, False))

    def synced(self, kind, mapping):
        """The objects that a connection of a kind brings, by their source path."""
        bucket, connection = make_bucket(f"{kind} synced"), self.connected(kind, "synced")
        mappings = m.SchemaMappingInput(mappings=mapping)
        sync = make_sync(bucket, connection, CLOUDS[kind]["path"], sync_mode="initial_only", schema_mapping=mappings)
        self.assertEqual(sync.source_path, CLOUDS[kind]["path"])
        for name, entry in mappings.mappings.items():
            self.assertEqual(sync.schema_mapping.mappings[name].to_dict(), entry.to_dict(), name)
        done = wait_for(sync, lambda s: s.status not in ("PENDING", "ACTIVE"))
        self.assertEqual((done.status, done.total_files_synced, done.total_files_failed), ("COMPLETED", 2, 0), done.last_error)
        found = sdk.objects.list_objects_buckets(bucket.bucket_id).results
        return {o.additional_properties["source_path"]: o for o in found}

    def fields(self, objects, path, **want):
        got = objects[path].additional_properties
        self.assertEqual({name: got.get(name) for name in want}, want)

    @for_each("google_drive", "sharepoint")
    def test_files_synced(self, kind, cloud):
        mapping = {
            "content": blob(m.FileSource(), blob_type="auto", blob_property="content"),
            "title": field(m.DrivePropertySource(key="name"), transform="uppercase"),
            "size": field(m.DrivePropertySource(key="size")),
            "folder": field(m.FolderPathSource(full_path=True)),
            "first": field(m.FolderPathSource(segment=0)),
            "day": field(m.FilenameRegexSource(pattern=r"^(\d{4}-\d{2}-\d{2})", default="never")),
        }
        drive = cloud["provider"] == "google_drive"
        more = {"team": field(m.DrivePropertySource(key="team")), "starred": field(m.DrivePropertySource(key="starred"))} if drive else {}
        odd = "ü &?.csv" if drive else "ü &.csv"
        objects = self.synced(kind, {**mapping, **more})
        self.assertEqual(objects.keys(), {"2025-01-02 log.txt", "Legal/" + odd})
        self.fields(objects, "2025-01-02 log.txt", title="2025-01-02 LOG.TXT", size=4, day="2025-01-02", source_provider=cloud["provider"])
        self.fields(objects, "Legal/" + odd, title=odd.upper(), size=3, day="never")
        if drive:
            self.fields(objects, "2025-01-02 log.txt", team="bridge", starred=True)
            self.fields(objects, "Legal/" + odd, starred=False)
        content, = objects["2025-01-02 log.txt"].blobs
        self.assertEqual((content.type, content.details.size_bytes, content.details.mime_type), ("text", 4, "text/plain"))
        self.assertEqual(objects["Legal/" + odd].additional_properties["folder"].rpartition("/")[2], "Legal")

    @for_each("snowflake")
    def test_rows_synced(self, kind, cloud):
        mapping = {
            "number": field(m.ColumnSource(name="id")),
            "team": field(m.ColumnSource(name="TEAM"), transform="trim"),
            "facts": field(m.ColumnSource(name="FACTS"), transform="json_parse"),
        }
        objects = self.synced(kind, mapping)
        self.assertEqual(objects.keys(), {"1.json", "2.json"})
        self.fields(objects, "1.json", number=1, team="Bridge", facts={"pages": 3}, source_provider="snowflake")
        self.fields(objects, "2.json", number=2)

    @for_each()
    def test_foreign_sources(self, kind, cloud):
        """A provider's kinds of sources are not another's."""
        foreign = {
            "google_drive": (m.ColumnSource(name="A"), m.S3TagSource(key="a")),
            "sharepoint": (m.ColumnSource(name="A"), m.S3MetadataSource(key="a")),
            "snowflake": (m.DrivePropertySource(key="name"), m.FolderPathSource()),
        }
        bucket, connection = make_bucket(f"{kind} foreign"), self.connected(kind, "foreign")
        for source in foreign[cloud["provider"]]:
            bad = m.SchemaMappingInput(mappings={"x": field(source)})
            error = self.refused(UnprocessableEntityException, make_sync, bucket, connection, cloud["path"], schema_mapping=bad)
            self.assertTrue(self.where(error)[0].startswith("body.schema_mapping.mappings.x"), self.where(error))
