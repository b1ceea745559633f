package orchestrationtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/orchestration"
)

// challenge is what the provider answered when the server probed it (contract,
// 10.3). Without Requirements it answered 401 and there is nothing to sign.
func (v Service) challenge() (json.RawMessage, error) {
	if v.X402 == nil {
		return json.RawMessage(`{"statusCode":401,"bodyError":"the provider asks for a login"}`), nil
	}
	accepts := []Requirements{*v.X402}
	accepts[0].Scheme = cmp.Or(accepts[0].Scheme, "exact")
	page := "https://provider.example/" + v.ID
	header, err := json.Marshal(map[string]any{
		"x402Version": 2, "error": "payment required", "accepts": accepts,
		"resource": map[string]any{"url": page, "description": v.Name, "mimeType": "application/json"},
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"paymentRequired": base64.StdEncoding.EncodeToString(header), "accepts": accepts, "statusCode": 402, "paymentUrl": page,
	})
}

// x402Header is what a payer signed.
type x402Header struct {
	Payload struct {
		Signature     string        `json:"signature"`
		Authorization authorisation `json:"authorization"`
	} `json:"payload"`
	Accepted *Requirements `json:"accepted"`
}

// authorisation is EIP-3009's TransferWithAuthorization; its numbers are decimal
// text.
type authorisation struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Value       string `json:"value"`
	ValidAfter  string `json:"validAfter"`
	ValidBefore string `json:"validBefore"`
	Nonce       string `json:"nonce"`
}

func parseX402(header string) (x402Header, error) {
	var signed x402Header
	text, err := base64.StdEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(text, &signed)
	}
	if err != nil || !isAddress(signed.Payload.Authorization.From) || signed.Payload.Signature == "" {
		return signed, invalid("payment.paymentSignature", "paymentSignature is not a signed x402 payload in base64")
	}
	return signed, nil
}

// submitX402 stores a signature; nothing has been paid yet (contract, 8.2).
func (s *Server) submitX402(c *call, proof proofBody) (answer, error) {
	header := proof.Payment.PaymentSignature
	signed, err := parseX402(header)
	if err != nil {
		return answer{}, err
	}
	order, payment, err := s.awaiting(c, "")
	switch {
	case err != nil:
		return answer{}, err
	case payment.Rail.Type != orchestration.RailX402:
		return answer{}, invalid("rail.type", "the payment's rail is "+string(payment.Rail.Type))
	}
	metadata := maps.Clone(proof.Metadata)
	if metadata == nil {
		metadata = map[string]json.RawMessage{}
	}
	if proof.PaymentReference != "" {
		metadata["paymentReference"] = json.RawMessage(strconv.Quote(proof.PaymentReference))
	}
	payment.Proof = &orchestration.Proof{
		Chain: payment.Rail.Chain, Token: payment.Rail.Token, PayerAddress: signed.Payload.Authorization.From, VerifiedAt: s.now(),
		VerificationMode: orchestration.VerificationRecorded, Metadata: metadata,
	}
	s.keepProof(c, order.ID, ProofRecord{
		Proof:         orchestration.PaymentProof{VerificationMode: orchestration.VerificationRecorded, PayerAddress: signed.Payload.Authorization.From},
		X402Signature: header,
	})
	return s.hold(c, order, payment), nil
}

// settleX402 pays the provider with the signature of the proof, as its
// facilitator would: the authorisation must be what the challenge asked for,
// signed by its payer, in time, and not used before. No chain is touched: the
// hash that it answers is made up from the header. Caller holds s.mu.
func (s *Server) settleX402(order orchestration.MarketOrder, payment orchestration.MarketPayment, header string) error {
	deny := func(message string) error {
		return refuse(http.StatusPaymentRequired, orchestration.CodePaymentRequired, message)
	}
	proofs, _ := s.state.proofs.get(order.ID)
	if header == "" || len(proofs) == 0 || proofs[len(proofs)-1].X402Signature != header {
		return deny("the payment signature is not that of the proof")
	}
	signed, err := parseX402(header)
	if err != nil {
		return err
	}
	service, _ := s.services.get(order.ServiceID)
	if service.X402 == nil {
		return deny("the provider asked for nothing that can be signed")
	}
	auth, wanted := signed.Payload.Authorization, *service.X402
	hash, err := authorisationHash(wanted, auth)
	if err != nil {
		return deny(err.Error())
	}
	signer, err := recoverHash(hash, signed.Payload.Signature)
	if err != nil {
		return deny(err.Error())
	}
	now := big.NewInt(s.cfg.Now().Unix())
	after, _ := new(big.Int).SetString(auth.ValidAfter, 10)
	before, _ := new(big.Int).SetString(auth.ValidBefore, 10)
	key := strings.ToLower(wanted.Network + "/" + wanted.Asset + "/" + auth.From + "/" + auth.Nonce)
	first, used := s.state.authorised.get(key)
	switch {
	case !strings.EqualFold(signer, auth.From):
		return deny("the authorisation is signed by " + signer)
	case !strings.EqualFold(auth.To, wanted.PayTo) || auth.Value != wanted.Amount:
		return deny("the authorisation is for another payee or amount")
	case signed.Accepted != nil && (signed.Accepted.Network != wanted.Network || !strings.EqualFold(signed.Accepted.Asset, wanted.Asset)):
		return deny("the authorisation is for another token")
	case now.Cmp(after) <= 0 || now.Cmp(before) >= 0:
		return deny("the authorisation is not valid now")
	case used:
		return deny("the authorisation was used for order " + first)
	}
	s.state.authorised.put(key, order.ID)
	sum := sha256.Sum256([]byte(header))
	paid := *payment.Proof
	paid.TransactionHash, paid.VerifiedAt = "0x"+hex.EncodeToString(sum[:]), s.now()
	paid.Metadata = maps.Clone(paid.Metadata)
	settlement, err := json.Marshal(map[string]any{
		"status": "settled", "payerAddress": auth.From,
		"response": map[string]any{"success": true, "transaction": paid.TransactionHash, "network": wanted.Network, "payer": auth.From},
	})
	if err != nil {
		return err
	}
	paid.Metadata["paymentSettlement"] = settlement
	payment.Proof, payment.UpdatedAt = &paid, s.now()
	s.state.payments.put(order.ID, payment)
	return nil
}

// authorisationHash is the EIP-712 hash that an EIP-3009 authorisation signs.
func authorisationHash(r Requirements, a authorisation) ([]byte, error) {
	digits, evm := strings.CutPrefix(caip2(r.Network), "eip155:")
	chainID, ok := new(big.Int).SetString(digits, 10)
	nonce, err := hex.DecodeString(strings.TrimPrefix(a.Nonce, "0x"))
	if !evm || !ok || err != nil || len(nonce) != 32 || !isAddress(a.To) || !isAddress(r.Asset) {
		return nil, fmt.Errorf("the authorisation has no EVM chain, addresses or nonce of 32 bytes")
	}
	number := func(text string) []byte {
		n, valid := new(big.Int).SetString(text, 10)
		if !valid || n.Sign() < 0 || n.BitLen() > 256 {
			ok = false
			return nil
		}
		return common.LeftPadBytes(n.Bytes(), 32)
	}
	address := func(text string) []byte { return common.LeftPadBytes(common.HexToAddress(text).Bytes(), 32) }
	domain := crypto.Keccak256(
		crypto.Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")),
		crypto.Keccak256([]byte(r.Extra.Name)), crypto.Keccak256([]byte(r.Extra.Version)), number(chainID.String()), address(r.Asset))
	message := crypto.Keccak256(
		crypto.Keccak256([]byte("TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)")),
		address(a.From), address(a.To), number(a.Value), number(a.ValidAfter), number(a.ValidBefore), nonce)
	if !ok {
		return nil, fmt.Errorf("the authorisation's numbers are not uint256")
	}
	return crypto.Keccak256([]byte{0x19, 0x01}, domain, message), nil
}
