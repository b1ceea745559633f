package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bin "github.com/gagliardetto/binary"
	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

// solanaAnswer is what a real node said of one transaction, and what is to be made of it.
type solanaAnswer struct {
	Chain        settlement.ChainID
	Signature    string
	Expectations []solanaExpectation
	Result       json.RawMessage

	file string
}

type solanaExpectation struct {
	Token, Program, Payer, Payee, Amount, Memo, Reference string
	Decimals                                              uint8
	AnyAccount                                            bool `json:"any_account"`
	Used                                                  []string
	Code                                                  settlement.Code
	AlsoOK                                                []settlement.Code `json:"also_ok"`
}

// recordedAnswers are those of public clusters where SETTLER_FIXTURES has them, else those that verify/solana keeps, which a
// local node gave and which are shorter.
func recordedAnswers() (recordings []*solanaAnswer, err error) {
	folder := os.Getenv("SETTLER_FIXTURES")
	if folder == "" {
		files, err := filepath.Glob("verify/solana/testdata/*.json")
		if err != nil || len(files) == 0 {
			return nil, errors.Join(err, errors.New("no recordings in verify/solana/testdata: run it from the repository"))
		}
		for _, file := range files {
			r := solanaAnswer{file: file}
			if err := readJSON(file, &r); err != nil {
				return nil, err
			}
			recordings = append(recordings, &r)
		}
		return recordings, nil
	}
	folder = filepath.Join(folder, "solana")
	var index struct {
		Entries []struct {
			solanaAnswer
			File, Format string
		}
	}
	if err := readJSON(filepath.Join(folder, "index.json"), &index); err != nil {
		return nil, err
	}
	for _, entry := range index.Entries {
		if strings.HasSuffix(entry.Format, "jsonParsed encoding") {
			continue // not what we ask a node for
		}
		r := solanaAnswer{Chain: entry.Chain, Signature: entry.Signature, Expectations: entry.Expectations, file: filepath.Join(folder, entry.File)}
		var body struct{ Result json.RawMessage }
		if err := readJSON(r.file, &body); err != nil {
			return nil, err
		}
		r.Result = body.Result
		recordings = append(recordings, &r)
	}
	return recordings, nil
}

func readJSON(file string, into any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// measureSolanaAnswer compares judging a claim on a raw answer to getTransaction with what anybody has to do who reads one:
// json.Valid, and the decoding of the message by solana-go. The figure is the geometric mean over all recorded answers.
func measureSolanaAnswer(ctx context.Context, _ *ground) (figures []float64, err error) {
	recordings, err := recordedAnswers()
	if err != nil {
		return nil, err
	}
	type side struct {
		judge, decode func() error
	}
	var sides []side
	for _, r := range recordings {
		judge, err := r.judge()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.file, err)
		}
		wire, err := r.wire()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.file, err)
		}
		sides = append(sides, side{judge, func() error {
			if !json.Valid(r.Result) {
				return errors.New("the answer is not JSON")
			}
			var tx sdk.Transaction
			return tx.UnmarshalWithDecoder(bin.NewBinDecoder(wire))
		}})
	}
	for round := range rounds {
		product := 1.0
		for _, s := range sides {
			var ours, theirs float64
			err := alternate(round, func() (err error) {
				ours, err = perSecond(ctx, s.judge)
				return err
			}, func() (err error) {
				theirs, err = perSecond(ctx, s.decode)
				return err
			})
			if err != nil {
				return nil, err
			}
			product *= theirs / ours
		}
		figures = append(figures, math.Pow(product, 1/float64(len(sides))))
	}
	note(fmt.Sprintf("solana-answer: %d recorded answers", len(sides)))
	return figures, nil
}

// judge judges the answer's first expectation.
func (r *solanaAnswer) judge() (func() error, error) {
	var value any
	if err := json.Unmarshal(r.Result, &value); err != nil {
		return nil, err
	}
	compact, err := json.Marshal(value) // without white space, as a node sends it
	if err != nil {
		return nil, err
	}
	r.Result = compact
	x := r.Expectations[0]
	address := func(text string) settlement.Address {
		if text == "" || text == "native" {
			return ""
		}
		a, wrong := solana.ParseAddress(text)
		err = errors.Join(err, wrong)
		return a
	}
	token := solana.Token{
		Token:   settlement.Token{Chain: r.Chain, Address: address(x.Token), Symbol: "T", Decimals: x.Decimals},
		Program: address(x.Program), AnyAccount: x.AnyAccount,
	}
	amount, err1 := settlement.ParseAmount(x.Amount)
	txid, err2 := solana.ParseTxID(r.Signature)
	chain, err3 := solana.New(solana.Config{
		Chain: r.Chain, Endpoints: []solana.Endpoint{{Name: "none", URL: "http://node.invalid"}}, Tokens: []solana.Token{token},
	})
	claim := settlement.Claim{
		Chain: r.Chain, TxID: txid, Memo: x.Memo, Reference: address(x.Reference), Payers: []settlement.Address{address(x.Payer)},
		Want: settlement.Transfer{Token: token.Address, Payee: address(x.Payee), Amount: amount}, Used: make(map[string]bool),
	}
	if err := errors.Join(err, err1, err2, err3); err != nil {
		return nil, err
	}
	for _, position := range x.Used {
		claim.Used[position] = true
	}
	return func() error {
		look, err := chain.Judge(claim, r.Result)
		if err == nil && look.Verdict.Code != x.Code && !slices.Contains(x.AlsoOK, look.Verdict.Code) {
			err = fmt.Errorf("the answer is judged %s, not %s", look.Verdict.Code, x.Code)
		}
		return err
	}, nil
}

// wire is the transaction in the form in which it was sent.
func (r *solanaAnswer) wire() ([]byte, error) {
	var answer struct{ Transaction sdk.Transaction }
	if err := json.Unmarshal(r.Result, &answer); err != nil {
		return nil, err
	}
	var version struct{ Version any }
	if err := json.Unmarshal(r.Result, &version); err != nil {
		return nil, err
	}
	if version.Version == float64(0) {
		if _, err := answer.Transaction.Message.SetVersion(sdk.MessageVersionV0); err != nil {
			return nil, err
		}
	}
	return answer.Transaction.MarshalBinary()
}
