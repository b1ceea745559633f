package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/settlement"
)

const (
	// maxRange is how many blocks one query for logs spans at most: what free plans of the large operators answer.
	maxRange = 500
	// growAfter answered queries in a row, a range that was refused before is tried twice as wide again.
	growAfter = 4
	// nativeRange is how many blocks are one span while native coin is waited for: then each is read by itself.
	nativeRange = 16
	// rangesAtOnce is how many spans are read at a time, ahead of the one that is delivered next.
	rangesAtOnce = 4
)

// CatchUp searches the final blocks from..to for what is waited for, as ScanFor does for one block, in ranges: wide ones,
// narrower after a refusal and wider again later, several at a time. Each span goes to deliver, in order and without a gap
// between them, so that a cursor may move to its end; an error of deliver ends the search and is returned. Blocks above the
// highest final one are left out: they may still change. w must not change what it answers about these blocks meanwhile.
//
// With the chain's own trust a range is asked of as many operators, and each block that one of them names is then scanned
// as always. A range of which nothing came is asked of a second endpoint, if there is one.
func (c *Chain) CatchUp(ctx context.Context, from, to uint64, w settlement.Watched, deliver func(settlement.Span) error) error {
	heads, err := c.Heads(ctx)
	if err != nil {
		return err
	}
	to = min(to, heads.Final)
	q := c.query(w)
	for from <= to {
		var spans []settlement.Span
		for len(spans) < rangesAtOnce && from <= to {
			width := c.width.get()
			if q.native {
				width = nativeRange
			}
			span := settlement.Span{From: from, To: min(to, from+width-1)}
			spans, from = append(spans, span), span.To+1
		}
		search, searching := errgroup.WithContext(ctx)
		for i := range spans {
			search.Go(func() error { return c.search(searching, &spans[i], q) })
		}
		if err := search.Wait(); err != nil {
			return err
		}
		for _, span := range spans {
			if err := deliver(span); err != nil {
				return err
			}
		}
	}
	return nil
}

// search fills the span.
func (c *Chain) search(ctx context.Context, span *settlement.Span, q query) error {
	var numbers []uint64
	if q.native { // no log tells of them
		for number := span.From; number <= span.To; number++ {
			numbers = append(numbers, number)
		}
	} else if len(q.tokens) > 0 {
		var err error
		if numbers, err = c.blocksWithLogs(ctx, span.From, span.To, q); err != nil {
			return err
		}
	}
	last := len(numbers) == 0 || numbers[len(numbers)-1] != span.To
	if last { // its hash is needed in any case
		numbers = append(numbers, span.To)
	}
	for _, number := range numbers {
		scan, err := c.scan(ctx, number, q)
		if err != nil {
			return err
		}
		if len(scan.Transactions) > 0 {
			span.Blocks = append(span.Blocks, scan)
		}
		span.Last = scan.Block
	}
	return nil
}

// blocksWithLogs are the numbers of the blocks in from..to that hold a log of the query. A range that is refused is asked
// for in halves; one block that is refused is scanned without asking.
func (c *Chain) blocksWithLogs(ctx context.Context, from, to uint64, q query) ([]uint64, error) {
	if to-from >= c.width.get() {
		return c.halves(ctx, from, to, q)
	}
	filter := q.filter()
	filter["fromBlock"], filter["toBlock"] = hexNumber(from), hexNumber(to)
	var mu sync.Mutex // guards empty
	empty := 0
	answers, err := gather(ctx, c, c.endpoints, c.rule, c.rule.Trust.operators(), func(ctx context.Context, s *session) ([]uint64, error) {
		raw, err := s.call(ctx, "eth_getLogs", filter)
		if errors.Is(err, errTooMuch) {
			return nil, errAskAnother // it is no fault of the endpoint, and others may allow more
		}
		if err != nil {
			return nil, err
		}
		numbers, err := s.numbersOf(raw, from, to)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && len(numbers) == 0 {
			if empty++; empty == 1 && c.rule.Trust.operators() == 1 && len(c.endpoints) > 1 {
				return nil, errAskAnother
			}
		}
		return numbers, err
	})
	switch {
	case errors.Is(err, errAskAnother) && empty > 0: // the others refused
		c.width.answered()
		return nil, nil
	case errors.Is(err, errAskAnother) && from == to:
		return []uint64{from}, nil
	case errors.Is(err, errAskAnother):
		c.width.refused(to - from + 1)
		return c.halves(ctx, from, to, q)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil: // too slow; the caller comes back, and asks for less then
		c.width.refused(to - from + 1)
		return nil, err
	case err != nil:
		return nil, err
	}
	c.width.answered()
	numbers := slices.Concat(answers...)
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

func (c *Chain) halves(ctx context.Context, from, to uint64, q query) ([]uint64, error) {
	middle := from + (to-from)/2
	low, err := c.blocksWithLogs(ctx, from, middle, q)
	if err != nil {
		return nil, err
	}
	high, err := c.blocksWithLogs(ctx, middle+1, to, q)
	return append(low, high...), err
}

// numbersOf are the numbers of the blocks that the logs are in.
func (s *session) numbersOf(raw json.RawMessage, from, to uint64) (numbers []uint64, err error) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, unavailable("the logs are not a list")
	}
	_, err = decode(raw, func(c *cursor) (struct{}, error) {
		var l logEntry
		return struct{}{}, c.list(func() error {
			l = logEntry{}
			err := c.log(&l)
			if err == nil && (l.number < from || l.number > to) {
				err = fmt.Errorf("is of block %d, which was not asked for", l.number)
			}
			if n := len(numbers); n == 0 || numbers[n-1] != l.number {
				numbers = append(numbers, l.number)
			}
			return err
		})
	})
	if err != nil {
		return nil, undecodable("the logs", err)
	}
	return numbers, nil
}

// rangeWidth is how many blocks are asked for at once.
type rangeWidth struct {
	mu    sync.Mutex // guards the rest
	width uint64
	row   int // answered queries since the last change
}

func (r *rangeWidth) get() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.width
}

func (r *rangeWidth) refused(width uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.width, r.row = max(1, min(r.width, width/2)), 0
}

func (r *rangeWidth) answered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.row++; r.row >= growAfter {
		r.width, r.row = min(2*r.width, maxRange), 0
	}
}
