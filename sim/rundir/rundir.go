package rundir

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"odradek/sim/fault"
	"odradek/sim/harness"
)

// Names of the files.
const (
	Plan    = "plan.json"
	History = "history.jsonl"
	Trace   = "trace.jsonl"
	Result  = "result.json"
)

// Run is harness.Run with files in dir, which is made if it is missing; files of an
// earlier run are replaced. Whatever o says of history and trace is overwritten. The
// result is valid even if a file could not be written.
func Run(dir string, p *fault.Plan, o harness.Options) (*harness.Result, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	// First, so that it is there if the program dies.
	if err := WritePlan(dir, p); err != nil {
		return nil, err
	}
	history, err := create(dir, History)
	if err != nil {
		return nil, err
	}
	trace, err := create(dir, Trace)
	if err != nil {
		return nil, errors.Join(err, history.Close())
	}
	o.History, o.Trace = history, trace
	res, err := harness.Run(p, o)
	err = errors.Join(err, history.Close(), trace.Close())
	if res != nil {
		text, encodeErr := json.MarshalIndent(res, "", "  ")
		if encodeErr != nil {
			panic(fmt.Sprintf("rundir: a result does not encode: %v", encodeErr)) // it holds nothing that can fail
		}
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, Result), append(text, '\n'), 0o666))
	}
	return res, err
}

// WritePlan leaves only the plan.
func WritePlan(dir string, p *fault.Plan) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, Plan), p.Encode(), 0o666)
}

// file is a buffered file that remembers its first error: a recorder cannot return it.
type file struct {
	f   *os.File
	w   *bufio.Writer
	err error
}

var _ io.WriteCloser = (*file)(nil)

func create(dir, name string) (*file, error) {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	return &file{f: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

func (f *file) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if f.err == nil {
		f.err = err
	}
	return n, err
}

func (f *file) Close() error {
	err := f.w.Flush()
	if f.err != nil {
		err = f.err // Flush gives the same one
	}
	return errors.Join(err, f.f.Close())
}
