package config

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"

	"mooring/internal/errs"
)

// Env is the environment variable of a flag.
func Env(flag string) string {
	return "MOORING_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Fill sets the flags that were not given from the environment, else from the
// file, whose name is "" for none. getenv is os.LookupEnv but in tests.
func Fill(f *pflag.FlagSet, getenv func(string) (string, bool), file string) error {
	if err := refuseURI(f); err != nil {
		return err
	}
	values, err := readFile(f, file)
	if err != nil {
		return err
	}
	var failed error
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed || failed != nil {
			return
		}
		if v, ok := getenv(Env(flag.Name)); ok {
			failed = setFlag(f, flag, v, "the environment variable "+Env(flag.Name))
		} else if v, ok := values[flag.Name]; ok {
			failed = setFlag(f, flag, v, file+": "+flag.Name)
		}
	})
	return failed
}

// setFlag does not quote the value: it may be a URI with a password in it.
func setFlag(f *pflag.FlagSet, flag *pflag.Flag, v, from string) error {
	if err := f.Set(flag.Name, v); err != nil {
		return invalid(from + " is not a value for --" + flag.Name + " (" + flag.Value.Type() + ")")
	}
	return nil
}

// readFile returns the file's settings as texts by flag name.
func readFile(f *pflag.FlagSet, file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "config", "--config can't be read")
	}
	var doc map[string]any
	if err := toml.Unmarshal(raw, &doc); err != nil {
		return nil, invalid("--config: " + file + " is not valid TOML")
	}
	out := map[string]string{}
	var unknown []string
	for name, v := range doc {
		if flag := tables[name]; flag != "" && f.Lookup(flag) != nil {
			if out[flag], err = encodeTables(v); err != nil {
				return nil, invalid("--config: " + file + ": " + name + " must hold tables [" + name + ".NAME]")
			}
			continue
		}
		if f.Lookup(name) == nil || name == "config" {
			unknown = append(unknown, name)
			continue
		}
		if out[name], err = text(v); err != nil {
			return nil, invalid("--config: " + file + ": " + name + " must be a string, number, boolean or list of strings")
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, invalid("--config: " + file + ": unknown settings: " + strings.Join(unknown, ", "))
	}
	return out, nil
}

func text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int64, float64:
		return fmt.Sprint(v), nil
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", errs.New(errs.Invalid, "config", "not a list of strings")
			}
			parts[i] = s
		}
		return strings.Join(parts, ","), nil
	}
	return "", errs.New(errs.Invalid, "config", "not a simple value")
}
