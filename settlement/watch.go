package settlement

// Head is how far a chain has come, from one endpoint's coherent set of answers.
type Head struct {
	Latest uint64
	// Final is the highest block that the chain's finality rule calls final; FinalHash is its hash where the rule is a
	// tag, and empty where it is a depth.
	Final     uint64
	FinalHash BlockHash
}

// Scan is one block as seen for all payees at once.
type Scan struct {
	Block  Block
	Parent BlockHash
	// Transactions holds, in order of position, those that move a listed token or native value, each with all such
	// transfers, so that money sent back within one transaction is seen.
	Transactions []ScannedTx
	Endpoint     string   // name from configuration
	Digests      []string // SHA-256 of the answers relied on, hex
}

// ScannedTx is one transaction of a scanned block.
type ScannedTx struct {
	TxID      TxID
	Sender    Address // empty where the scan did not have to read it
	Transfers []Transfer
}
