package main

import (
	"fmt"
	"slices"
)

// relation says on which side of its limit a figure must be.
type relation string

const (
	atLeast relation = ">="
	equal   relation = "="
	atMost  relation = "<="
)

// limit is what the median must keep; where figures must be equal, every round's.
type limit struct {
	relation relation
	value    float64
	unit     string // empty for a ratio
}

// judge makes the line of a benchmark.
func (l limit) judge(name string, figures []float64) (line string, ok bool) {
	sorted := slices.Sorted(slices.Values(figures))
	lowest, median, highest := sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1]
	switch l.relation {
	case atLeast:
		ok = median >= l.value
	case atMost:
		ok = median <= l.value
	case equal:
		ok = lowest == l.value && highest == l.value
	}
	verdict := "short"
	if ok {
		verdict = "ok"
	}
	figure := func(v float64) string { return fmt.Sprintf("%.2f%s", v, l.unit) }
	return fmt.Sprintf("%-9s  %8s  %8s  %8s  %10s  %s", name, figure(median), figure(lowest), figure(highest),
		string(l.relation)+figure(l.value), verdict), ok
}
