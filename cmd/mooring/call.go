package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/errs"
)

// call is a command that makes one request and shows the answer.
type call struct {
	use, short string
	args       cobra.PositionalArgs
	method     string
	path       func(cmd *cobra.Command, args []string) string
	query      func(cmd *cobra.Command) url.Values
	body       func(cmd *cobra.Command, args []string) (any, error)
	flags      func(cmd *cobra.Command)
	list       bool // show as a table
	cols       []column
	then       func(cmd *cobra.Command, c *client.Client, answer client.Object) error // instead of showing
}

func (k call) command() *cobra.Command {
	cmd := &cobra.Command{Use: k.use, Short: k.short, Args: k.args, RunE: k.run}
	if k.list {
		cmd.Flags().Int("limit", 100, "how many at most (1 to 1000)")
		cmd.Flags().String("cursor", "", "where the page before ended")
	}
	if k.body != nil {
		cmd.Flags().String("from", "", "JSON `file` with further fields of the request, as in the API (- is standard input)")
	}
	if k.flags != nil {
		k.flags(cmd)
	}
	if k.args != nil {
		cmd.ValidArgsFunction = completeArgs
	}
	return cmd
}

func (k call) run(cmd *cobra.Command, args []string) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	var body any
	if k.body != nil {
		if body, err = k.wholeBody(cmd, args); err != nil {
			return err
		}
	}
	method := k.method
	if method == "" {
		method = http.MethodGet
	}
	query := url.Values{}
	if k.query != nil {
		query = k.query(cmd)
	}
	if k.list {
		limit, _ := cmd.Flags().GetInt("limit")
		query.Set("limit", strconv.Itoa(limit))
		if cursor, _ := cmd.Flags().GetString("cursor"); cursor != "" {
			query.Set("cursor", cursor)
		}
	}
	answer, err := c.Do(cmd.Context(), method, k.path(cmd, args), query, body)
	if err != nil {
		return helpful(cmd, c, k.path(cmd, args), err)
	}
	switch {
	case k.then != nil:
		return k.then(cmd, c, answer)
	case k.list:
		return table(cmd, answer, k.cols)
	}
	return show(cmd, answer, k.cols)
}

// wholeBody is what flags and arguments say, on top of what a file says.
func (k call) wholeBody(cmd *cobra.Command, args []string) (any, error) {
	said, err := k.body(cmd, args)
	if err != nil {
		return nil, err
	}
	body, ok := said.(client.Object)
	if name, _ := cmd.Flags().GetString("from"); ok && name != "" {
		file, err := readObject(cmd, name, "the request")
		if err != nil {
			return nil, err
		}
		maps.Copy(file, body)
		return file, nil
	}
	return said, nil
}

// readObject reads a JSON object from a file or, for -, from standard input. Its
// errors do not quote it: it may hold credentials.
func readObject(cmd *cobra.Command, name, what string) (client.Object, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "client", what+" can't be read")
		}
		defer f.Close()
		in = f
	}
	return decodeObject(in, what)
}

func decodeObject(in io.Reader, what string) (client.Object, error) {
	out := client.Object{}
	dec := json.NewDecoder(io.LimitReader(in, 1<<20))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		return nil, errs.New(errs.Invalid, "client", what+" is not a JSON object")
	}
	return out, nil
}

// group makes a parent command of calls.
func group(use, short string, calls ...call) *cobra.Command {
	parent := parentCommand(use, short)
	for _, k := range calls {
		parent.AddCommand(k.command())
	}
	return parent
}

// parentCommand is one that has subcommands. A word that is none of them is an
// error: else a script's typing error would end as a success that shows help.
func parentCommand(use, short string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return errs.New(errs.Invalid, "command", cmd.CommandPath()+" has no command "+strconv.Quote(args[0])+": see "+cmd.CommandPath()+" --help")
		}
		return cmd.Help()
	}}
}

// at is a fixed path followed by the arguments as segments.
func at(prefix ...string) func(*cobra.Command, []string) string {
	return func(_ *cobra.Command, args []string) string {
		return client.Path(append(prefix[:len(prefix):len(prefix)], args...)...)
	}
}

// given returns the flags that were given, as JSON keys: dashes become underscores.
func given(cmd *cobra.Command, names map[string]string) client.Object {
	out := client.Object{}
	for flag, key := range names {
		f := cmd.Flags().Lookup(flag)
		if f == nil || !f.Changed {
			continue
		}
		switch f.Value.Type() {
		case "int":
			v, _ := cmd.Flags().GetInt(flag)
			out[key] = v
		case "bool":
			v, _ := cmd.Flags().GetBool(flag)
			out[key] = v
		case "stringSlice":
			v, _ := cmd.Flags().GetStringSlice(flag)
			out[key] = v
		default:
			out[key] = f.Value.String()
		}
	}
	return out
}
