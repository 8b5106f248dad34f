package msgraph

import (
	"mime"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// object is a JSON object.
type object = map[string]any

func (x *exchange) renderSite(w *site) object {
	name := path.Base("/" + w.path)
	if w.path == "" {
		name = ""
	}
	return object{
		"id": w.id, "name": name, "displayName": name, "root": object{},
		"webUrl":         "https://" + w.host + "/" + escapePath(w.path),
		"siteCollection": object{"hostname": w.host},
	}
}

func (x *exchange) renderDrive(d *drive) object {
	o := object{
		"id": d.id, "driveType": d.kind, "name": d.name, "webUrl": d.webURL(),
		"createdDateTime": d.created.Format(timeFormat), "lastModifiedDateTime": d.root.modified.Format(timeFormat),
		"quota": object{
			"state": "normal", "deleted": 0, "total": int64(1) << 40, "used": d.root.size, "remaining": int64(1)<<40 - d.root.size,
		},
	}
	if d.owner != "" {
		o["owner"] = object{"user": object{"displayName": d.owner, "email": d.owner}}
	} else {
		o["owner"] = object{"group": object{"displayName": d.site.path + " Owners"}}
	}
	return o
}

func (d *drive) webURL() string {
	if d.site == nil {
		return "https://" + d.tenant + "-my.sharepoint.com/personal/" + url.PathEscape(d.owner) + "/Documents"
	}
	return "https://" + d.site.host + "/" + escapePath(path.Join(d.site.path, d.name))
}

// escapePath percent-encodes the names of a path.
func escapePath(p string) string {
	names := strings.Split(p, "/")
	for i, n := range names {
		names[i] = url.PathEscape(n)
	}
	return strings.Join(names, "/")
}

func (i *item) eTag() string { return `"{` + i.guid + "}," + strconv.Itoa(i.etag) + `"` }
func (i *item) cTag() string { return `"c:{` + i.guid + "}," + strconv.Itoa(i.ctag) + `"` }

// reference is the parentReference of an item.
func (i *item) reference(withPath bool) object {
	d := i.drive
	o := object{"driveId": d.id, "driveType": d.kind}
	if d.site != nil {
		o["siteId"] = strings.Split(d.site.id, ",")[1]
	}
	if i.parent == nil {
		return o
	}
	o["id"] = i.parent.id
	if withPath {
		o["path"] = "/drives/" + d.id + "/root:"
		if above := i.parent.path(); above != "" {
			o["path"] = "/drives/" + d.id + "/root:/" + escapePath(above)
			o["name"] = i.parent.name
		}
	}
	return o
}

// renderItem gives an item as a request for it or for its folder does.
func (x *exchange) renderItem(i *item) object {
	o := x.renderPlain(i, true)
	if i.content != nil {
		o["cTag"] = i.cTag()
		if !i.malware {
			o["@microsoft.graph.downloadUrl"] = x.downloadURL(i)
		}
	}
	return o
}

// renderPlain gives what every answer says of an item.
func (x *exchange) renderPlain(i *item, withPath bool) object {
	created, modified := i.created.Format(timeFormat), i.modified.Format(timeFormat)
	o := object{
		"@odata.etag": i.eTag(), "id": i.id, "name": i.name, "eTag": i.eTag(), "size": i.size,
		"createdDateTime": created, "lastModifiedDateTime": modified,
		"webUrl":          i.drive.webURL() + "/" + escapePath(i.path()),
		"parentReference": i.reference(withPath),
		"fileSystemInfo":  object{"createdDateTime": created, "lastModifiedDateTime": modified},
	}
	switch {
	case i.content != nil:
		o["file"] = x.fileFacet(i)
	case i.pkg != "":
		o["package"] = object{"type": i.pkg}
	case i.remote != nil:
		o["remoteItem"] = remoteFacet(i.remote)
	default:
		o["folder"] = object{"childCount": len(i.children)}
	}
	if i.parent == nil {
		o["root"] = object{}
	}
	if i.malware {
		o["malware"] = object{"description": "EICAR test file"}
	}
	if len(i.shared) > 0 {
		o["shared"] = object{"scope": "users"}
	}
	return o
}

func (x *exchange) fileFacet(i *item) object {
	kind := mime.TypeByExtension(path.Ext(i.name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	o := object{"mimeType": kind}
	if !x.plan.noHashes {
		o["hashes"] = object{"quickXorHash": i.content.quick()}
	}
	return o
}

// remoteFacet says what a shortcut leads to.
func remoteFacet(to *item) object {
	o := object{
		"id": to.id, "name": to.name, "size": to.size, "webUrl": to.drive.webURL() + "/" + escapePath(to.path()),
		"parentReference": to.reference(false),
	}
	if to.content != nil {
		o["file"] = object{"mimeType": "application/octet-stream"}
	} else {
		o["folder"] = object{"childCount": len(to.children)}
	}
	return o
}

// selected keeps of an object what $select names. Annotations of OData stay.
func (x *exchange) selected(o object) object {
	if !x.query.Has("$select") {
		return o
	}
	out := object{}
	for _, name := range strings.Split(x.query.Get("$select"), ",") {
		name = strings.TrimSpace(name)
		if name == "content.downloadUrl" {
			name = "@microsoft.graph.downloadUrl"
		}
		name, _, _ = strings.Cut(name, "/")
		if v, ok := o[name]; ok {
			out[name] = v
		}
	}
	for name, v := range o {
		if strings.HasPrefix(name, "@odata.") {
			out[name] = v
		}
	}
	return out
}
