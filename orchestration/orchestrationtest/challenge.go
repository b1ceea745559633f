package orchestrationtest

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/orchestration"
)

// challenge is a text to be signed, once and in time.
type challenge struct {
	id      string
	subject string // what it is for; the proof must be for the same
	message string
	expires time.Time
}

// newChallenge keeps a challenge. Caller holds s.mu.
func (s *Server) newChallenge(prefix, title, subject string, lines ...string) challenge {
	c := challenge{id: newID(prefix), subject: subject, expires: s.cfg.Now().Add(s.cfg.ChallengeTTL)}
	lines = append(lines, "nonce: "+hex.EncodeToString(randomBytes(16)), "expires: "+stamp(c.expires))
	c.message = title + "\n" + strings.Join(lines, "\n")
	s.challenges[c.id] = c
	return c
}

// proofCodes are the codes of a proof that is absent, wrong or too late.
type proofCodes struct{ required, invalid, expired orchestration.Code }

// checkProof uses up the challenge that proof answers and returns it with the
// signer, who must be one of signers. Caller holds s.mu.
func (s *Server) checkProof(proof *orchestration.ChallengeProof, subject string, signers []string, codes proofCodes) (challenge, string, error) {
	if proof == nil || proof.ChallengeID == "" || proof.Signature == "" {
		return challenge{}, "", refuse(http.StatusBadRequest, codes.required, "a signed challenge is required")
	}
	asked, ok := s.challenges[proof.ChallengeID]
	if !ok || asked.subject != subject {
		return challenge{}, "", refuse(http.StatusUnauthorized, codes.invalid, "no such challenge for this")
	}
	if !s.cfg.Now().Before(asked.expires) {
		return challenge{}, "", refuse(http.StatusUnauthorized, codes.expired, "the challenge is too old")
	}
	signer, err := recoverSigner(asked.message, proof.Signature)
	if err != nil {
		return challenge{}, "", refuse(http.StatusUnauthorized, codes.invalid, err.Error())
	}
	for _, each := range signers {
		if strings.EqualFold(each, signer) {
			delete(s.challenges, proof.ChallengeID)
			return asked, signer, nil
		}
	}
	return challenge{}, "", refuse(http.StatusUnauthorized, codes.invalid, "signed by "+signer)
}

// recoverSigner is the address that signed message by EIP-191 personal_sign.
func recoverSigner(message, signature string) (string, error) {
	bytes, err := hex.DecodeString(strings.TrimPrefix(signature, "0x"))
	if err != nil || len(bytes) != crypto.SignatureLength {
		return "", fmt.Errorf("signature is not 0x and 130 hex digits")
	}
	if bytes[crypto.RecoveryIDOffset] >= 27 {
		bytes[crypto.RecoveryIDOffset] -= 27
	}
	key, err := crypto.SigToPub(accounts.TextHash([]byte(message)), bytes)
	if err != nil {
		return "", fmt.Errorf("signature recovers to no address")
	}
	return crypto.PubkeyToAddress(*key).Hex(), nil
}

// isAddress reports whether text is 0x and 40 hex digits.
func isAddress(text string) bool { return strings.HasPrefix(text, "0x") && common.IsHexAddress(text) }
