package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mooring/internal/errs"
)

// asker asks a person at a terminal. Questions go to standard error, so that the
// answer of a command can still be piped.
type asker struct {
	ctx context.Context
	in  *os.File
	out io.Writer
}

// person is whoever types into standard input, if anybody does.
func person(cmd *cobra.Command) (*asker, bool) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, false
	}
	return &asker{ctx: cmd.Context(), in: in, out: cmd.ErrOrStderr()}, true
}

func (a *asker) say(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

// line asks for a line of text.
func (a *asker) line(question string) (string, error) {
	fmt.Fprintf(a.out, "%s: ", question)
	return a.wait(func() (string, error) { return readUnbuffered(a.in) })
}

// hidden asks for a line that the terminal does not show.
func (a *asker) hidden(question string) (string, error) {
	fmt.Fprintf(a.out, "%s (not shown): ", question)
	before, err := term.GetState(int(a.in.Fd()))
	if err != nil {
		return "", errs.Wrap(err, errs.Invalid, "ask", "the terminal can't hide what is typed")
	}
	text, err := a.wait(func() (string, error) {
		raw, err := term.ReadPassword(int(a.in.Fd()))
		return string(raw), err
	})
	if a.ctx.Err() != nil { // the read goes on: it would leave the terminal silent
		_ = term.Restore(int(a.in.Fd()), before)
	}
	fmt.Fprintln(a.out)
	return text, err
}

// wait gives up reading when the command is interrupted.
func (a *asker) wait(read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{strings.TrimSpace(text), err}
	}()
	select {
	case <-a.ctx.Done():
		return "", a.ctx.Err()
	case r := <-done:
		if errors.Is(r.err, io.EOF) {
			return "", errs.New(errs.Invalid, "ask", "the input ended before all was answered")
		}
		return r.text, r.err
	}
}

// choose asks for one of several answers, by number or name. Of one there is
// nothing to ask.
func (a *asker) choose(question string, names, remarks []string) (string, error) {
	if len(names) == 1 {
		return names[0], nil
	}
	a.say("%s:", question)
	for i, name := range names {
		a.say("  %d  %-20s %s", i+1, name, remarks[i])
	}
	for {
		text, err := a.line("Number or name")
		if err != nil {
			return "", err
		}
		for i, name := range names {
			if text == name || text == fmt.Sprint(i+1) {
				return name, nil
			}
		}
		a.say("  %s is none of them", printable(text))
	}
}

// agreed asks a question that Enter answers with no.
func (a *asker) agreed(question string) (bool, error) {
	text, err := a.line(question + " [y/N]")
	return strings.HasPrefix(strings.ToLower(text), "y"), err
}

// maxLine bounds what is read as one line.
const maxLine = 64 << 10

// readUnbuffered reads up to the end of a line and not a byte further: what
// follows may be a secret that is to be read without echo.
func readUnbuffered(in io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxLine; {
		n, err := in.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			return string(line), nil
		case n == 1:
			line = append(line, b[0])
		case err != nil:
			if errors.Is(err, io.EOF) && len(line) > 0 {
				return string(line), nil
			}
			return "", err
		}
	}
	return "", errs.New(errs.Invalid, "ask", "the line is too long")
}
