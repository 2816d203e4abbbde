package simulated

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// parsing collects what is wrong with client configs.
type parsing []error

func (p *parsing) add(name, value string) {
	*p = append(*p, fmt.Errorf("%s: %q makes no sense", name, value))
}

func (p *parsing) number(name, value string) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		p.add(name, value)
	}
	return n
}

func (p *parsing) millis(name, value string) time.Duration {
	return time.Duration(p.number(name, value)) * time.Millisecond
}

func (p *parsing) err() error { return errors.Join(*p...) }
