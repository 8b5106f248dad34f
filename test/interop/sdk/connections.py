"""Connections."""

from datetime import datetime, timedelta, timezone

from mixpeek import models as m
from mixpeek.exceptions import BadRequestException, ConflictException, NotFoundException, UnprocessableEntityException

from world import ENV, MARKER, ODD_NAMES, Case, access_key, connect, make_bucket, make_sync, sdk, until


class Connections(Case):
    def test_s3_access_key(self):
        made = connect("access key", description="with ü", metadata={"team": {"id": 7}})
        config, credentials = self.typed(made, m.S3Config, m.S3AccessKeyCredentials)
        self.assertEqual((config.provider_type, config.region, config.endpoint_url), ("s3", ENV["S3_REGION"], ENV["S3_ENDPOINT"]))
        self.assertEqual((credentials.type, credentials.access_key_id, credentials.secret_access_key), ("access_key", ENV["S3_KEY"], MARKER))
        self.assertIsNone(credentials.session_token)
        self.assertEqual((made.name, made.description, made.metadata), ("access key", "with ü", {"team": {"id": 7}}))
        self.assertEqual((made.status, made.is_active, made.consecutive_failures, made.last_error), (m.TaskStatusEnum.ACTIVE, True, 0, None))
        self.assertRegex(made.connection_id, "^conn_[a-z0-9]{15}$")
        self.assertRegex(made.internal_id, "^int_[a-z0-9]{24}$")
        self.assertRegex(made.created_by_user_id, "^usr_[a-z0-9]{15}$")
        self.assertLess(abs(made.created_at - datetime.now(timezone.utc)), timedelta(minutes=5))
        got = sdk.connections.get_storage_connection_organizations(made.connection_id)
        self.assertEqual(got.to_dict(), made.to_dict())

    def test_s3_session_token(self):
        temporary = access_key(access_key_id=ENV["S3_TEMPORARY_KEY"], secret_access_key=ENV["S3_TEMPORARY_SECRET"], session_token=ENV["S3_SESSION_TOKEN"])
        _, credentials = self.typed(connect("session token", temporary), m.S3Config, m.S3AccessKeyCredentials)
        self.assertEqual((credentials.secret_access_key, credentials.session_token), (MARKER, MARKER))

    def test_s3_iam_role(self):
        role = {"role_arn": "arn:aws:iam::123456789012:role/mooring", "external_id": "an-external-id"}
        made = connect("role", {"region": "eu-west-1", "credentials": {"type": "iam_role", **role}}, test_before_save=False)
        config, credentials = self.typed(made, m.S3Config, m.S3RoleCredentials)
        self.assertEqual((config.region, config.use_ssl, config.verify_ssl), ("eu-west-1", True, True))
        self.assertEqual((credentials.type, credentials.role_arn), ("iam_role", role["role_arn"]))

    def test_tigris(self):
        got, credentials = self.typed(connect("tigris", provider="tigris"), m.TigrisConfig, m.TigrisAccessKeyCredentials)
        self.assertEqual((got.provider_type, got.region, got.endpoint_url), ("tigris", ENV["S3_REGION"], ENV["S3_ENDPOINT"]))
        self.assertEqual((credentials.type, credentials.secret_access_key), ("access_key", MARKER))
        bare = connect("tigris by default", {"credentials": access_key()["credentials"]}, "tigris", test_before_save=False)
        got, _ = self.typed(bare, m.TigrisConfig, m.TigrisAccessKeyCredentials)
        self.assertEqual((got.region, got.endpoint_url), ("auto", "https://fly.storage.tigris.dev"))

    def test_names_in_paths(self):
        for name in ODD_NAMES:
            with self.subTest(name):
                made = connect(name)
                for identifier in (name, made.connection_id):
                    self.assertEqual(sdk.connections.get_storage_connection_organizations(identifier).connection_id, made.connection_id)
                    self.assertTrue(sdk.connections.test_storage_connection_organizations(identifier).success)
                changed = sdk.connections.update_storage_connection_organizations(name, m.StorageConnectionUpdateRequest(description="odd"))
                self.assertEqual((changed.connection_id, changed.description), (made.connection_id, "odd"))
                self.assertEqual(sdk.connections.delete_storage_connection_organizations(name)["status"], "ARCHIVED")

    def test_paging(self):
        made = [connect(f"page {i}", provider="tigris").connection_id for i in range(5)]
        for c in made[:3]:
            sdk.connections.update_storage_connection_organizations(c, m.StorageConnectionUpdateRequest(status=m.TaskStatusEnum.SUSPENDED))
        only = m.ListStorageConnectionsRequest(provider_type="tigris", status="SUSPENDED", is_active=False)
        found = self.paged(sdk.connections.list_storage_connections_organizations, 3, "connection_id", list_storage_connections_request=only)
        self.assertEqual([c.connection_id for c in found], made[2::-1], "newest first")
        everything = sdk.connections.list_storage_connections_organizations()  # without a body
        self.assertIs(type(everything), m.StorageConnectionListResponse)
        self.assertGreaterEqual(everything.total, 5)
        for c in everything.results:
            self.assertIn(type(c.provider_config.actual_instance), (m.S3Config, m.TigrisConfig))
        self.refused(BadRequestException, sdk.connections.list_storage_connections_organizations, cursor="not one of ours")

    def test_taken_name(self):
        connect("taken")
        self.assertEqual(self.refused(ConflictException, connect, "taken").error.type, "ConflictError")
        other = connect("not taken").connection_id
        rename = m.StorageConnectionUpdateRequest(name="taken")
        self.refused(ConflictException, sdk.connections.update_storage_connection_organizations, other, rename)

    def test_invalid(self):
        self.assertEqual(self.where(self.refused(UnprocessableEntityException, connect, "a", {"region": "x"})), ["body.provider_config.credentials"])
        for credentials, at in ({"secret_access_key": MARKER}, "secret_access_key"), ({"secret_access_key": ""}, "secret_access_key"):
            error = self.refused(UnprocessableEntityException, connect, "a", access_key(**credentials))
            self.assertEqual(self.where(error), ["body.provider_config.credentials." + at])
        self.assertIn("body.name", self.where(self.refused(UnprocessableEntityException, connect, "conn_a")))
        for provider in "postgresql", "rss":
            self.assertIn("body.provider_type", self.where(self.refused(UnprocessableEntityException, connect, "a", {}, provider)))

    def test_wrong_secret(self):
        wrong = access_key(secret_access_key="wrong" * 8)
        error = self.refused(BadRequestException, connect, "wrong", wrong)
        self.assertNotIn("wrong" * 8, str(error.to_dict()))
        self.refused(NotFoundException, sdk.connections.get_storage_connection_organizations, "wrong")
        connect("wrong", wrong, test_before_save=False)
        read = sdk.connections.get_storage_connection_organizations
        until(lambda: read("wrong").consecutive_failures == 1)  # one that was not tested is checked at once
        result = sdk.connections.test_storage_connection_organizations("wrong")
        self.assertIs(type(result), m.StorageConnectionTestResponse)
        self.assertEqual((result.success, result.details["error_code"]), (False, "SignatureDoesNotMatch"))
        failed = read("wrong")
        self.assertEqual((failed.status, failed.consecutive_failures), (m.TaskStatusEnum.FAILED, 2))
        self.assertTrue(failed.last_error)
        for _ in range(3):
            sdk.connections.test_storage_connection_organizations("wrong")
        suspended = read("wrong")
        self.assertEqual((suspended.status, suspended.is_active, suspended.consecutive_failures), (m.TaskStatusEnum.SUSPENDED, False, 5))

    def test_marker_keeps_the_secret(self):
        made = connect("kept")
        patch, check = sdk.connections.update_storage_connection_organizations, sdk.connections.test_storage_connection_organizations
        config = made.provider_config.to_dict()
        config["verify_ssl"] = True
        changed = patch("kept", m.StorageConnectionUpdateRequest(provider_config=config, name="kept still", metadata={"a": 1}))
        self.typed(changed, m.S3Config, m.S3AccessKeyCredentials)
        self.assertEqual((changed.name, changed.metadata), ("kept still", {"a": 1}))
        self.assertTrue(check(made.connection_id).success)
        config["endpoint_url"] = "http://127.0.0.1:1"  # a kept secret does not go elsewhere
        error = self.refused(UnprocessableEntityException, patch, made.connection_id, m.StorageConnectionUpdateRequest(provider_config=config))
        self.assertIn("body.provider_config.credentials.secret_access_key", self.where(error))
        cleared = patch(made.connection_id, m.StorageConnectionUpdateRequest(description="", metadata={}))
        self.assertEqual(cleared.metadata, {})
        self.assertTrue(check(made.connection_id).success)

    def test_lifecycle(self):
        c = connect("lifecycle").connection_id
        patch, status = sdk.connections.update_storage_connection_organizations, m.TaskStatusEnum

        def to(**change):
            got = patch(c, m.StorageConnectionUpdateRequest(**change))
            self.assertEqual(got.is_active, got.status == status.ACTIVE)
            return got.status

        self.assertEqual(to(status=status.SUSPENDED), status.SUSPENDED)
        self.assertEqual(to(status=status.ACTIVE), status.ACTIVE)
        self.assertEqual(to(is_active=False), status.SUSPENDED)
        self.assertEqual(to(is_active=True), status.ACTIVE)
        self.refused(UnprocessableEntityException, patch, c, m.StorageConnectionUpdateRequest(status=status.FAILED))
        self.assertEqual(sdk.connections.delete_storage_connection_organizations(c)["connection_id"], c)
        ended = sdk.connections.get_storage_connection_organizations(c)
        self.typed(ended, m.S3Config, m.S3AccessKeyCredentials)
        self.assertEqual((ended.status, ended.is_active), (status.ARCHIVED, False))
        # There is no way back, and none on.
        self.refused(ConflictException, patch, c, m.StorageConnectionUpdateRequest(status=status.ACTIVE))
        self.refused(ConflictException, sdk.connections.test_storage_connection_organizations, c)
        self.refused(ConflictException, sdk.connections.list_google_drive_folders_organizations_connections, c)
        self.refused(ConflictException, make_sync, make_bucket("of an archived connection"), ended)
        connect("lifecycle")  # its name is free
        archived = patch("lifecycle", m.StorageConnectionUpdateRequest(status=status.ARCHIVED))
        self.assertEqual(archived.status, status.ARCHIVED)

    def test_folders_and_files(self):
        c = connect("browsed").connection_id
        folders = sdk.connections.list_google_drive_folders_organizations_connections
        root = folders(c)
        self.assertIs(type(root), m.ListFoldersResponse)
        self.assertEqual((root.parent_path, [f.name for f in root.results]), ("/", ["harbour"]))
        self.assertEqual([f.name for f in folders(c, path="harbour/media").results], ["legal"])
        files = sdk.connections.list_google_drive_files_organizations_connections(c, path="harbour/media", max_results=100)
        self.assertIn("ü @?&+%.csv", [f["name"] for f in files["results"]])
        self.assertEqual((files["total"], files["has_more"]), (3, False))
