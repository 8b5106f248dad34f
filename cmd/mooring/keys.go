package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mooring/csfle"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/keys"
)

// keysOrder is what an order about keys says beside.
type keysOrder struct {
	Key  string `json:"master_key,omitempty"` // a file or URI
	Skip bool   `json:"skip,omitempty"`
	All  bool   `json:"all,omitempty"`
}

type keysAnswer struct {
	Inventory *keys.Inventory `json:"inventory,omitempty"`
	Rewrapped *keys.Rewrapped `json:"rewrapped,omitempty"`
	Rotated   []keys.Rotated  `json:"rotated,omitempty"`
	Shredded  *keys.Shredded  `json:"destroyed,omitempty"`
}

func keysCommand() *cobra.Command {
	parent := parentCommand("keys", "Manage the master key and data keys (for the operator of a data directory)")
	parent.AddCommand(keysList(), keysGenerate(), keysRewrap(), keysRotate(), keysDestroy())
	return parent
}

func keysList() *cobra.Command {
	return keysOperation(&cobra.Command{Use: "list", Short: "List the master key and all data keys", Args: cobra.NoArgs},
		func(*cobra.Command, []string) (order, error) { return order{Do: "keys list"}, nil },
		func(w io.Writer, a answer) { printInventory(w, a.Inventory) })
}

func keysGenerate() *cobra.Command {
	cmd := &cobra.Command{Use: "generate FILE", Short: "Make a file with a new master key, to rewrap to", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := csfle.CreateLocalMasterKey(args[0])
		if err == nil {
			fmt.Fprintf(cmd.OutOrStdout(), "%s is in %s\n", key, args[0])
		}
		return err
	}
	return cmd
}

func keysRewrap() *cobra.Command {
	cmd := &cobra.Command{Use: "rewrap MASTER-KEY", Args: cobra.ExactArgs(1), Short: "Change the master key to another one, a file or the URI of a key in a key service, while all goes on",
		Long: `Wraps every data key anew by another master key: a file, or the URI of a key in a key service.
What is sealed stays as it is. Cut off, it goes on when it is called again.

The server must have both keys while it lasts, and the new one from then on: before, start it with the
new one as --second-master-key, and after, with the new one in the place of the old.`}
	skip := cmd.Flags().Bool("skip-unreadable", false, "end it also when neither master key opens some data keys")
	return keysOperation(cmd, func(_ *cobra.Command, args []string) (order, error) {
		ref, err := absolute(args[0])
		return order{Do: "keys rewrap", keysOrder: keysOrder{Key: ref, Skip: *skip}}, err
	}, func(w io.Writer, a answer) {
		r := a.Rewrapped
		fmt.Fprintf(w, "the master key is %s now: %d data keys wrapped anew, %d were already\n", r.To, r.Rewrapped, r.Already)
		if len(r.Left) > 0 {
			fmt.Fprintf(w, "neither master key opens %s\n", strings.Join(r.Left, ", "))
		}
		fmt.Fprintln(w, "start the server with it from now on; a backup made before needs the old one")
	})
}

// absolute makes a file's name one that the server understands too.
func absolute(ref string) (string, error) {
	if isURI(ref) {
		return ref, nil
	}
	return filepath.Abs(ref)
}

func isURI(ref string) bool { return strings.Contains(ref, "://") }

func keysRotate() *cobra.Command {
	cmd := &cobra.Command{Use: "rotate [ORGANIZATION]", Args: cobra.MaximumNArgs(1), Short: "Give an organization another data key, seal all under it and delete the old one",
		Long: `Gives an organization another data key, seals everything again under it and deletes the old one.
On a running server it takes two minutes or more: until nobody can hold the old key any more.
Cut off, it goes on when it is called again.`}
	all := cmd.Flags().Bool("all", false, "rotate the keys of all organizations")
	return keysOperation(cmd, func(_ *cobra.Command, args []string) (order, error) {
		o := order{Do: "keys rotate", keysOrder: keysOrder{All: *all}}
		if len(args) > 0 {
			o.Org = id.Org(args[0])
		}
		if o.All && o.Org != "" {
			return o, errs.New(errs.Invalid, "keys", "--all leaves no organization to be named")
		}
		return o, nil
	}, func(w io.Writer, a answer) {
		for _, r := range a.Rotated {
			fmt.Fprintf(w, "organization %s: its data key is %s now, %d secrets sealed again, %s deleted\n", r.Org, r.Key, r.Resealed, listed(r.Retired))
			if len(r.Broken) > 0 {
				fmt.Fprintf(w, "  what could not be opened before either: %s\n", strings.Join(r.Broken, ", "))
			}
		}
	})
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no old key"
	}
	return strings.Join(names, ", ")
}

func keysDestroy() *cobra.Command {
	cmd := &cobra.Command{Use: "destroy ORGANIZATION", Args: cobra.ExactArgs(1), Short: "Destroy all keys of an organization, so that nothing of its credentials can ever be opened",
		Long: `Destroys all data keys of an organization: none of its credentials can be opened any more, in this store
or, once the list of destroyed keys is applied to it, in one restored from an older backup. Its connections are archived.
Asks for the organization's name. It returns when no process can have a key in its cache any more.`}
	confirm := cmd.Flags().String("confirm", "", "the organization's `name`, instead of being asked for it")
	return keysOperation(cmd, func(cmd *cobra.Command, args []string) (order, error) {
		o := order{Do: "keys destroy", Org: id.Org(args[0]), Name: *confirm}
		if o.Name != "" {
			return o, nil
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "This destroys all credentials of organization %s for good. Type its name to go on: ", printable(args[0]))
		line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if o.Name = strings.TrimRight(line, "\r\n"); o.Name == "" {
			return o, errs.New(errs.Invalid, "keys", "nothing was destroyed")
		}
		_ = err // the end of the input ends the line too
		return o, nil
	}, func(w io.Writer, a answer) {
		fmt.Fprintf(w, "organization %s: %d data keys destroyed, %d connections archived\n", a.Shredded.Org, len(a.Shredded.Keys), a.Shredded.Connections)
	})
}

// keysOperation makes a command that gives an order to whoever has the store.
func keysOperation(cmd *cobra.Command, of func(*cobra.Command, []string) (order, error), show func(io.Writer, answer)) *cobra.Command {
	settings := config.Flags(cmd.Flags())
	cmd.Flags().Bool("json", false, "print what was done as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o, err := of(cmd, args)
		if err != nil {
			return err
		}
		a, err := carriedOut(cmd, settings, o)
		if err != nil {
			return err
		}
		if wantsJSON(cmd) {
			return printJSON(cmd.OutOrStdout(), a.keysAnswer)
		}
		show(cmd.OutOrStdout(), a)
		return nil
	}
	return cmd
}

func printInventory(out io.Writer, i *keys.Inventory) {
	fmt.Fprintf(out, "master key: %s\n", i.MasterKey)
	if i.Next != "" {
		fmt.Fprintf(out, "it is being changed to %s: call `mooring keys rewrap` again to end that\n", i.Next)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ORGANIZATION\tDATA KEY\tID\tSTATE\tWRAPPED BY\tCREATED")
	for _, k := range i.Keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(k.OrgName), k.Name, k.ID, k.State, printable(k.WrappedBy), k.CreatedAt.Format(time.RFC3339))
	}
	for _, d := range i.Destroyed {
		fmt.Fprintf(w, "\t%s\t%d keys\tdestroyed\t\t%s\n", d.Org, len(d.Keys), d.At.Format(time.RFC3339))
	}
	_ = w.Flush()
}

// carryOutKeys does what an operator asks for about keys.
func (a *app) carryOutKeys(ctx context.Context, o order) (out answer, err error) {
	switch o.Do {
	case "keys list":
		i, err := a.keys.List(ctx)
		out.Inventory = &i
		return out, err
	case "keys rewrap":
		to, err := openMasterKey(ctx, o.Key)
		if err != nil {
			return out, err
		}
		r, err := a.keys.Rewrap(ctx, to, o.Skip)
		out.Rewrapped = &r
		return out, err
	case "keys rotate":
		out.Rotated, err = a.rotate(ctx, o)
		return out, err
	case "keys destroy":
		r, err := a.keys.Destroy(ctx, o.Org, o.Name)
		out.Shredded = &r
		return out, err
	}
	return out, errs.New(errs.Invalid, "operator", "unknown order")
}

func (a *app) rotate(ctx context.Context, o order) ([]keys.Rotated, error) {
	if !o.All {
		org, err := a.onlyOrg(ctx, o.Org)
		if err != nil {
			return nil, err
		}
		r, err := a.keys.Rotate(ctx, org)
		return []keys.Rotated{r}, err
	}
	return a.keys.RotateAll(ctx)
}
