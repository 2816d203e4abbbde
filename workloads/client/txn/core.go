package txn

// Core decides everything a transactional producer does besides sending records.
type Core struct {
	state State
}
