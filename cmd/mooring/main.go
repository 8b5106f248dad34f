// Command mooring is the whole of Mooring: the server, its workers, a
// demonstration, and clients of its API.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mooring/internal/config"
	"mooring/internal/errs"
)

// version is set by the linker in releases.
var version = "0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mooring: "+explain(err))
	}
	os.Exit(exitCode(err))
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "mooring",
		Short:         "Storage connections that stay proven, and buckets that stay in sync",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			file, _ := cmd.Flags().GetString("config")
			if file == "" {
				file = os.Getenv(config.Env("config"))
			}
			return config.Fill(cmd.Flags(), os.LookupEnv, file)
		},
	}
	cmd.PersistentFlags().String("config", "", "TOML `file` with settings named as the flags are")
	cmd.AddCommand(serveCommand(), workerCommand(), initCommand(), demoCommand(), organizationCommand(), dashboardCommand(), keyCommand(), keysCommand(), storeCommand(), backupCommand(), restoreCommand(), probeCommand())
	cmd.AddCommand(clientCommands()...)
	return cmd
}

// explain is an error for a person: without the name of the operation, and with
// the bad fields, one a line, if there are any. It is safe for a terminal:
// names in it may come from elsewhere.
func explain(err error) string {
	e := errs.From(err)
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	lines := strings.Split(strings.TrimPrefix(err.Error(), e.Op+": "), "\n")
	for _, f := range e.Fields {
		parts := make([]string, len(f.Loc))
		for i, part := range f.Loc {
			parts[i] = fmt.Sprint(part)
		}
		lines = append(lines, "  "+strings.Join(parts, ".")+": "+f.Msg)
	}
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// exitCode tells scripts what kind of failure it was. 1 is anything else, 2 is
// the command line itself or a request that can't be right.
func exitCode(err error) int {
	var e *errs.Error
	if err == nil {
		return 0
	}
	if !errors.As(err, &e) && errs.KindOf(err) == errs.Internal {
		return 2 // cobra's own: unknown flag or command
	}
	codes := map[errs.Kind]int{
		errs.Invalid: 2, errs.Unauthenticated: 3, errs.PermissionDenied: 4, errs.NotFound: 5, errs.AlreadyExists: 6,
		errs.Conflict: 6, errs.Throttled: 7, errs.Unavailable: 8, errs.Corrupt: 9, errs.Canceled: 130,
	}
	if code, ok := codes[errs.KindOf(err)]; ok {
		return code
	}
	return 1
}
