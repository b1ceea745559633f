package orchestrationtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"

	"github.com/settler-pay/settler/orchestration"
)

// transferTopic is keccak256("Transfer(address,address,uint256)"), ERC-20.
const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

// receipt is what a proof needs of eth_getTransactionReceipt.
type receipt struct {
	Status      string `json:"status"`
	BlockNumber string `json:"blockNumber"`
	Logs        []struct {
		Address string   `json:"address"`
		Topics  []string `json:"topics"`
		Data    string   `json:"data"`
	} `json:"logs"`
}

// lookAt is rpc mode (contract, 9.2): once, without a finality rule, and only at
// what the proof itself says. It returns the block's number.
func (s *Server) lookAt(ctx context.Context, url string, proof proofBody) (uint64, error) {
	if url == "" {
		return 0, refuse(http.StatusBadRequest, orchestration.CodePaymentRPCRequired, "no RPC for "+proof.Chain)
	}
	amount, ok := new(big.Int).SetString(proof.RawAmount, 10)
	if !ok || proof.TokenAddress == "" {
		return 0, invalid("rawAmount", "rpc proofs need tokenAddress and rawAmount")
	}
	got, err := s.fetchReceipt(ctx, url, proof.TransactionHash)
	switch {
	case err != nil:
		return 0, refuse(http.StatusBadGateway, orchestration.CodePaymentRPCError, err.Error())
	case got == nil:
		return 0, refuse(http.StatusConflict, orchestration.CodePaymentNotMined, "no receipt yet")
	case got.Status != "0x1":
		return 0, refuse(http.StatusPaymentRequired, orchestration.CodePaymentTxFailed, "receipt status "+got.Status)
	}
	for _, log := range got.Logs {
		if len(log.Topics) == 3 && strings.EqualFold(log.Topics[0], transferTopic) && sameHex(log.Address, proof.TokenAddress) &&
			sameHex(log.Topics[1], proof.PayerAddress) && sameHex(log.Topics[2], proof.PayeeAddress) && sameHex(log.Data, "0x"+amount.Text(16)) {
			block, _ := strconv.ParseUint(strings.TrimPrefix(got.BlockNumber, "0x"), 16, 64)
			return block, nil
		}
	}
	return 0, refuse(http.StatusBadRequest, orchestration.CodePaymentTransferNotFound, "no such transfer in "+proof.TransactionHash)
}

// sameHex compares two 0x numbers by value: a topic is an address in 32 bytes.
func sameHex(a, b string) bool {
	left, okLeft := new(big.Int).SetString(strings.TrimPrefix(a, "0x"), 16)
	right, okRight := new(big.Int).SetString(strings.TrimPrefix(b, "0x"), 16)
	return okLeft && okRight && left.Cmp(right) == 0
}

// fetchReceipt asks by plain JSON-RPC; nil when the chain has none. Its errors
// do not name the URL, which may hold a key.
func (s *Server) fetchReceipt(ctx context.Context, url, hash string) (*receipt, error) {
	if bytes, err := hex.DecodeString(strings.TrimPrefix(hash, "0x")); err != nil || len(bytes) != 32 {
		return nil, nil // no transaction has that hash
	}
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionReceipt", "params": []string{hash},
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the RPC URL is not one")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the RPC does not answer")
	}
	defer res.Body.Close()
	var got struct {
		Result *receipt `json:"result"`
		Error  *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 8<<20)).Decode(&got); err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the RPC answers %d", res.StatusCode)
	}
	if got.Error != nil {
		return nil, fmt.Errorf("the RPC says: %s", got.Error.Message)
	}
	return got.Result, nil
}
