package attempt

// Outcome is what a client may conclude about the effect of a request.
type Outcome uint8

const (
	// Unknown: the request may have had its effect, now or later.
	Unknown Outcome = iota
	// OK: it had its effect, as the answer says.
	OK
	// Failed: it certainly had no effect and never will have.
	Failed
)

func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// Combine gives the outcome of an operation that was attempted several times: OK
// if the last attempt was, Failed only if every attempt certainly failed (none
// at all is Failed too: nothing was ever sent), else Unknown.
func Combine(attempts []Attempt) Outcome {
	if n := len(attempts); n > 0 && attempts[n-1].Outcome == OK {
		return OK
	}
	for _, a := range attempts {
		if a.Outcome != Failed {
			return Unknown
		}
	}
	return Failed
}
