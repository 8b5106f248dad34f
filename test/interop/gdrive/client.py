"""Reads the emulator through google-api-python-client, as an application reads Drive.

python_test.go starts the emulator and says by environment variables where it is and
what is in it. A POST to STEP_URL/name makes a change that a test is to see.
"""

import hashlib
import io
import json
import os
import unittest
import urllib.request

import google.auth.exceptions
import google.oauth2.credentials
import google.oauth2.service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload

SCOPES = ["https://www.googleapis.com/auth/drive.readonly"]
WORLD = json.loads(os.environ["WORLD"])
EVERYWHERE = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}


def service(credentials):
    return build(
        "drive", "v3", credentials=credentials, static_discovery=True, cache_discovery=False,
        client_options={"api_endpoint": os.environ["API"]},
    )


def robot(subject=None, **changed):
    info = json.loads(os.environ["KEY"]) | changed
    return google.oauth2.service_account.Credentials.from_service_account_info(info, scopes=SCOPES, subject=subject)


def consented(refresh_token):
    return google.oauth2.credentials.Credentials(
        None, refresh_token=refresh_token, token_uri=os.environ["TOKEN_URL"],
        client_id=WORLD["clientID"], client_secret=WORLD["clientSecret"],
    )


def step(name):
    urllib.request.urlopen(urllib.request.Request(f"{os.environ['STEP_URL']}/{name}", method="POST")).close()


def pages(list, next, **args):
    """All files of a list, page by page."""
    request, out = list(**args), []
    while request is not None:
        answer = request.execute()
        out += answer.get("files", [])
        request = next(request, answer)
    return out


class Reading(unittest.TestCase):
    def setUp(self):
        self.drive = service(robot(WORLD["ada"]))
        self.addCleanup(self.drive.close)
        self.files = self.drive.files()

    def test_lists_page_by_page(self):
        found = pages(
            self.files.list, self.files.list_next, pageSize=2, q=f"'{WORLD['docs']}' in parents and trashed = false",
            fields="nextPageToken,files(id,name,mimeType,size,md5Checksum,sha256Checksum,parents)",
        )
        self.assertEqual(WORLD["names"], sorted(f["name"] for f in found))
        self.assertEqual(len(found), len({f["id"] for f in found}))
        text = next(f for f in found if f["id"] == WORLD["text"])
        self.assertEqual(
            ("5", [WORLD["docs"]], hashlib.md5(b"ahoy\n").hexdigest(), hashlib.sha256(b"ahoy\n").hexdigest()),
            (text["size"], text["parents"], text["md5Checksum"], text["sha256Checksum"]),
        )
        plan = next(f for f in found if f["id"] == WORLD["plan"])
        self.assertNotIn("md5Checksum", plan)

    def test_quotes_in_a_query(self):
        name = "it's \\ \"odd\" & ü.txt"
        quoted = name.replace("\\", "\\\\").replace("'", "\\'")
        found = self.files.list(q=f"name = '{quoted}'").execute()["files"]
        self.assertEqual([name], [f["name"] for f in found])

    def test_stats(self):
        item = self.files.get(fileId=WORLD["big"], fields="*").execute()
        self.assertEqual(("drive#file", str(WORLD["bigSize"]), True), (item["kind"], item["size"], item["capabilities"]["canDownload"]))
        self.assertEqual({"kind", "id", "name", "mimeType"}, set(self.files.get(fileId=WORLD["big"]).execute()))
        self.assertEqual(WORLD["root"], self.files.get(fileId="root", fields="id").execute()["id"])

    def test_reads_in_chunks(self):
        out = io.BytesIO()
        download = MediaIoBaseDownload(out, self.files.get_media(fileId=WORLD["big"]), chunksize=70_000)
        chunks, done = 0, False
        while not done:
            _, done = download.next_chunk()
            chunks += 1
        self.assertEqual(5, chunks)
        self.assertEqual(WORLD["bigSHA256"], hashlib.sha256(out.getvalue()).hexdigest())

    def test_reads_what_is_empty(self):
        out = io.BytesIO()
        _, done = MediaIoBaseDownload(out, self.files.get_media(fileId=WORLD["empty"])).next_chunk()
        self.assertEqual((True, b""), (done, out.getvalue()))

    def test_exports(self):
        self.assertEqual(b"the plan, exported", self.files.export(fileId=WORLD["plan"], mimeType=WORLD["docx"]).execute())
        formats = self.drive.about().get(fields="exportFormats").execute()["exportFormats"]
        self.assertIn(WORLD["docx"], formats["application/vnd.google-apps.document"])

    def test_shared_drives(self):
        drives = self.drive.drives().list().execute()["drives"]
        self.assertEqual([WORLD["team"]], [d["id"] for d in drives])
        found = self.files.list(corpora="drive", driveId=WORLD["team"], **EVERYWHERE).execute()["files"]
        self.assertIn(WORLD["teamDoc"], [f["id"] for f in found])
        self.assertNotIn(WORLD["teamDoc"], [f["id"] for f in self.files.list().execute()["files"]])
        content = self.files.get_media(fileId=WORLD["teamDoc"], supportsAllDrives=True).execute()
        self.assertEqual(b"for all of us", content)

    def test_revisions_and_permissions(self):
        head = self.files.get(fileId=WORLD["text"], fields="headRevisionId").execute()["headRevisionId"]
        revisions = self.drive.revisions()
        self.assertIn(head, [r["id"] for r in revisions.list(fileId=WORLD["text"]).execute()["revisions"]])
        self.assertEqual(b"ahoy\n", revisions.get_media(fileId=WORLD["text"], revisionId=head).execute())
        permissions = self.drive.permissions().list(fileId=WORLD["text"], fields="permissions(emailAddress,role)").execute()
        self.assertEqual([{"emailAddress": WORLD["ada"], "role": "owner"}], permissions["permissions"])


class Following(unittest.TestCase):
    def setUp(self):
        self.drive = service(robot(WORLD["ada"]))
        self.addCleanup(self.drive.close)

    def follow(self, token, **args):
        """The changes from a token on, and the token of the next time."""
        changes, out = self.drive.changes(), []
        request = changes.list(pageToken=token, pageSize=1, **args)
        while request is not None:
            answer = request.execute()
            out += answer["changes"]
            token = answer.get("newStartPageToken")
            request = changes.list_next(request, answer)
        return out, token

    def test_changes(self):
        token = self.drive.changes().getStartPageToken().execute()["startPageToken"]
        self.assertEqual([], self.follow(token)[0])
        step("rename-and-delete")
        seen, token = self.follow(token)
        self.assertEqual([(WORLD["fresh"], False), (WORLD["doomed"], True)], [(c["fileId"], c["removed"]) for c in seen])
        self.assertEqual("renamed.txt", seen[0]["file"]["name"])
        self.assertNotIn("file", seen[1])
        self.assertEqual([], self.follow(token)[0])

    def test_changes_of_a_shared_drive(self):
        args = {"driveId": WORLD["team"], "supportsAllDrives": True}
        token = self.drive.changes().getStartPageToken(**args).execute()["startPageToken"]
        step("rename-drive")
        seen, _ = self.follow(token, includeItemsFromAllDrives=True, **args)
        self.assertEqual([("drive", "Crew")], [(c["changeType"], c["drive"]["name"]) for c in seen])


class Refused(unittest.TestCase):
    def setUp(self):
        self.drive = service(robot(WORLD["ada"]))
        self.addCleanup(self.drive.close)

    def refused(self, request, status, reason):
        with self.assertRaises(HttpError) as caught:
            request.execute()
        self.assertEqual((status, reason), (caught.exception.status_code, caught.exception.error_details[0]["reason"]))

    def test_errors(self):
        files = self.drive.files()
        self.refused(files.get(fileId="nowhere"), 404, "notFound")
        self.refused(files.get(fileId=WORLD["teamDoc"]), 404, "notFound")
        self.refused(files.list(q="title = 'x'"), 400, "invalid")
        self.refused(files.list(fields="files(nonsense)"), 400, "invalidParameter")
        self.refused(files.list(pageToken="nonsense"), 400, "invalid")
        self.refused(files.get_media(fileId=WORLD["plan"]), 403, "fileNotDownloadable")
        self.refused(files.get_media(fileId=WORLD["abusive"]), 403, "cannotDownloadAbusiveFile")
        self.refused(self.drive.changes().list(pageToken="nonsense"), 400, "invalid")

    def test_throttling(self):
        step("throttle")
        self.refused(self.drive.files().list(), 403, "userRateLimitExceeded")
        step("throttle")
        self.assertTrue(self.drive.files().list().execute(num_retries=2)["files"])

    def test_refresh_after_401(self):
        self.drive.files().list().execute()
        step("expire")
        self.assertTrue(self.drive.files().list().execute()["files"])


class SigningIn(unittest.TestCase):
    def whoami(self, credentials):
        with service(credentials) as drive:
            return drive.about().get(fields="user(emailAddress)").execute()["user"]["emailAddress"]

    def test_service_account(self):
        self.assertEqual(WORLD["robot"], self.whoami(robot()))
        self.assertEqual(WORLD["ada"], self.whoami(robot(WORLD["ada"])))

    def test_refresh_token(self):
        credentials = consented(WORLD["refreshToken"])
        self.assertEqual(WORLD["ada"], self.whoami(credentials))
        self.assertNotEqual(WORLD["refreshToken"], credentials.refresh_token)  # the emulator was told to rotate
        self.assertEqual(WORLD["ada"], self.whoami(consented(credentials.refresh_token)))
        self.refused(consented(WORLD["refreshToken"]), "invalid_grant")  # and to refuse the old one

    def refused(self, credentials, error):
        with self.assertRaises(google.auth.exceptions.RefreshError) as caught:
            self.whoami(credentials)
        self.assertIn(error, str(caught.exception))

    def test_refused(self):
        self.refused(robot("nobody@example.com"), "invalid_grant")
        self.refused(robot(WORLD["bob"]), "unauthorized_client")
        self.refused(robot(client_email="other@example.com"), "account not found")
        self.refused(robot(private_key=WORLD["otherKey"]), "Invalid JWT Signature")


if __name__ == "__main__":
    unittest.main()
