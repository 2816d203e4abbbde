package floats

type ratio float64

func decide(a, b float64, r ratio, n int) bool {
	if a > 0.5 { // want `> on floats`
		return true
	}
	c := a*b + 1              // want `\+ on floats`
	c += b                    // want `\+= on floats`
	c++                       // want `\+\+ on floats`
	r = r * 2                 // want `\* on floats`
	n = int(c)                // want `a float becomes an integer`
	n = int(float64(n) * 1.5) // want `\* on floats|a float becomes`
	const half = 0.5 + 0.25
	_ = c
	_ = float64(n) // a number for people
	_ = [...]float64{a, b, half}
	return n > 1
}

// percentile is for people.
//
//odradek:exempt shown in a report, nothing depends on it
func percentile(a, b float64) float64 {
	if a < b {
		return a / b
	}
	return b / a
}

func generic[F float32 | float64](a, b F) F {
	return a + b // want `\+ on floats`
}
