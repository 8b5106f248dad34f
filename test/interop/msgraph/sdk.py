"""Uses Microsoft's SDK for Graph as its documentation says, and prints what it found as JSON.

The environment says where: GRAPH (the base of the API), LOGIN (of the identity platform), TENANT, CLIENT, SECRET, HOST, SITE.
Commands come one a line on standard input: "delta" follows the changes since the last one, "quit" ends."""
import asyncio
import hashlib
import json
import os
import sys

import httpx
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.drives.item.items.item.children.children_request_builder import ChildrenRequestBuilder
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

GRAPH = os.environ["GRAPH"]


def credential(secret):
    return ClientSecretCredential(
        os.environ["TENANT"], os.environ["CLIENT"], secret, authority=os.environ["LOGIN"], disable_instance_discovery=True)


def client(secret):
    who = credential(secret)
    host = httpx.URL(GRAPH).host
    provider = AzureIdentityAuthenticationProvider(who, scopes=["https://graph.microsoft.com/.default"], allowed_hosts=[host])
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = GRAPH
    return who, GraphServiceClient(request_adapter=adapter)


async def walk(drive, item, prefix, found):
    """Lists a folder by pages, and those below it."""
    query = ChildrenRequestBuilder.ChildrenRequestBuilderGetQueryParameters(top=100)
    builder = drive.items.by_drive_item_id(item).children
    page = await builder.get(request_configuration=RequestConfiguration(query_parameters=query))
    while True:
        for child in page.value:
            if child.folder:
                await walk(drive, child.id, prefix + child.name + "/", found)
            elif child.file:
                found[child.id] = {"path": prefix + child.name, "size": child.size, "quickXorHash": child.file.hashes.quick_xor_hash}
        if not page.odata_next_link:
            return
        page = await builder.with_url(page.odata_next_link).get()


async def content(drive, item, headers=None):
    config = RequestConfiguration()
    for name, value in (headers or {}).items():
        config.headers.add(name, value)
    return await drive.items.by_drive_item_id(item).content.get(request_configuration=config)


async def delta(builder, link, state):
    """Applies all changes since a link to what is known, and returns the next link."""
    pages = 0
    page = await (builder.with_url(link) if link else builder).get()
    while True:
        pages += 1
        for item in page.value:
            if item.deleted:
                state.pop(item.id, None)
            else:
                state[item.id] = {"name": item.name, "parent": item.parent_reference.id, "size": item.size, "folder": item.folder is not None}
        if page.odata_delta_link:
            return page.odata_delta_link, pages
        page = await builder.with_url(page.odata_next_link).get()


async def refusals(graph, drive):
    """What the SDK makes of errors."""
    out = {}
    for name, call in {
        "item": drive.items.by_drive_item_id("01NOWHERE").get(),
        "drive": graph.drives.by_drive_id("b!nowhere").get(),
    }.items():
        try:
            await call
        except ODataError as e:
            out[name] = [e.response_status_code, e.error.code]
    who, _ = client("not the secret")
    async with who:
        try:
            await who.get_token("https://graph.microsoft.com/.default")
        except ClientAuthenticationError as e:
            out["secret"] = e.message
    return out


async def main():
    who, graph = client(os.environ["SECRET"])
    async with who:
        site = await graph.sites.by_site_id(os.environ["HOST"] + ":/" + os.environ["SITE"]).get()
        library = await graph.sites.by_site_id(site.id).drive.get()
        drive = graph.drives.by_drive_id(library.id)
        root = await drive.root.get()
        out = {"site": site.id, "drive": library.id, "driveType": library.drive_type, "root": root.id, "files": {}}
        await walk(drive, root.id, "", out["files"])

        report = await drive.items.by_drive_item_id("root:/docs/report.txt:").get()
        out["stat"] = {"id": report.id, "size": report.size, "parent": report.parent_reference.path, "eTag": report.e_tag}
        out["content"] = (await content(drive, report.id)).decode()
        out["range"] = (await content(drive, report.id, {"Range": "bytes=6-12"})).decode()
        async with httpx.AsyncClient() as plain:
            answer = await plain.get(report.additional_data["@microsoft.graph.downloadUrl"], headers={"Range": "bytes=-8"})
        out["direct"] = [answer.status_code, answer.text]
        out["sha256"] = {}
        for item, file in out["files"].items():
            if file["path"].startswith("docs/"):
                out["sha256"][item] = hashlib.sha256(await content(drive, item) or b"").hexdigest()
        permissions = await drive.items.by_drive_item_id(report.id).permissions.get()
        out["permissions"] = [role for p in permissions.value for role in p.roles]
        out["refusals"] = await refusals(graph, drive)
        print(json.dumps(out), flush=True)

        link, state = None, {}
        builder = drive.items.by_drive_item_id(root.id).delta
        while (await asyncio.to_thread(sys.stdin.readline)).strip() == "delta":
            try:
                link, pages = await delta(builder, link, state)
                print(json.dumps({"pages": pages, "items": state}), flush=True)
            except ODataError as e:
                link = None
                print(json.dumps({"status": e.response_status_code, "code": e.error.code}), flush=True)


asyncio.run(main())
