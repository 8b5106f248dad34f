package service

import (
	"context"
	"errors"
	"time"

	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
)

// Opened is a connection ready for work. The secrets in it are for the moment of
// use: open it anew for each run.
type Opened struct {
	Config     config.Config
	Generation int64 // that attempts with it are to be reported with
	Tokens     driver.Tokens
}

// OpenConfig opens a connection's configuration for work on our own initiative.
// It is errs.Conflict while the connection is suspended, and once it is archived.
func (s *Service) OpenConfig(ctx context.Context, org id.Org, conn id.Connection) (Opened, error) {
	c, err := s.d.Connections.Get(ctx, org, conn)
	if err != nil {
		return Opened{}, err
	}
	return s.opened(ctx, &c)
}

func (s *Service) opened(ctx context.Context, c *connection.Connection) (Opened, error) {
	if err := connection.Usable(c, "be used"); err != nil {
		return Opened{}, err
	}
	opened, err := s.open(ctx, c)
	if err != nil {
		return Opened{}, err
	}
	return Opened{opened, c.CredentialsGeneration, s.tokens(c, opened)}, nil
}

// Check probes a connection on our own initiative and takes note of what it
// finds. attempt names the check: of several workers that make the same one,
// one counts; "" makes a name. It is errs.Conflict while the connection is
// suspended, and once it is archived. A refusal is a result, not an error.
// A check that can't be made, for a reason of ours, is tried again later.
func (s *Service) Check(ctx context.Context, org id.Org, conn id.Connection, attempt string) (TestResult, error) {
	c, err := s.d.Connections.Get(ctx, org, conn)
	if err != nil {
		return TestResult{}, err
	}
	return s.check(ctx, &c, attempt)
}

// CheckDue is Check of a connection that was due at a time. It does nothing when
// it no longer is: somebody else has made that check meanwhile.
func (s *Service) CheckDue(ctx context.Context, org id.Org, conn id.Connection, due time.Time) (TestResult, error) {
	c, err := s.d.Connections.Get(ctx, org, conn)
	if err != nil || c.NextCheckAt == nil || !c.NextCheckAt.Equal(due) {
		return TestResult{Success: true}, err
	}
	return s.check(ctx, &c, "due "+due.UTC().Format(time.RFC3339Nano))
}

func (s *Service) check(ctx context.Context, c *connection.Connection, attempt string) (TestResult, error) {
	opened, err := s.opened(ctx, c)
	if err != nil {
		return TestResult{}, s.postpone(ctx, c.Org, c.ID, err)
	}
	o, err := s.probe(s.using(ctx, c), opened.Config, opened.Tokens, connection.SourceCheck, opened.Generation)
	if err != nil {
		return TestResult{}, s.postpone(ctx, c.Org, c.ID, err)
	}
	if attempt != "" {
		o.attempt.ID = attempt
	}
	s.warn(ctx, c)
	_, err = s.settleOf(ctx, c, o, o.attempt)
	return o.result, err
}

// postpone puts off the next check of a connection and returns why. A caller
// that ended leaves it due: the next process makes it.
func (s *Service) postpone(ctx context.Context, org id.Org, conn id.Connection, why error) error {
	if ctx.Err() != nil || errs.Is(why, errs.Conflict) || errs.Is(why, errs.NotFound) {
		return why
	}
	now := s.d.Now()
	_, err := s.d.Connections.Update(ctx, org, conn, func(cur *connection.Connection) error {
		connection.Postpone(cur, now)
		return nil
	})
	return errors.Join(why, err)
}

// RecordSuccess takes note of an attempt that succeeded, and that the
// connection was used.
func (s *Service) RecordSuccess(ctx context.Context, org id.Org, conn id.Connection, a connection.Attempt) error {
	a.Pace = s.d.CheckEvery
	c, err := s.d.Connections.Get(ctx, org, conn)
	if err != nil {
		return err
	}
	if _, err := s.settleOf(ctx, &c, outcome{result: TestResult{Success: true}}, a); err != nil {
		return err
	}
	return s.Touch(ctx, org, conn)
}

// RecordFailure takes note of an attempt that failed with cause and reports
// whether it counted. Any error may be given: what speaks not against the whole
// connection changes nothing. When a sync met anything but a refused
// credential, a check made at once decides, and is taken note of.
func (s *Service) RecordFailure(ctx context.Context, org id.Org, conn id.Connection, a connection.Attempt, cause error) (counted bool, err error) {
	fault := connection.FaultOf(cause, nil)
	if a.Source == connection.SourceSync && !fault.Countable() {
		return false, nil
	}
	c, err := s.d.Connections.Get(ctx, org, conn)
	if err != nil {
		return false, err
	}
	watched := c.Status == connection.Active || c.Status == connection.Failed
	if !watched || a.Generation != c.CredentialsGeneration {
		return false, nil
	}
	opened, err := s.open(ctx, &c)
	if err != nil {
		return false, err
	}
	o := outcome{fault: connection.FaultOf(explain(opened, cause), opened.SecretList())}
	if a.Source == connection.SourceSync && fault.Kind != errs.Unauthenticated {
		if c.Status != connection.Active {
			return false, nil
		}
		if o, err = s.probe(s.using(ctx, &c), opened, s.tokens(&c, opened), connection.SourceCheck, a.Generation); err != nil {
			return false, err
		}
		if o.result.Success {
			_, err = s.settle(ctx, org, conn, o, o.attempt)
			return false, err
		}
		o.fault.Confirmed = true
	} else if fault.Countable() && fault.Kind == errs.Unavailable && s.d.Isolated != nil {
		o.fault.Isolated = s.d.Isolated(ctx)
	}
	return s.settle(ctx, org, conn, o, a)
}

// settleOf is settle for whoever has just read the connection: a success that
// changes nothing is kept beside the record.
func (s *Service) settleOf(ctx context.Context, c *connection.Connection, o outcome, a connection.Attempt) (counted bool, err error) {
	if b, quiet := connection.Quiet(c, a, s.d.Now()); quiet && o.result.Success {
		kept, err := s.d.Connections.Beat(ctx, c.Org, c.ID, c.Revision, b)
		if kept || err != nil {
			return false, err
		}
	}
	return s.settle(ctx, c.Org, c.ID, o, a)
}

// settle applies an outcome as that of the attempt a.
func (s *Service) settle(ctx context.Context, org id.Org, conn id.Connection, o outcome, a connection.Attempt) (counted bool, err error) {
	now := s.d.Now()
	_, err = s.update(ctx, org, conn, func(cur *connection.Connection) error {
		counted = o.settle(cur, a, now)
		return nil
	})
	return counted && err == nil, err
}

func (o outcome) settle(c *connection.Connection, a connection.Attempt, now time.Time) (counted bool) {
	if o.result.Success {
		connection.Success(c, a, now)
		return false
	}
	return connection.Failure(c, a, o.fault, now)
}
