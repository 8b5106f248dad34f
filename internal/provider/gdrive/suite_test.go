package gdrive_test

import (
	"strings"
	"testing"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/gdrive"
	"mooring/internal/provider/providertest"
)

// tree names what is below a folder by path.
type tree struct {
	s   *emulator.Server
	ids map[string]string
}

func (d *tree) folder(path string) string {
	if id, ok := d.ids[path]; ok {
		return id
	}
	i := strings.LastIndexByte(path, '/')
	d.ids[path] = d.s.Folder(d.folder(path[:max(i, 0)]), path[i+1:])
	return d.ids[path]
}

func (d *tree) put(_ testing.TB, name string, c []byte) {
	if id, ok := d.ids[name]; ok {
		d.s.Write(id, c)
		return
	}
	i := strings.LastIndexByte(name, '/')
	d.ids[name] = d.s.File(d.folder(name[:max(i, 0)]), name[i+1:], c)
}

func (d *tree) remove(_ testing.TB, name string) {
	d.s.Delete(d.ids[name])
	delete(d.ids, name)
}

// oddNames are those that one file or folder can have in Drive.
func oddNames() (out []string) {
	for _, n := range providertest.OddNames {
		if !strings.Contains(n, "/") {
			out = append(out, n)
		}
	}
	return out
}

const bodyText = "text-of-the-provider-4711"

// failure is what an emulator answers for a kind.
func failure(k errs.Kind, secret string) (emulator.Error, bool) {
	reasons := map[errs.Kind]string{
		errs.Unauthenticated: "authError", errs.PermissionDenied: "insufficientFilePermissions", errs.NotFound: "notFound",
		errs.Throttled: "userRateLimitExceeded", errs.Unavailable: "backendError",
	}
	return emulator.Error{Reason: reasons[k], Message: bodyText + " " + secret}, reasons[k] != ""
}

func TestSuite(t *testing.T) {
	type where struct{ root, scope, outside, elsewhere string }
	for name, at := range map[string]func(s *emulator.Server) where{
		"My Drive": func(s *emulator.Server) where {
			other := s.SharedDrive("Other", account)
			return where{s.User(account), "root", other, other} // at "" Browse shows the shared drives too
		},
		"folder of My Drive": func(s *emulator.Server) where {
			top, out := s.Folder(s.User(account), "Top"), s.Folder(s.User(account), "Elsewhere")
			return where{top, "/Top", out, out}
		},
		"shared drive": func(s *emulator.Server) where {
			d := s.SharedDrive("Team", account)
			return where{d, d, "", s.User(account)}
		},
		"folder of a shared drive": func(s *emulator.Server) where {
			d := s.SharedDrive("Team", account)
			top, out := s.Folder(d, "Top"), s.Folder(d, "Elsewhere")
			return where{top, top, out, out}
		},
		"folder that alone is shared": func(s *emulator.Server) where {
			root := s.User("owner@emulator.example")
			top, out := s.Folder(root, "Top"), s.Folder(root, "Elsewhere")
			s.Share(top, account)
			s.Share(out, account)
			return where{top, top, out, out}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, func(t *testing.T) providertest.Harness {
				s := emulator.Start(t, emulator.Options{PageSize: 7})
				raw := serviceAccount(t, s)
				c := decode(t, raw)
				w := at(s)
				d := &tree{s, map[string]string{"": w.root}}
				home := map[string]string{}
				return providertest.Harness{
					Open: func(t testing.TB) driver.Source {
						src, err := gdrive.Open(t.Context(), c, options(t, s))
						if err != nil {
							t.Fatal(err)
						}
						return src
					},
					Scope: driver.Scope{Path: w.scope}, Put: d.put, Delete: d.remove, PageSize: 7,
					Folders: true, Feed: true, Odd: oddNames(),
					Outside: &driver.Scope{Path: w.outside}, Missing: "1NoSuchFolder",
					Requests: func() int { return s.Count() },
					Fail: func(_ testing.TB, k errs.Kind) bool {
						s.ClearFaults()
						e, ok := failure(k, c.Secrets["private_key"].Reveal()[60:90])
						s.Inject(emulator.Fault{Match: emulator.Match{If: func(r emulator.Request) bool { return r.Operation != emulator.Token }}, Action: emulator.Reply(e)})
						return ok
					},
					BodyText: bodyText, Secret: c.Secrets["private_key"].Reveal()[60:90],
					Break: func(_ testing.TB, name string, n int64) {
						s.Inject(emulator.Fault{Match: emulator.Match{Operations: []emulator.Operation{emulator.FilesDownload}, File: d.ids[name]}, Times: 1, Action: emulator.ShortBody(n)})
					},
					Block: func(_ testing.TB, started func()) {
						s.Inject(emulator.Fault{Action: emulator.Do(emulator.Run(started), emulator.Wait(make(chan struct{})))})
					},
					ExpireCursors: func(testing.TB) {
						s.Inject(emulator.Fault{Match: emulator.On(emulator.ChangesList), Action: emulator.InvalidPageToken()})
					},
					Rename: func(_ testing.TB, folder, name string) { s.Rename(d.ids[folder], name) },
					MoveOut: func(_ testing.TB, name string) {
						i := max(strings.LastIndexByte(name, '/'), 0)
						home[name] = d.ids[name[:i]]
						s.Move(d.ids[name], w.elsewhere)
					},
					MoveIn: func(_ testing.TB, name string) { s.Move(d.ids[name], home[name]) },
				}
			})
		})
	}
}
