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
	"strings"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// transferTopic is keccak256("Transfer(address,address,uint256)"), ERC-20.
const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

// chainNames are the names that the vendor's buyer knows (contract, 9.4).
var chainNames = map[string]string{
	"peaq": "eip155:3338", "agung": "eip155:9990", "base": "eip155:8453", "ethereum": "eip155:1", "eth": "eip155:1",
	"polygon": "eip155:137", "arbitrum": "eip155:42161", "optimism": "eip155:10", "bsc": "eip155:56",
}

// ProofRecord is one accepted proof.
type ProofRecord struct {
	Proof     orchestration.PaymentProof
	PairingID string
	At        time.Time
}

func (s *Server) submitProof(c *call) (answer, error) {
	var proof orchestration.PaymentProof
	if err := c.decode(&proof); err != nil {
		return answer{}, err
	}
	solana := strings.HasPrefix(strings.ToLower(proof.Chain), "solana")
	for name, value := range map[string]string{
		"verificationMode": string(proof.VerificationMode), "chain": proof.Chain, "payerAddress": proof.PayerAddress,
		"payeeAddress": proof.PayeeAddress, "amount": proof.Amount,
	} {
		if strings.TrimSpace(value) == "" {
			return answer{}, invalid(name + " is required")
		}
	}
	switch {
	case proof.VerificationMode != orchestration.VerificationRecorded && proof.VerificationMode != orchestration.VerificationRPC:
		return answer{}, invalid("verificationMode is neither recorded nor rpc")
	case solana && proof.TransactionSignature == "" || !solana && proof.TransactionHash == "":
		return answer{}, invalid("the transaction is required")
	case solana: // always recorded, whatever was asked for
		proof.VerificationMode = orchestration.VerificationRecorded
	}
	if err := s.awaitsProof(c); err != nil {
		return answer{}, err
	}
	if proof.VerificationMode == orchestration.VerificationRPC {
		// No lock is held while the chain is asked; the state is checked again.
		if err := s.lookAt(c.Context(), proof); err != nil {
			return answer{}, err
		}
	}
	return s.accept(c, proof)
}

// awaitsProof refuses a proof that the order's state does not take.
func (s *Server) awaitsProof(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, err := s.awaiting(c)
	return err
}

// awaiting finds order and payment of a proof. Caller holds s.mu.
func (s *Server) awaiting(c *call) (orchestration.MarketOrder, orchestration.MarketPayment, error) {
	order, err := s.unfinished(c)
	payment, ok := s.payments[order.ID]
	switch {
	case err != nil:
	case !ok:
		err = notFound("payment")
	case payment.Status != orchestration.PaymentIntentCreated:
		err = invalid("the payment is " + string(payment.Status))
	}
	return order, payment, err
}

// accept makes the payment held and the order ready.
func (s *Server) accept(c *call, proof orchestration.PaymentProof) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order, payment, err := s.awaiting(c)
	if err != nil {
		return answer{}, err
	}
	kept := &orchestration.Proof{
		Chain: proof.Chain, Token: proof.Token, TransactionHash: proof.TransactionHash,
		TransactionSignature: proof.TransactionSignature, PayerAddress: proof.PayerAddress, VerifiedAt: s.now(),
		VerificationMode: proof.VerificationMode,
	}
	if len(proof.Metadata) > 0 {
		text, err := json.Marshal(proof.Metadata)
		if err != nil {
			return answer{}, err
		}
		if err := json.Unmarshal(text, &kept.Metadata); err != nil {
			return answer{}, err
		}
	}
	if proof.VerificationMode == orchestration.VerificationRPC && payment.Rail.Type == orchestration.RailWallet {
		payment.Rail.Type = orchestration.RailWDKUSDTTransfer
	}
	payment.Status, payment.Proof, payment.UpdatedAt = orchestration.PaymentHeld, kept, s.now()
	s.payments[order.ID] = payment
	s.proofs[order.ID] = append(s.proofs[order.ID], ProofRecord{Proof: proof, PairingID: c.token.PairingID, At: s.cfg.Now()})
	order = s.moveOrder(order, orchestration.OrderReady)
	return s.told(item(http.StatusOK, payment), order.ID, "order.updated"), nil
}

// receipt is what a proof needs of eth_getTransactionReceipt.
type receipt struct {
	Status string `json:"status"`
	Logs   []struct {
		Address string   `json:"address"`
		Topics  []string `json:"topics"`
		Data    string   `json:"data"`
	} `json:"logs"`
}

// lookAt is rpc mode (contract, 9.2): once, without a finality rule, and only at
// what the proof itself says. It does not compare the proof with the payment.
func (s *Server) lookAt(ctx context.Context, proof orchestration.PaymentProof) error {
	chain := proof.Chain
	if id, ok := chainNames[strings.ToLower(chain)]; ok {
		chain = id
	}
	s.mu.Lock()
	url := s.rpc[chain]
	s.mu.Unlock()
	if url == "" {
		return refuse(http.StatusBadRequest, orchestration.CodePaymentRPCRequired, "no RPC for "+proof.Chain)
	}
	amount, ok := new(big.Int).SetString(proof.RawAmount, 10)
	if !ok || proof.TokenAddress == "" {
		return invalid("rpc proofs need tokenAddress and rawAmount")
	}
	got, err := s.fetchReceipt(ctx, url, proof.TransactionHash)
	switch {
	case err != nil:
		return refuse(http.StatusBadGateway, orchestration.CodePaymentRPCError, err.Error())
	case got == nil:
		return refuse(http.StatusConflict, orchestration.CodePaymentNotMined, "no receipt yet")
	case got.Status != "0x1":
		return refuse(http.StatusPaymentRequired, orchestration.CodePaymentTxFailed, "receipt status "+got.Status)
	}
	for _, log := range got.Logs {
		if len(log.Topics) == 3 && strings.EqualFold(log.Topics[0], transferTopic) && sameHex(log.Address, proof.TokenAddress) &&
			sameHex(log.Topics[1], proof.PayerAddress) && sameHex(log.Topics[2], proof.PayeeAddress) && sameHex(log.Data, "0x"+amount.Text(16)) {
			return nil
		}
	}
	return refuse(http.StatusBadRequest, orchestration.CodePaymentTransferNotFound, "no such transfer in "+proof.TransactionHash)
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
