package orchestrationtest

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/orchestration"
)

// challenge is a text to be signed, once and in time.
type challenge struct {
	ID      string
	Subject string // what it is for; the proof must be for the same
	Message string
	Expires time.Time
}

// newChallenge keeps a challenge. Caller holds s.mu.
func (s *Server) newChallenge(prefix, title, subject string, lines ...string) challenge {
	c := challenge{ID: newID(prefix), Subject: subject, Expires: s.cfg.Now().Add(s.cfg.ChallengeTTL)}
	lines = append(lines, "nonce: "+hex.EncodeToString(randomBytes(16)), "expires: "+stamp(c.Expires))
	c.Message = title + "\n" + strings.Join(lines, "\n")
	s.state.challenges.put(c.ID, c)
	return c
}

// signedChallenge is a caller's answer to a challenge.
type signedChallenge struct {
	ChallengeID string `json:"challengeId"`
	Signature   string `json:"signature"`
}

// proofCodes are the codes of a proof that is absent, wrong or too late.
type proofCodes struct{ required, invalid, expired orchestration.Code }

// checkProof uses up the challenge that proof answers and returns it with the
// signer, who must be one of signers. Caller holds s.mu.
func (s *Server) checkProof(proof *signedChallenge, subject string, signers []string, codes proofCodes) (challenge, string, error) {
	if proof == nil || proof.ChallengeID == "" || proof.Signature == "" {
		return challenge{}, "", refuse(http.StatusBadRequest, codes.required, "a signed challenge is required")
	}
	asked, ok := s.state.challenges.get(proof.ChallengeID)
	if !ok || asked.Subject != subject {
		return challenge{}, "", refuse(http.StatusUnauthorized, codes.invalid, "no such challenge for this")
	}
	if !s.cfg.Now().Before(asked.Expires) {
		return challenge{}, "", refuse(http.StatusUnauthorized, codes.expired, "the challenge is too old")
	}
	signer, err := recoverSigner(asked.Message, proof.Signature)
	if err != nil {
		return challenge{}, "", refuse(http.StatusUnauthorized, codes.invalid, err.Error())
	}
	for _, each := range signers {
		if strings.EqualFold(each, signer) {
			s.state.challenges.drop(proof.ChallengeID)
			return asked, signer, nil
		}
	}
	return challenge{}, "", refuse(http.StatusUnauthorized, codes.invalid, "signed by "+signer)
}

// recoverSigner is the address that signed message by EIP-191 personal_sign.
func recoverSigner(message, signature string) (string, error) {
	return recoverHash(accounts.TextHash([]byte(message)), signature)
}

// recoverHash is the address that signed a hash.
func recoverHash(hash []byte, signature string) (string, error) {
	digits, prefixed := strings.CutPrefix(signature, "0x")
	bytes, err := hex.DecodeString(digits)
	if err != nil || !prefixed || len(bytes) != crypto.SignatureLength {
		return "", fmt.Errorf("signature is not 0x and 130 hex digits")
	}
	if bytes[crypto.RecoveryIDOffset] >= 27 {
		bytes[crypto.RecoveryIDOffset] -= 27
	}
	key, err := crypto.SigToPub(hash, bytes)
	if err != nil {
		return "", fmt.Errorf("signature recovers to no address")
	}
	return crypto.PubkeyToAddress(*key).Hex(), nil
}

// isAddress reports whether text is 0x and 40 hex digits.
func isAddress(text string) bool { return strings.HasPrefix(text, "0x") && common.IsHexAddress(text) }

var base58Form = regexp.MustCompile(`^[1-9A-HJ-NP-Za-km-z]{32,44}$`)

// isSolanaAddress reports whether text looks like 32 bytes in base58.
func isSolanaAddress(text string) bool { return base58Form.MatchString(text) }
