package realenv

import (
	"context"
	"io"
	"log/slog"

	"odradek/broker/env"
)

// tracer is env.Tracer as log lines.
type tracer struct{ log *slog.Logger }

func newTracer(w io.Writer, level env.Level) env.Tracer {
	if w == nil {
		return tracer{slog.New(slog.DiscardHandler)}
	}
	return tracer{slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: logLevel(level)}))}
}

func logLevel(l env.Level) slog.Level {
	switch l {
	case env.Debug, env.Detail:
		return slog.LevelDebug
	case env.Info:
		return slog.LevelInfo
	case env.Warn:
		return slog.LevelWarn
	}
	return slog.LevelError
}

func (t tracer) Event(level env.Level, kind string, attrs ...env.Attr) {
	ctx, l := context.Background(), logLevel(level)
	if !t.log.Enabled(ctx, l) {
		return
	}
	list := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		if a.IsInt {
			list[i] = slog.Int64(a.Key, a.Int)
		} else {
			list[i] = slog.String(a.Key, a.Str)
		}
	}
	t.log.LogAttrs(ctx, l, kind, list...)
}
