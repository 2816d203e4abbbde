package calibrate

import (
	"context"
	"fmt"

	"odradek/bench"
	"odradek/bench/simulated"
)

// Prediction is a run in both worlds.
type Prediction struct {
	Title               string
	Rate                float64
	Measured, Predicted bench.Sample
}

// Error is by how much a measure is predicted wrongly, as a share of what was measured;
// false if it is not known of both.
func (p *Prediction) Error(m *bench.Measure) (float64, bool) {
	real, ok := m.Of(&p.Measured)
	if !ok || real == 0 {
		return 0, false
	}
	predicted, ok := m.Of(&p.Predicted)
	return predicted/real - 1, ok
}

// Check runs scenarios on this machine and in the simulation of it.
func Check(ctx context.Context, list []bench.Scenario, p simulated.Profile, o Options) ([]Prediction, error) {
	o.fill()
	var out []Prediction
	for i := range list {
		s := &list[i]
		for _, rate := range s.Rates() {
			o.Progress(fmt.Sprintf("%s at %v records/s", s.Title(), rate))
			real, err := o.once(ctx, s, rate)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.Title(), err)
			}
			predicted, err := simulated.Run(s, rate, p, simulated.Options{Seed: 1})
			if err != nil {
				return nil, err
			}
			out = append(out, Prediction{s.Title(), rate, real, predicted})
		}
	}
	return out, nil
}
