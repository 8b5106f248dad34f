package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mooring/test/binary"
)

const deployDir = "../../deploy"

// process is Mooring as a file of deploy starts it.
type process struct {
	name string
	args []string
	env  []string
}

type container struct {
	Name           string
	Args           []string
	Env            []struct{ Name, Value string }
	StartupProbe   *httpProbe `yaml:"startupProbe"`
	LivenessProbe  *httpProbe `yaml:"livenessProbe"`
	ReadinessProbe *httpProbe `yaml:"readinessProbe"`
}

type httpProbe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

type manifest struct {
	Kind string
	Data map[string]string
	Spec struct {
		Template struct {
			Spec struct{ Containers []container }
		}
	}
}

func manifests(t *testing.T) (all []manifest) {
	t.Helper()
	names := must(filepath.Glob(filepath.Join(deployDir, "kubernetes", "*.yaml")))(t)
	for _, name := range names {
		dec := yaml.NewDecoder(bytes.NewReader(must(os.ReadFile(name))(t)))
		for {
			var m manifest
			err := dec.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, m)
		}
	}
	return all
}

func composed(t *testing.T) (all []process) {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(must(os.ReadFile(filepath.Join(deployDir, "compose", "compose.yaml")))(t), &file); err != nil {
		t.Fatal(err)
	}
	for name, s := range file.Services {
		if s.Image != "mooring" {
			continue
		}
		p := process{name: "compose " + name, args: s.Command}
		for k, v := range s.Environment {
			p.env = append(p.env, k+"="+v)
		}
		all = append(all, p)
	}
	return all
}

// Every process that a file of deploy starts gets as far as to its database,
// which is not there: each flag, variable and setting it names exists, and they
// go together.
func TestDeployedSettings(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"store-uri": "mongodb://127.0.0.1:1/mooring?serverSelectionTimeoutMS=300", "master.key": strings.Repeat("k", 96), "destination-secret": "secret",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	places := strings.NewReplacer("/run/secrets/store_uri", filepath.Join(dir, "store-uri"), "/run/secrets/master_key", filepath.Join(dir, "master.key"),
		"/keys/", dir+"/", "/etc/mooring/", dir+"/", "/data", filepath.Join(dir, "data"), "/content", filepath.Join(dir, "content"),
		"0.0.0.0:8420", "0.0.0.0:0", "$(POD_IP):9464", "127.0.0.1:0")
	processes := composed(t)
	for _, m := range manifests(t) {
		for name, content := range m.Data {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(places.Replace(content)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range m.Spec.Template.Spec.Containers {
			processes = append(processes, process{name: m.Kind, args: c.Args})
		}
	}
	if len(processes) != 6 {
		t.Fatalf("the files start %d processes", len(processes))
	}
	for _, p := range processes {
		t.Run(p.name, func(t *testing.T) {
			args, env := slices.Clone(p.args), binary.Env(dir)
			for i := range args {
				args[i] = places.Replace(args[i])
			}
			for _, v := range p.env {
				env = append(env, places.Replace(v))
			}
			r := must(binary.Run(t.Context(), mooring, env, "", args...))(t)
			if r.Code != 8 {
				t.Errorf("mooring %v ends with %d: %s", p.args, r.Code, r.Stderr)
			}
			flags := must(binary.Run(t.Context(), mooring, binary.Env(dir), "", p.args[0], "--help"))(t).Stdout
			for _, v := range p.env {
				name, _, _ := strings.Cut(v, "=")
				flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "MOORING_")), "_", "-")
				if !slices.Contains(strings.Fields(strings.ReplaceAll(flags, "[=", " ")), flag) {
					t.Errorf("%s sets nothing: mooring %s has no %s", name, p.args[0], flag)
				}
			}
		})
	}
}

// What probes ask for is answered, and the binary can ask for it itself.
func TestProbesAnswer(t *testing.T) {
	s := Start(t)
	probes := 0
	for _, m := range manifests(t) {
		for _, c := range m.Spec.Template.Spec.Containers {
			for _, p := range []*httpProbe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if p != nil {
					probes++
					s.expect(200, "GET", p.HTTPGet.Path, nil)
				}
			}
		}
	}
	if probes != 3 {
		t.Errorf("%d probes", probes)
	}
	dockerfile := string(must(os.ReadFile(filepath.Join(deployDir, "Dockerfile")))(t))
	check := regexp.MustCompile(`HEALTHCHECK .* CMD \["/mooring", "(\w+)"\]`).FindStringSubmatch(dockerfile)
	if check == nil {
		t.Fatal("the Dockerfile has no health check")
	}
	good(t, s.cli("", check[1]))
	good(t, s.cli("", check[1], "--ready"))
	good(t, s.cli("", check[1], s.Server.URL))
	s.kill()
	for _, args := range [][]string{{check[1]}, {check[1], s.Server.URL}} {
		if r := s.cli("", args...); r.Code != 8 {
			t.Errorf("%v of a dead server ends with %d", args, r.Code)
		}
	}
}
