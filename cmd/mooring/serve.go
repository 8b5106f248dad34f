package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/config"
	"mooring/internal/errs"
)

func serveCommand() *cobra.Command {
	return processCommand("serve", "Serve the API and work on what is due", func(cmd *cobra.Command, a *app) error {
		return a.serve(cmd.Context(), func(url string) {
			fmt.Fprintf(cmd.OutOrStdout(), "Mooring serves %s\n%s", url, keyNotice(a.settings))
			if !a.founded {
				return
			}
			if link, err := a.signInLink(cmd.Context(), a.first); err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "sign in, once and within ten minutes: %s\nanother link: mooring dashboard\n", link)
			}
		})
	})
}

func workerCommand() *cobra.Command {
	return processCommand("worker", "Work on what is due, without serving the API", func(cmd *cobra.Command, a *app) error {
		if err := a.serveSocket(cmd.Context()); err != nil {
			return err
		}
		a.work(cmd.Context())
		return nil
	})
}

// processCommand is a command that runs on a data directory until it is stopped.
func processCommand(use, short string, run func(*cobra.Command, *app) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	settings := config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := settings.Validate(); err != nil {
			return err
		}
		collectOften()
		a, err := openApp(cmd.Context(), settings, logger(cmd, settings))
		if err != nil {
			return err
		}
		defer a.close()
		stop, err := startTracing(cmd.Context(), settings.OTLPEndpoint, a.log)
		if err != nil {
			return err
		}
		defer stop()
		if err := a.serveMetrics(cmd.Context()); err != nil {
			return err
		}
		return run(cmd, a)
	}
	return cmd
}

func logger(cmd *cobra.Command, settings *config.Server) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(settings.LogLevel)) // validated
	options := &slog.HandlerOptions{Level: level}
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), options))
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), options))
}

const (
	shutdownGrace = 10 * time.Second
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	idleTimeout   = 120 * time.Second
)

// maxHeader bounds a request's line and headers: a key, a cookie and a name in a
// path are far shorter.
const maxHeader = 64 << 10

// patience is how long a client may take.
type patience struct{ header, read, idle time.Duration }

// httpServer is a server that no slow or talkative client occupies for long.
// Clients that are slow to take an answer are the handler's to give up.
func httpServer(h http.Handler, p patience) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: p.header, ReadTimeout: p.read, IdleTimeout: p.idle, MaxHeaderBytes: maxHeader}
}

// serve answers requests and works until ctx ends, or until it can't answer any
// more. ready is called with the server's URL once it listens.
func (a *app) serve(ctx context.Context, ready func(url string)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.settings.Listen)
	if err != nil {
		return errs.New(errs.Unavailable, "serve", "can't listen on "+a.settings.Listen+": is another server running there?")
	}
	a.url = a.settings.URL(l.Addr().String())
	if err := errors.Join(a.serveSocket(ctx), a.noteAddress(l.Addr())); err != nil {
		_ = l.Close()
		return err
	}
	defer os.Remove(filepath.Join(a.settings.DataDir, addressName))
	srv := httpServer(a.handler, patience{header: headerTimeout, read: readTimeout, idle: idleTimeout})
	srv.ErrorLog, srv.BaseContext = slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), func(net.Listener) context.Context { return ctx }
	var running sync.WaitGroup
	running.Go(func() { a.work(ctx) })
	running.Go(func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		_ = srv.Shutdown(grace)
	})
	ready(a.url)
	if a.settings.TLSCert != "" {
		err = srv.ServeTLS(l, a.settings.TLSCert, a.settings.TLSKey)
	} else {
		err = srv.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	stop() // who works on without an answer to anybody is not noticed, nor started again
	running.Wait()
	return err
}

// noteAddress writes where the server listens into the data directory, for
// clients on this machine.
func (a *app) noteAddress(at net.Addr) error {
	scheme, host := "http", "127.0.0.1"
	if a.settings.TLSCert != "" {
		scheme = "https"
	}
	tcp, ok := at.(*net.TCPAddr)
	if !ok {
		return nil
	}
	if tcp.IP.IsLoopback() {
		host = tcp.IP.String()
	}
	address := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port))
	return client.WriteFile(filepath.Join(a.settings.DataDir, addressName), []byte(address+"\n"))
}
