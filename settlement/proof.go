package settlement

import (
	"fmt"
	"slices"
)

// PayerProof is a wallet's signature under ProofText. It counts for transfers of the transaction that leave the wallet, and
// for no others: what it says of somebody else's money is worth nothing.
type PayerProof struct {
	TxID   TxID
	Signer Address
	// Signature is in the chain's own text form.
	Signature string
	// Block, where not 0, is the final block at which the signer, a contract, said that the signature is its own. At 0 the
	// signature speaks for itself.
	Block uint64
}

// ProofText is what a payer signs to say that his transaction pays the payment, to the byte. The transaction's id is in the
// chain's own text form. One signature cannot be used for another payment, transaction or chain.
func ProofText(payment PaymentID, chain ChainID, txid string) string {
	return fmt.Sprintf("settler: my transaction pays this payment.\nPayment: %s\nChain: %s\nTransaction: %s", payment, chain, txid)
}

// RefundText is what a wallet signs to take the refunds of a pairing's orders, to the byte. It says nothing of any order and
// moves nothing: it shows that somebody has the key of the wallet.
func RefundText(chain ChainID, marketplace, pairing string) string {
	return fmt.Sprintf("settler: refunds of this pairing's orders go to my wallet.\nChain: %s\nMarketplace: %s\nPairing: %s", chain, marketplace, pairing)
}

// SignatureError says why a signature proves nothing.
type SignatureError struct {
	// Malformed: it has no form in which wallets of the chain sign. Else it is not the signer's over the text.
	Malformed bool
	Problem   string // a clause for whoever sent it
}

func (e *SignatureError) Error() string { return "signature: " + e.Problem }

// WithSigners is the claim with the wallets that have proven to be payers of its transaction. A claim that takes anybody's
// payment, as one into a vault does, goes on to.
func (c Claim) WithSigners(signers ...Address) Claim {
	if len(c.Payers) == 0 && c.Instrument == "" {
		return c
	}
	c.Payers = slices.Clone(c.Payers)
	for _, s := range signers {
		if !slices.Contains(c.Payers, s) {
			c.Payers = append(c.Payers, s)
		}
	}
	return c
}
