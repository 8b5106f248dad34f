"""Buckets, keys, the audit trail and health."""

import functools
from datetime import datetime, timedelta, timezone

import mixpeek
from mixpeek import models as m
from mixpeek.exceptions import ApiException, ConflictException, ForbiddenException, NotFoundException, UnauthorizedException

from world import ENV, EMAIL, ODD_NAMES, URL, Case, Client, connect, make_bucket, make_sync, sdk, synced


class Buckets(Case):
    def test_bucket(self):
        schema = m.BucketSchemaInput.from_dict({"properties": {
            "title": {"type": "string", "required": True, "description": "d"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}},
            "file": {"type": "video"},
        }})
        unique = m.UniqueKeyConfig(fields=["title"], default_policy="upsert")
        request = m.BucketCreateRequest(bucket_name="a bucket", description="d", bucket_schema=schema, unique_key=unique, metadata={"a": [1]})
        made = sdk.buckets.create_bucket(request)
        self.assertIs(type(made), m.BucketResponse)
        self.assertEqual((made.bucket_name, made.description, made.metadata), ("a bucket", "d", {"a": [1]}))
        self.assertEqual(made.bucket_schema.to_dict(), schema.to_dict())
        self.assertEqual(made.unique_key.to_dict(), unique.to_dict())
        self.assertEqual((made.object_count, made.total_size_bytes, made.status, made.is_locked), (0, 0, "ACTIVE", False))
        self.assertEqual(self.refused(ConflictException, sdk.buckets.create_bucket, request).error.type, "ConflictError")

    def test_names_in_paths(self):
        for name in ODD_NAMES:
            with self.subTest(name):
                made = make_bucket(name)
                self.assertEqual(sdk.buckets.get_bucket(name).bucket_id, made.bucket_id)
                self.assertEqual(sdk.objects.list_objects_buckets(name).results, [])
                self.assertEqual(sdk.buckets.delete_bucket(name)["bucket_id"], made.bucket_id)

    def test_list(self):
        made = [make_bucket(f"listed {i}").bucket_id for i in range(3)]
        everything = sdk.buckets.list_buckets()  # without a body
        self.assertIs(type(everything), m.ListBucketsResponse)
        self.assertGreaterEqual(everything.total_count, 3)
        pages = [sdk.buckets.list_buckets(list_buckets_request=m.ListBucketsRequest(search="LISTED", limit=2, offset=o)) for o in (0, 2)]
        self.assertEqual([b.bucket_id for p in pages for b in p.results], made[::-1])
        self.assertEqual([p.total_count for p in pages], [3, 3])
        one = sdk.buckets.list_buckets(list_buckets_request=m.ListBucketsRequest(filters={"bucket_name": "listed 1"}))
        self.assertEqual([b.bucket_id for b in one.results], made[1:2])

    def test_namespaces(self):
        for name in "default", None:
            sdk.buckets.list_buckets(x_namespace=name)
        self.refused(NotFoundException, sdk.buckets.list_buckets, x_namespace="nowhere")

    def test_delete(self):
        made = make_bucket("to be deleted")
        bucket = made.bucket_id
        task = sdk.buckets.delete_bucket(bucket)
        self.assertEqual((task["bucket_id"], task["bucket_name"], task["status"], task["object_count"]), (bucket, "to be deleted", "PENDING", 0))
        followed = sdk.tasks.get_task(task["task_id"])
        self.assertIs(type(followed), m.TaskResponse)
        self.assertIn(followed.status, ("PENDING", "COMPLETED"))
        with self.assertRaises(ApiException) as caught:
            make_sync(made, connect("for a deleted bucket"))
        self.assertIn(type(caught.exception), (ConflictException, NotFoundException))  # being removed, or gone

    def test_not_served(self):
        bucket = make_bucket("not served").bucket_id
        error = self.refused(ApiException, sdk.buckets.patch_bucket, bucket, m.BucketPatchRequest(description="d"))
        self.assertEqual((error.status, error.error.type), (405, "MethodNotAllowedError"))
        self.refused(NotFoundException, sdk.analytics.get_bucket_storage_analytics, bucket)


class Access(Case):
    def key(self, name, **more):
        return sdk.keys.create_key_organizations_users_email(EMAIL, m.APIKeyCreateRequest(name=name, **more))

    def test_keys(self):
        ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=1)
        scope = m.ResourceScopeInput(resource_type="bucket", resource_id="*", operations=["read_data"])
        for name in ODD_NAMES:
            with self.subTest(name):
                made = self.key(name, description="d", permissions=["read", "write"], scopes=[scope], rate_limit_override=500, expires_at=ends)
                self.assertIs(type(made), m.APIKeyCreateResponse)
                self.assertTrue(made.key.startswith(made.key_prefix.rstrip(".")))
                self.assertEqual((made.name, made.key_hash, made.status, made.expires_at, made.rate_limit_override), (name, "", "active", ends, 500))
                self.assertEqual((made.permissions, made.scopes[0].to_dict()), (["read", "write"], scope.to_dict()))
                self.refused(ConflictException, self.key, name)
                Client(made.key).buckets.list_buckets()
                rotated = sdk.keys.rotate_key_organizations_users_email_name(EMAIL, name)
                self.assertNotEqual(rotated.key, made.key)
                self.refused(UnauthorizedException, Client(made.key).buckets.list_buckets)
                Client(rotated.key).buckets.list_buckets()
                changed = sdk.keys.update_key_organizations_users_email_name(EMAIL, name, m.APIKeyUpdateRequest(permissions=["read"], scopes=[]))
                self.assertIs(type(changed), m.APIKeyModel)
                self.assertEqual((changed.permissions, changed.scopes), (["read"], []))
                self.assertTrue(sdk.keys.delete_key_organizations_users_email_name(EMAIL, name).success)
                self.refused(UnauthorizedException, Client(rotated.key).buckets.list_buckets)
        listed = sdk.keys.list_keys_organizations_users_email
        self.assertNotIn("a/b", [k["name"] for k in listed(EMAIL)["results"]])
        self.assertIn("a/b", [k["name"] for k in listed(EMAIL, include_revoked=True)["results"]])
        self.refused(NotFoundException, listed, "ü/nobody@example.com")

    def test_unauthorized(self):
        for key in None, "mk_wrong", "":
            error = self.refused(UnauthorizedException, Client(key).connections.list_storage_connections_organizations)
            self.assertEqual(error.error.type, "UnauthorizedError")
        own = mixpeek.BucketsApi(mixpeek.ApiClient(mixpeek.Configuration(host=URL)))
        bearer = "Bearer " + ENV["MOORING_API_KEY"]  # per call, as the SDK's texts show
        self.assertIs(type(own.list_buckets(authorization=bearer)), m.ListBucketsResponse)
        self.assertIs(type(own.list_buckets(authorization=bearer, authorization2=bearer)), m.ListBucketsResponse)

    def test_read_only(self):
        bucket, sync = synced()
        reader = Client(self.key("reader", permissions=["read"]).key)
        reader.connections.list_storage_connections_organizations()
        reader.syncs.get_sync_configuration_buckets_id_config(bucket.bucket_id, sync.sync_config_id)
        for call, *args in (
            (reader.connections.create_storage_connection_organizations, m.StorageConnectionCreateRequest(name="r", provider_type="s3", provider_config={})),
            (reader.connections.delete_storage_connection_organizations, sync.connection_id),
            (reader.syncs.trigger_sync_configuration_buckets_id_config, bucket.bucket_id, sync.sync_config_id),
            (reader.buckets.delete_bucket, bucket.bucket_id),
            (reader.audit.list_audit_logs_organizations,),
            (reader.keys.list_keys_organizations_users_email, EMAIL),
        ):
            self.assertEqual(self.refused(ForbiddenException, call, *args).error.type, "ForbiddenError")

    def test_missing(self):
        bucket, _ = synced()
        for call, *args in (
            (sdk.connections.get_storage_connection_organizations, "no/such ü"),
            (sdk.connections.test_storage_connection_organizations, "conn_000000000000000"),
            (sdk.buckets.get_bucket, "no/such ü"),
            (sdk.syncs.get_sync_configuration_buckets_id_config, bucket.bucket_id, "sync_0"),
            (sdk.objects.get_object_buckets, bucket.bucket_id, "a/b ü"),
            (sdk.audit.get_audit_log_organizations, "aud_0"),
            (sdk.tasks.get_task, "task_0"),
        ):
            self.assertEqual(self.refused(NotFoundException, call, *args).error.type, "NotFoundError")

    def test_audit(self):
        made = connect("audited", metadata={"n": 1}).connection_id
        sdk.connections.delete_storage_connection_organizations(made)
        trail = functools.partial(sdk.audit.list_audit_logs_organizations, resource_type="storage_connection", resource_id=made)
        found = trail()
        self.assertIs(type(found), m.AuditEventListResponse)
        self.assertEqual([e.action for e in found.results], ["storage_connection_deleted", "storage_connection_created"])
        self.assertEqual((found.total, found.skip, found.limit), (2, 0, 50))
        self.assertEqual([e.action for e in trail(skip=1, limit=1).results], ["storage_connection_created"])
        self.assertEqual(trail(action="storage_connection_deleted", actor_id=found.results[0].actor_id).total, 1)
        today = datetime.now(timezone.utc)
        self.assertEqual(trail(start=(today - timedelta(hours=1)).isoformat(), end=(today + timedelta(hours=1)).isoformat()).total, 2)
        self.assertEqual(trail(end=(today - timedelta(hours=1)).isoformat()).total, 0)
        one = sdk.audit.get_audit_log_organizations(found.results[0].audit_id)
        self.assertEqual(one.to_dict(), found.results[0].to_dict())
        for on in True, False:
            sdk.audit.update_audit_settings_organizations(m.AuditSettingsUpdateRequest(read_auditing_enabled=on))
            self.assertIs(sdk.audit.get_audit_settings_organizations().read_auditing_enabled, on)


class Health(Case):
    def test_health(self):
        anybody = Client(None).health
        for call in anybody.healthcheck_health, anybody.healthcheck_health_0:
            got = call(deep=True, metrics=True)
            self.assertIs(type(got), m.HealthCheckResponse)
            self.assertEqual(got.status, "OK")
        for call in anybody.liveness_health, anybody.liveness_health_0, anybody.celery_beat_health, anybody.celery_beat_health_0:
            self.assertEqual(call(), {"status": "ok"})
