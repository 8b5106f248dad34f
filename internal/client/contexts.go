package client

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"mooring/internal/errs"
)

// Context is a server that `mooring login` keeps.
type Context struct {
	URL       string `json:"url"`
	KeyFile   string `json:"key_file"` // beside the contexts, 0600
	Namespace string `json:"namespace,omitempty"`
}

// Contexts is the file of known servers.
type Contexts struct {
	Current string             `json:"current"`
	Known   map[string]Context `json:"contexts"`
}

// Dir is where contexts and their keys are kept: $XDG_CONFIG_HOME/mooring or
// what the system uses instead.
func Dir() (string, error) {
	d, err := os.UserConfigDir()
	return filepath.Join(d, "mooring"), err
}

// LoadContexts reads the file; none is an empty one.
func LoadContexts(dir string) (Contexts, error) {
	c := Contexts{Known: map[string]Context{}}
	raw, err := os.ReadFile(filepath.Join(dir, "contexts.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	return c, errs.Wrap(err, errs.Invalid, "client", "the file of known servers can't be read: remove it and log in again")
}

// Save writes the file in one step.
func (c Contexts) Save(dir string) error {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, "contexts.json"), append(raw, '\n'))
}

// WriteFile writes a file only its owner may read, in one step, making its
// directory if need be.
func WriteFile(name string, content []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
