"""Syncs, what they bring, and what is told about them."""

import functools
from datetime import datetime, timezone

from mixpeek import models as m
from mixpeek.exceptions import BadRequestException, ConflictException, NotFoundException, UnprocessableEntityException

from world import FILTERS, Case, connect, field, make_bucket, make_sync, mapping, sdk, synced, trigger, wait_for


class Syncs(Case):
    def test_everything_typed(self):
        bucket, sync = synced()
        self.assertIs(type(sync), m.SyncConfigurationModel)
        self.assertEqual((sync.status, sync.is_active, sync.sync_mode, sync.metadata), ("COMPLETED", False, "initial_only", {"for": ["tests"]}))
        self.assertEqual((sync.total_files_synced, sync.total_files_failed, sync.total_bytes_synced), (3, 0, 21))
        self.assertEqual((sync.sync_run_counter, sync.batch_ids, sync.last_error), (1, [], None))
        self.assertIsNotNone(sync.last_sync_at)
        sent, got = mapping().mappings, sync.schema_mapping.mappings
        self.assertEqual(sent.keys(), got.keys())
        for name in sent:
            a, b = sent[name].actual_instance, got[name].actual_instance
            self.assertIs(type(a), type(b), name)
            self.assertIs(type(a.source.actual_instance), type(b.source.actual_instance), name)
            self.assertEqual(a.to_dict(), b.to_dict(), name)
        filters = sync.file_filters
        self.assertIs(type(filters), m.FileFilters)
        for name in "include_patterns", "exclude_patterns", "min_size_bytes", "max_size_bytes", "mime_types":
            self.assertEqual(getattr(filters, name), FILTERS[name], name)
        self.assertEqual(filters.modified_after, datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc))

    def test_mapping_changes(self):
        sync = make_sync(make_bucket("mapped anew"), connect("mapped anew"))
        change = m.SyncUpdateRequest(schema_mapping=mapping(), polling_interval_seconds=30, batch_size=1, skip_batch_submission=True, metadata={"a": 1}, description="d")
        got = sdk.syncs.update_sync_configuration_buckets_id_config(sync.bucket_id, sync.sync_config_id, change)
        self.assertEqual(got.schema_mapping.to_dict(), mapping().to_dict())
        self.assertEqual((got.polling_interval_seconds, got.batch_size, got.skip_batch_submission, got.metadata), (30, 1, True, {"a": 1}))

    def test_lifecycle(self):
        bucket, connection = make_bucket("lifecycle"), connect("sync lifecycle")
        sync = make_sync(bucket, connection)
        self.assertEqual((sync.status, sync.is_active, sync.paused, sync.sync_mode), ("PENDING", True, False, "continuous"))
        of = bucket.bucket_id, sync.sync_config_id
        idle = wait_for(sync, lambda s: s.status == "ACTIVE" and s.total_files_synced == 4 and s.locked_by_worker_id is None)
        self.assertIsNotNone(idle.next_sync_at)
        pause = sdk.syncs.pause_sync_configuration_buckets_id_config
        for paused in pause(*of), pause(*of):
            self.assertEqual((paused.status, paused.is_active, paused.paused, paused.next_sync_at), ("SUSPENDED", False, True, None))
            self.assertIsNotNone(paused.paused_at)
        resumed = sdk.syncs.resume_sync_configuration_buckets_id_config(*of)
        self.assertEqual((resumed.status, resumed.is_active, resumed.paused, resumed.paused_at), ("ACTIVE", True, False, None))
        patch = sdk.syncs.update_sync_configuration_buckets_id_config
        for change, status in (
            ({"is_active": False}, "SUSPENDED"), ({"is_active": True}, "ACTIVE"), ({"status": "SUSPENDED"}, "SUSPENDED"), ({"status": "ACTIVE"}, "ACTIVE"),
        ):
            self.assertEqual(patch(*of, m.SyncUpdateRequest(**change)).status, status)
        job = trigger(sync)
        self.assertEqual((job["sync_config_id"], job["bucket_id"], job["status"]), (of[1], of[0], "PENDING"))
        self.assertTrue(job["sync_job_id"])
        wait_for(sync, lambda s: s.sync_run_counter > job["sync_run_counter"] and s.locked_by_worker_id is None)
        self.assertIs(sdk.syncs.delete_sync_configuration_buckets_id_config(*of)["success"], True)
        self.refused(NotFoundException, sdk.syncs.get_sync_configuration_buckets_id_config, *of)

    def test_failed(self):
        sync = make_sync(make_bucket("failing"), connect("failing"), path="no-such-bucket")
        for failures in range(1, 5):
            got = wait_for(sync, lambda s: s.consecutive_failures == failures and s.locked_by_worker_id is None)
            self.assertNotEqual(got.status, "FAILED")
            trigger(sync)
        failed = wait_for(sync, lambda s: s.consecutive_failures == 5)
        self.assertEqual((failed.status, failed.is_active), ("FAILED", False))
        self.assertTrue(failed.last_error)
        health = sdk.analytics.get_bucket_health_analytics(sync.bucket_id)
        self.assertIs(type(health), m.BucketHealthResponse)
        self.assertEqual((health.overall_health, health.sync_health[0].consecutive_failures, health.sync_health[0].failure_rate), ("unhealthy", 5, 1))
        self.assertEqual((health.total_errors, health.error_breakdown[0].count, health.error_breakdown[0].percentage), (5, 5, 100))

    def test_paging(self):
        bucket, connection = make_bucket("many syncs"), connect("many syncs")
        sdk.connections.update_storage_connection_organizations(connection.connection_id, m.StorageConnectionUpdateRequest(is_active=False))
        made = [make_sync(bucket, connection, f"harbour/{i}").sync_config_id for i in range(3)]
        sdk.syncs.pause_sync_configuration_buckets_id_config(bucket.bucket_id, made[0])
        found = functools.partial(sdk.syncs.list_sync_configurations_buckets, bucket.bucket_id)
        self.assertEqual([s.sync_config_id for s in self.paged(found, 3, "sync_config_id")], made[::-1])
        only = m.ListSyncConfigurationsRequest(connection_id=connection.connection_id, status="SUSPENDED", is_active=False)
        self.assertEqual([s.sync_config_id for s in found(list_sync_configurations_request=only).results], made[:1])
        self.assertEqual(found().total, 3)

    def test_refusals(self):
        bucket, connection = make_bucket("refusing"), connect("refusing")
        make_sync(bucket, connection)
        self.refused(ConflictException, make_sync, bucket, connection)  # the paths overlap
        for source in m.ColumnSource(name="A"), m.DrivePropertySource(key="starred"), m.RSSFieldSource(field="title"), m.FileSource():
            bad = m.SchemaMappingInput(mappings={"x": field(source)})
            error = self.refused(UnprocessableEntityException, make_sync, bucket, connection, "harbour/x", schema_mapping=bad)
            self.assertTrue(self.where(error)[0].startswith("body.schema_mapping.mappings.x"), self.where(error))
        error = self.refused(UnprocessableEntityException, make_sync, bucket, connection, "harbour/x", file_filters={"min_size_bytes": -1})
        self.assertEqual(self.where(error), ["body.file_filters.min_size_bytes"])
        nobody = m.StorageConnectionModel.from_dict({**connection.to_dict(), "connection_id": "conn_000000000000000"})
        self.refused(NotFoundException, make_sync, bucket, nobody)


class Objects(Case):
    def all(self, **query):
        bucket, _ = synced()
        return sdk.objects.list_objects_buckets(bucket.bucket_id, list_objects_request=m.ListObjectsRequest.from_dict(query)).results

    def names(self, **query):
        return [o.additional_properties["source_path"].rpartition("/")[2] for o in self.all(**query)]

    def test_mapped(self):
        talk = self.all(search="TALK")[0]
        self.assertIs(type(talk), m.ObjectResponse)
        self.assertEqual(talk.status, m.TaskStatusEnum.DRAFT)
        got = talk.additional_properties
        for name, want in {
            "category": "sports", "author": "Ada", "facts": {"pages": 3}, "day": "2025-01-02", "team": "media", "folder": "media", "parent": "media",
            "origin": {"env": "prod", "level": 2}, "source_provider": "s3",
        }.items():
            self.assertEqual(got.get(name), want, name)
        blobs = {b.var_property: b for b in talk.blobs}
        content, poster = blobs["content"], blobs["poster"]
        self.assertEqual((content.type, content.details.filename, content.details.size_bytes, content.details.mime_type), ("text", "2025-01-02 talk.txt", 4, "text/plain"))
        self.assertRegex(content.details.hash, "^sha256:[0-9a-f]{64}$")
        self.assertEqual((poster.type, poster.properties["url"]), ("image", "https://example.com/a.png"))
        signed = self.all(search="signed")[0].additional_properties
        self.assertEqual((signed["day"], signed["folder"], signed["parent"], "category" in signed), ("NEVER", "media/legal/2023", "2023", False))

    def test_list(self):
        talk, signed, odd = "2025-01-02 talk.txt", "signed.pdf", "ü @?&+%.csv"
        for want, query in (
            ([talk, signed, odd], {"sort": {"field": "source_path"}}),
            ([odd, signed, talk], {"sort": {"field": "source_path", "direction": "desc"}}),
            ([signed, talk, odd], {"sort": {"field": "size_bytes", "direction": "desc"}}),
            ([signed], {"filters": {"mime_type": "application/pdf"}}),
            ([signed], {"filters": {"AND": [{"field": "size_bytes", "operator": "gt", "value": 4}, {"field": "source_path", "operator": "starts_with", "value": "media/"}]}}),
            ([odd], {"filters": {"AND": [{"field": "size_bytes", "operator": "in", "value": [3, 5]}]}}),
            ([odd], {"search": "ü @?&"}),
            ([], {"search": "left-out"}),
        ):
            with self.subTest(query):
                self.assertEqual(self.names(**query), want)
        for query in {"filters": {"color": "red"}}, {"filters": {"OR": [{"size_bytes": 1}]}}, {"sort": {"field": "color"}}:
            self.refused(BadRequestException, self.all, **query)
        self.assertEqual(self.names(select=["source_path"], search="talk"), [talk])
        bucket, _ = synced()
        self.paged(functools.partial(sdk.objects.list_objects_buckets, bucket.bucket_id), 3, "object_id")

    def test_get_and_delete(self):
        bucket = make_bucket("to delete from")
        wait_for(make_sync(bucket, connect("to delete from"), sync_mode="initial_only"), lambda s: s.status == "COMPLETED")
        found = sdk.objects.list_objects_buckets(bucket.bucket_id)
        self.assertEqual(len(found.results), 4)
        of = bucket.bucket_id, found.results[0].object_id
        for presigned in False, True:
            self.assertEqual(sdk.objects.get_object_buckets(*of, return_presigned_urls=presigned).to_dict(), found.results[0].to_dict())
        deleted = sdk.objects.delete_object_buckets_with_http_info(*of)
        self.assertEqual((deleted.status_code, deleted.data), (204, None))
        self.refused(NotFoundException, sdk.objects.get_object_buckets, *of)
        self.assertEqual(len(sdk.objects.list_objects_buckets(bucket.bucket_id).results), 3)

    def test_analytics(self):
        bucket, sync = synced()
        performance = sdk.analytics.get_sync_performance_analytics_buckets(bucket.bucket_id, sync_config_id=sync.sync_config_id, hours=1, limit=1)
        self.assertIs(type(performance), m.SyncPerformanceResponse)
        run = performance.runs[0]
        self.assertEqual((run.files_synced, run.bytes_synced, run.status, run.provider_type), (3, 21, "COMPLETED", "s3"))
        compared = sdk.analytics.get_sync_comparison_analytics_buckets(bucket.bucket_id, hours=1)
        self.assertIs(type(compared), m.SyncComparisonResponse)
        self.assertEqual((compared.configs[0].success_rate, compared.configs[0].total_files_synced), (1, 3))
        health = sdk.analytics.get_bucket_health_analytics(bucket.bucket_id, hours=1)
        self.assertEqual((health.overall_health, health.total_errors, health.error_breakdown, health.stuck_syncs), ("healthy", 0, [], []))
